"""Pictures of Resample, Downsample, Accum and Pad."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .canvas import (
    BLUE,
    DARK,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_ORANGE,
    RED,
    arrow,
    as_drawing,
    as_plot,
    box,
    cell,
    label,
    panels,
    pixels,
)


def linear(d: np.ndarray) -> np.ndarray:
    return np.maximum(0, 1 - np.abs(d))


def cubic(d: np.ndarray) -> np.ndarray:
    d = np.abs(d)
    near = 1.5 * d**3 - 2.5 * d**2 + 1
    far = -0.5 * d**3 + 2.5 * d**2 - 4 * d + 2
    return np.where(d <= 1, near, np.where(d < 2, far, 0))


def resample() -> Figure:
    """Where outputs lie between inputs, and how wide the kernel is when an image shrinks."""
    figure, (where, kernels) = panels(2, 2.4, widths=(1, 1.2))
    as_drawing(where, "half-pixel mapping: 6 pixels to 4", (-0.8, 5.8), (-1.0, 2.4))
    for x in range(6):
        cell(where, x, 0, PALE_BLUE, str(x))
    for o in range(4):
        position = (o + 0.5) * 6 / 4 - 0.5
        corner = (position - 0.75, 1.1)  # an output is as wide as 1.5 inputs
        where.add_patch(Rectangle(corner, 1.5, 0.9, facecolor=PALE_ORANGE, edgecolor=GREY))
        label(where, position, 1.55, str(o))
        arrow(where, (position, 1.1), (position, 0.35), DARK)
    x = np.linspace(-7, 7, 701)
    as_plot(kernels, "weights, 12 pixels to 4 (scale 3)", "p − X, input pixels")
    kernels.plot(x, linear(x / 3), color=BLUE, label="LINEAR, antialias")
    kernels.plot(x, cubic(x / 3), color=ORANGE, label="CUBIC, antialias")
    kernels.plot(x, linear(x), color=GREY, linestyle="--", label="LINEAR, antialias: false")
    samples = np.arange(-6, 7)
    kernels.plot(samples, linear(samples / 3), "o", color=BLUE, markersize=3)
    kernels.legend(fontsize=6, frameon=False, loc="upper right", bbox_to_anchor=(1.04, 1.04))
    kernels.set_ylim(-0.15, 1.5)
    return figure


def downsample() -> Figure:
    """Nine pixels, some unknown, to three: the tents, and which outputs are known."""
    figure, (ax,) = panels(1, 2.3)
    as_drawing(ax, "9 pixels (× unknown) to 3", (-2.2, 10.2), (-2.3, 2.6))
    unknown = {2, 3, 4, 5}
    x = np.arange(9)
    for p in range(9):
        cell(ax, p, 0, "white" if p in unknown else PALE_BLUE, "×" if p in unknown else str(p))
    for o in range(3):
        position = o * 8 / 2
        tent = np.linspace(max(position - 4, 0), min(position + 4, 8), 81)
        ax.plot(tent, -0.6 - 1.4 * np.maximum(0, 1 - np.abs(tent - position) / 4), color=BLUE)
        weight = np.maximum(0, 1 - np.abs(x - position) / 4)
        nan = sum(weight[p] for p in unknown)
        share = nan / (weight.sum() - nan)
        ok = share <= 0.5
        cell(ax, position, 1.3, PALE_ORANGE if ok else "white", "" if ok else "NaN")
        arrow(ax, (position, 0.5), (position, 0.8), DARK)
        label(ax, position, 2.2, f"unknown / known = {share:.2f}", DARK if ok else RED, 7)
    return figure


def accum() -> Figure:
    """Three maps of different sizes become one with all their channels."""
    figure, (ax,) = panels(1, 2.2)
    as_drawing(ax, "", (-0.5, 17.5), (-0.6, 5.2))
    colors = (PALE_BLUE, PALE_ORANGE, "#c6f6d5")
    left = 0.0
    for (rows, columns), color, count in zip(((2, 2), (3, 4), (4, 2)), colors, (2, 1, 1),
                                             strict=True):  # fmt: skip
        for c in range(count):
            for y in range(rows):
                for x in range(columns):
                    cell(ax, left + 0.4 * c + 0.6 * x, 0.6 + 0.4 * c + 0.6 * y, color, size=0.6)
        label(ax, left + 0.3 * columns, 4.4, f"{rows}×{columns}, C = {count}", size=7)
        left += 0.6 * columns + 1.6
    arrow(ax, (left - 0.7, 2), (left + 0.8, 2), DARK)
    for c, color in enumerate((colors[0], *colors)):
        for y in range(4):
            for x in range(4):
                cell(ax, left + 1.6 + 0.45 * c + 0.6 * x, 0.2 + 0.45 * c + 0.6 * y, color, size=0.6)
    label(ax, left + 3.2, 4.4, "4×4, C = 4", size=7)
    return figure


def pad() -> Figure:
    figure, axes = panels(2, 2.2, 5.0)
    for ax, title in zip(axes, ("EDGE", "CONSTANT, value 0"), strict=True):
        as_drawing(ax, f"{title}, multiple_of 4", (-0.7, 7.7), (-0.7, 3.7))
        pixels(ax, 4, 8)
        for y in range(4):
            for x in range(8):
                inside = y < 3 and x < 6
                value = str(10 * min(y, 2) + min(x, 5)) if inside or ax is axes[0] else "0"
                cell(ax, x, y, PALE_BLUE if inside else PALE_ORANGE, value)
        box(ax, (-0.5, -0.5), (6, 3), DARK)
    return figure


PICTURES = {
    "resample": resample,
    "downsample": downsample,
    "accum": accum,
    "pad": pad,
}
