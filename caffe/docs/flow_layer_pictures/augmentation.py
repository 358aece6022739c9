"""Pictures of DataAugmentation and its relatives."""

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Polygon, Rectangle

from .canvas import (
    BLUE,
    DARK,
    GREEN,
    GREY,
    ORANGE,
    PALE_BLUE,
    PALE_ORANGE,
    RED,
    Point,
    arrow,
    as_drawing,
    as_plot,
    label,
    panels,
)

WIDTH, HEIGHT, CROP_WIDTH, CROP_HEIGHT = 96, 64, 60, 40


def crop_map(
    angle: float = 0, dx: float = 0, dy: float = 0, zoom: float = 1, mirror: bool = False
) -> np.ndarray:
    """T as a 2x3 matrix, by the five steps that flow_layers.md lists."""
    sign = -1 if mirror else 1
    c, s = np.cos(angle), np.sin(angle)
    turn = np.array([[sign * c, -s], [sign * s, c]]) / zoom
    shift = np.array([dx * CROP_WIDTH, dy * CROP_HEIGHT]) / zoom + [WIDTH / 2, HEIGHT / 2]
    shift = shift - turn @ [CROP_WIDTH / 2, CROP_HEIGHT / 2]
    return np.column_stack([turn, shift])


def apply(matrix: np.ndarray, x: np.ndarray | float, y: np.ndarray | float) -> np.ndarray:
    return np.array([
        matrix[0, 0] * x + matrix[0, 1] * y + matrix[0, 2],
        matrix[1, 0] * x + matrix[1, 1] * y + matrix[1, 2],
    ])  # fmt: skip


