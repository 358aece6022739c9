"""Pictures of ChannelNorm and of the layers that change each value."""

import numpy as np
from matplotlib.figure import Figure

from .canvas import BLUE, GREY, ORANGE, PALE, arrow, as_drawing, as_plot, cell, panels, pixels


def channel_norm() -> Figure:
    """A flow of two channels and its length."""
    figure, (flow, length) = panels(2, 2.2, 5.0)
    vectors = [[(0.0, 0.0), (0.6, 0.0), (0.8, -0.6)], [(0.0, 0.5), (-0.3, 0.4), (0.9, 0.0)]]
    shades = {0.0: "white", 0.5: "#90cdf4", 0.6: "#63b3ed", 0.9: "#4299e1", 1.0: "#3182ce"}
    for ax, title in ((flow, "bottom: C channels a pixel"), (length, "top: √(Σ x²)")):
        as_drawing(ax, title, (-0.7, 2.7), (-0.7, 1.7))
        pixels(ax, 2, 3)
    for y, row in enumerate(vectors):
        for x, (u, v) in enumerate(row):
            size = round(float(np.hypot(u, v)), 6)
            cell(length, x, y, shades[size], f"{size:g}")
            cell(flow, x, y, PALE)
            if size:
                arrow(flow, (x - u / 2.4, y - v / 2.4), (x + u / 2.4, y + v / 2.4))
    return figure


def elementwise() -> Figure:
    """Mean, NegReLU, NegSquare and ExpMax: value in, value out."""
    figure, (mean, relu, square, exp_max) = panels(4, 2.2, 8.0)
    x = np.linspace(-2, 2, 401)
    as_plot(mean, "Mean, SUBTRACT 0.5", "x")
    mean.plot(x, x, "--", color=GREY)
    mean.plot(x, x - 0.5, color=BLUE)
    as_plot(relu, "NegReLU, slope 0 and 0.3", "x")
    relu.plot(x, np.minimum(x, 0) + 0.3 * np.maximum(x, 0), "--", color=ORANGE)
    relu.plot(x, np.minimum(x, 0), color=BLUE)
    as_plot(square, "NegSquare", "x")
    square.plot(x, -(x**2), color=BLUE)
    as_plot(exp_max, "ExpMax over channels", "channel")
    values = np.array([0.4, 1.4, -0.6, 1.0])
    exp_max.bar(np.arange(4) - 0.2, values, 0.4, color=GREY, label="x")
    exp_max.bar(np.arange(4) + 0.2, np.exp(values - values.max()), 0.4, color=BLUE, label="y")
    exp_max.legend(fontsize=6.5, frameon=False)
    return figure


PICTURES = {"channel_norm": channel_norm, "elementwise": elementwise}
