"""Pictures of Correlation, Correlation1D, FlowWarp, Warp and Grid."""

import numpy as np
from matplotlib.figure import Figure

from .canvas import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PALE,
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


def correlation() -> Figure:
    """max_displacement 4, stride_2 2: the pixel, its 25 partners, their channels."""
    figure, (a, b, top) = panels(3, 2.7)
    for ax, title in ((a, "bottom 0: A at (x, y)"), (b, "bottom 1: B at (x + dx, y + dy)")):
        as_drawing(ax, title, (-0.7, 10.7), (-0.7, 10.7))
        pixels(ax, 11, 11)
    cell(a, 5, 5, ORANGE)
    for dy in range(-4, 5, 2):
        for dx in range(-4, 5, 2):
            cell(b, 5 + dx, 5 + dy, ORANGE if dx == dy == 0 else PALE_BLUE)
    box(b, (0.5, 0.5), (9, 9), BLUE)
    arrow(b, (5, 5), (9, 3), DARK)
    as_drawing(top, "top: channel q = row · D + column", (-0.7, 4.7), (-0.7, 5.1))
    for q in range(25):
        cell(top, q % 5, q // 5, ORANGE if q == 12 else PALE_BLUE, str(q))
    box(top, (3.5, 0.5), (1, 1), DARK)
    label(top, 2, 4.85, "max_displacement 4, stride_2 2: D = 5; dx = 4, dy = −2 is q = 9", size=6.5)
    return figure


def correlation_1d() -> Figure:
    """The displacements of the three values of single_direction, max_displacement 3."""
    figure, (ax,) = panels(1, 2.0)
    as_drawing(ax, "Correlation1D, max_displacement 3, stride_2 1: dx", (-9, 5.5), (-0.8, 2.6))
    rows = ((0, range(-3, 4)), (1, range(0, 4)), (-1, range(-4, 0)))
    for row, (direction, reach) in enumerate(rows):
        label(ax, -7, row, f"single_direction {direction}")
        for dx in range(-4, 5):
            cell(ax, dx, row, PALE_BLUE if dx in reach else "white", f"{dx:+d}" if dx else "0")
            if dx in reach:
                label(ax, dx + 0.36, row + 0.33, str(dx - reach.start), BLUE, 5)
    box(ax, (-0.5, -0.5), (1, 3), ORANGE)
    return figure


def flow_warp() -> Figure:
    """Backward warping: where a pixel of the top is fetched, and the four weights."""
    figure, (flow, image, near) = panels(3, 2.6)
    as_drawing(flow, "flow at (x, y): (u, v)", (-0.6, 6.6), (-0.6, 6.6))
    pixels(flow, 7, 7)
    cell(flow, 2, 4, ORANGE)
    arrow(flow, (2, 4), (4.3, 1.6))
    as_drawing(image, "image, read at (x + u, y + v)", (-0.6, 6.6), (-0.6, 6.6))
    pixels(image, 7, 7)
    for x in (4, 5):
        for y in (1, 2):
            cell(image, x, y, PALE_BLUE)
    image.plot([4.3], [1.6], "o", color=RED, markersize=4)
    as_drawing(near, "weights, a = 0.3, b = 0.6", (-0.6, 1.6), (-0.6, 1.6))
    for x, y, text in ((0, 0, "(1−a)(1−b)"), (1, 0, "a(1−b)"), (0, 1, "(1−a)b"), (1, 1, "ab")):
        weight = (0.3 if x else 0.7) * (0.6 if y else 0.4)
        cell(near, x, y, PALE_BLUE)
        label(near, x, y + (-0.25 if y == 0 else 0.25), f"{text}\n{weight:.2f}", size=6.5)
    near.plot([0.3], [0.6], "o", color=RED, markersize=4)
    return figure


def warp() -> Figure:
    """The two meanings of Warp's second bottom."""
    figure, axes = panels(2, 2.5, 6.0)
    titles = ("RELATIVE (PWC-Net):\nbottom 1 is a flow", "ABSOLUTE (LiteFlowNet):\na position")
    for ax, title in zip(axes, titles, strict=True):
        as_drawing(ax, title, (-2.4, 7.2), (-0.9, 5.2))
        pixels(ax, 5, 7)
        cell(ax, 2, 3, PALE_ORANGE, "top")
        ax.plot([5.2], [1.3], "o", color=RED, markersize=5)
    arrow(axes[0], (2, 3), (5.2, 1.3))
    label(axes[0], 4.3, 2.75, "(3.2, −1.7)", ORANGE, 7.5)
    arrow(axes[1], (0, 0), (5.2, 1.3), BLUE)
    label(axes[1], 3.0, 0.05, "(5.2, 1.3)", BLUE, 7.5)
    axes[1].plot([0], [0], "o", color=BLUE, markersize=3)
    for ax in axes:
        label(ax, -1.4, 0, "(0, 0)", GREY, 7)
    return figure


def warp_borders() -> Figure:
    """What each kind fetches of one row of four pixels, at and beyond its ends."""
    figure, axes = panels(3, 2.1)
    row = np.array([0.6, 1.0, 0.5, 0.8])
    x = np.linspace(-1.6, 4.6, 621)

    def sample(position: np.ndarray, outside: bool) -> np.ndarray:
        left = np.floor(position).astype(int)
        part = position - left
        values = []
        for column in (left, left + 1):
            value = row[np.clip(column, 0, 3)]
            values.append(np.where((column < 0) | (column > 3), 0, value) if outside else value)
        return (1 - part) * values[0] + part * values[1]

    inside = (x >= 0) & (x <= 3)
    kinds = (
        ("FlowWarp: last pixel repeats\ninside: 0 ≤ X < W", np.where(
            (x >= 0) & (x < 4), sample(x, False), 0)),
        ("Warp RELATIVE\ninside: 0 ≤ X ≤ W − 1", np.where(inside, sample(x, False), 0)),
        ("Warp ABSOLUTE: fades out\nneighbours outside are 0", sample(x, True)),
    )  # fmt: skip
    for ax, (title, value) in zip(axes, kinds, strict=True):
        as_plot(ax, title, "X")
        ax.axvspan(-0.5, 3.5, color=PALE)
        jump = np.abs(np.diff(value, prepend=value[0])) > 0.1
        ax.plot(x, np.where(jump, np.nan, value), color=BLUE, linewidth=1.6)
        ax.plot(range(4), row, "o", color=ORANGE, markersize=4)
        ax.set_ylim(-0.05, 1.1)
        ax.set_xticks(range(-1, 5))
    return figure


def grid() -> Figure:
    figure, axes = panels(2, 1.9, 5.0)
    for ax, title in zip(axes, ("channel 0: x", "channel 1: y"), strict=True):
        as_drawing(ax, title, (-0.6, 4.6), (-0.6, 2.6))
        for y in range(3):
            for x in range(5):
                value = x if ax is axes[0] else y
                cell(ax, x, y, ("white", PALE, PALE_BLUE, "#90cdf4", "#63b3ed")[value], str(value))
    return figure


def flow_scale() -> Figure:
    """A flow of the stretched image and the same flow in pixels of the frame."""
    figure, axes = panels(2, 2.1, 6.0)
    sizes = ((6, 4, "pixels of `from` (6×4)"), (9, 5, "pixels of `to` (9×5)"))
    for ax, (width, height, title) in zip(axes, sizes, strict=True):
        as_drawing(ax, title, (-0.7, 8.7), (-0.7, 4.7))
        pixels(ax, height, width)
        u, v = 4 * width / 6, 2 * height / 4
        start = (0.5 * width / 6, 0.7 * height / 4)
        arrow(ax, start, (start[0] + u, start[1] + v))
        label(ax, start[0] + 0.9 * u, start[1] + 0.3 * v, f"({u:g}, {v:g})", GREEN)
    return figure


PICTURES = {
    "correlation": correlation,
    "correlation_1d": correlation_1d,
    "flow_warp": flow_warp,
    "warp": warp,
    "warp_borders": warp_borders,
    "grid": grid,
    "flow_scale": flow_scale,
}