def scene(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """A scene of flat colours at any position, (..., 3)."""
    image = np.empty((*x.shape, 3))
    image[...] = (0.85, 0.92, 0.98)
    image[(np.floor(x / 8) + np.floor(y / 8)) % 2 == 0] = (0.93, 0.96, 0.99)
    image[y > 46] = (0.72, 0.84, 0.70)
    image[(np.abs(x - 44) < 14) & (np.abs(y - 38) < 9)] = (0.87, 0.42, 0.13)
    image[(np.abs(x - 40) < 5) & (np.abs(y - 33) < 3)] = (1, 1, 1)
    image[(x - 74) ** 2 + (y - 14) ** 2 < 49] = (0.96, 0.80, 0.25)
    return image


def show_image(ax: Axes, title: str) -> None:
    x, y = np.meshgrid(np.arange(WIDTH), np.arange(HEIGHT))
    ax.imshow(scene(x.astype(float), y.astype(float)), interpolation="nearest")
    as_drawing(ax, title, (-1, WIDTH), (-1, HEIGHT))


def show_crop(ax: Axes, matrix: np.ndarray, title: str) -> None:
    x, y = np.meshgrid(np.arange(CROP_WIDTH), np.arange(CROP_HEIGHT))
    ax.imshow(scene(*apply(matrix, x, y)), interpolation="nearest")
    as_drawing(ax, title, (-1, CROP_WIDTH), (-1, CROP_HEIGHT))


def outline(ax: Axes, matrix: np.ndarray, color: str) -> None:
    x = np.array([0, CROP_WIDTH - 1, CROP_WIDTH - 1, 0])
    y = np.array([0, 0, CROP_HEIGHT - 1, CROP_HEIGHT - 1])
    corners = apply(matrix, x, y).T
    ax.add_patch(Polygon(corners, fill=False, edgecolor=color, linewidth=1.6))
    ax.plot(*corners[0], "o", color=color, markersize=4)


def data_augmentation() -> Figure:
    """Where two crops come from, and what they show."""
    figure, (image, turned, mirrored) = panels(3, 2.6, widths=(1.3, 1, 1))
    first = crop_map(angle=0.25, dx=0.05, zoom=1.2)
    second = crop_map(dx=0.1, dy=-0.1, zoom=1.5, mirror=True)
    show_image(image, "bottom, with two crops\n(● their pixel (0, 0))")
    outline(image, first, BLUE)
    outline(image, second, RED)
    show_crop(turned, first, "angle 0.25, zoom 1.2,\ndx 0.05")
    show_crop(mirrored, second, "mirrored, zoom 1.5,\ndx 0.1, dy −0.1")
    for ax, color in ((turned, BLUE), (mirrored, RED)):
        size = (CROP_WIDTH - 0.5, CROP_HEIGHT - 0.5)
        ax.add_patch(Rectangle((-0.7, -0.7), *size, fill=False, edgecolor=color, linewidth=2))
    return figure


def coefficients() -> Figure:
    """The 42 numbers by group, and the schedule of the spreads."""
    figure, (row, schedule) = panels(2, 2.2, 8.0, widths=(1.9, 1))
    as_drawing(row, "one item of a coefficient blob: 42 numbers", (-0.5, 42.5), (-5, 9.5))
    groups = (
        ("spatial", 0, 6, PALE_ORANGE),
        ("chromatic", 6, 12, "#c6f6d5"),
        ("eigen-chromatic", 12, 34, PALE_BLUE),
        ("effects", 34, 42, "#e2e8f0"),
    )
    for name, first, end, color in groups:
        for i in range(first, end):
            row.add_patch(Rectangle((i, 0), 1, 2.2, facecolor=color, edgecolor=GREY, linewidth=0.6))
        label(row, (first + end) / 2, -1.5, name, size=7)
        label(row, (first + end) / 2, 3.3, f"{first}–{end - 1}", GREY, 7)
    label(
        row,
        21,
        6.4,
        "stored: the value where the default is 0, its logarithm where it is 1",
        size=7,
    )
    label(row, 21, 8.4, "so adding two blobs puts one augmentation after the other", size=7)
    as_plot(schedule, "half_life 50000,\ninitial 0.5, final 1", "pass")
    t = np.linspace(0, 250000, 501)
    schedule.plot(t, 0.5 + 0.5 * (2 / (1 + np.exp(-1.0986 * t / 50000)) - 1), color=BLUE)
    schedule.plot([50000], [0.75], "o", color=ORANGE, markersize=4)
    schedule.set_ylim(0, 1.1)
    schedule.set_xticks([0, 50000, 200000], ["0", "50 000", "200 000"])
    return figure


def flow_augmentation() -> Figure:
    """A pixel of crop 0, through image 0, along the flow, back into crop 1."""
    figure, (image, first, second) = panels(3, 2.2, widths=(1.3, 1, 1))
    map0, map1 = crop_map(angle=0.2, zoom=1.15), crop_map(angle=-0.1, dx=0.06, zoom=1.25)
    p: Point = (22.0, 28.0)
    start = apply(map0, *p)
    end = start + [13, -8]
    show_image(image, "T0 p, and T0 p + F")
    outline(image, map0, BLUE)
    outline(image, map1, RED)
    arrow(image, tuple(start), tuple(end), DARK)
    turn, shift = map1[:, :2], map1[:, 2]
    target = np.linalg.solve(turn, end - shift)
    show_crop(first, map0, "crop 0: p and the top")
    show_crop(second, map1, "crop 1: T1⁻¹(T0 p + F)")
    arrow(first, p, tuple(target), GREEN)
    first.plot(*p, "o", color=BLUE, markersize=4)
    second.plot(*target, "o", color=RED, markersize=4)
    return figure


def black_augmentation() -> Figure:
    """No motion, and the three kinds of border."""
    figure, axes = panels(4, 2.0, 8.0)
    titles = ("still: both images are\nthe last, flow 0", "border: left, right",
              "border: above, below", "border: both")  # fmt: skip
    for i, (ax, title) in enumerate(zip(axes, titles, strict=True)):
        show_image(ax, title)
        if i in (1, 3):
            for left in (0, WIDTH - 14):
                ax.add_patch(Rectangle((left - 0.5, -0.5), 14, HEIGHT, color="black"))
        if i in (2, 3):
            for top in (0, HEIGHT - 9):
                ax.add_patch(Rectangle((-0.5, top - 0.5), WIDTH, 9, color="black"))
    return figure


PICTURES = {
    "data_augmentation": data_augmentation,
    "coefficients": coefficients,
    "flow_augmentation": flow_augmentation,
    "black_augmentation": black_augmentation,
}
