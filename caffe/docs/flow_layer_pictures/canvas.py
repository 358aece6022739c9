"""Colours, panels of pixels and the PNG file of a picture."""

import hashlib
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, Rectangle
from PIL import Image
from PIL.PngImagePlugin import PngInfo

BLUE, ORANGE, GREEN, RED = "#2b6cb0", "#dd6b20", "#2f855a", "#c53030"
DARK, GREY, PALE, PALE_BLUE, PALE_ORANGE = "#2d3748", "#a0aec0", "#edf2f7", "#bee3f8", "#feebc8"
Point = tuple[float, float]


@dataclass(frozen=True)
class Picture:
    """A picture by name; `png` is the same bytes for the same sources and matplotlib."""

    name: str
    draw: Callable[[], Figure]
    module: str

    def source_hash(self) -> str:
        """Of what the picture is drawn from; the file carries it, so that a stale one shows."""
        text = Path(__file__).read_bytes() + Path(self.module).read_bytes()
        return hashlib.sha256(text).hexdigest()

    def png(self) -> bytes:
        figure = self.draw()
        agg = FigureCanvasAgg(figure)
        agg.draw()
        image = Image.fromarray(np.asarray(agg.buffer_rgba())[..., :3].copy())
        info = PngInfo()
        info.add_text("Source", self.source_hash())
        file = io.BytesIO()
        image.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
            file, "PNG", optimize=True, pnginfo=info
        )
        return file.getvalue()


def panels(
    count: int, height: float = 2.4, width: float = 7.0, widths: Sequence[float] | None = None
) -> tuple[Figure, list[Axes]]:
    """A figure of `count` panels side by side, sizes in inches (100 pixels each)."""
    figure = Figure(figsize=(width, height), dpi=100, layout="constrained")
    axes = figure.subplots(1, count, squeeze=False, width_ratios=widths)[0]
    return figure, list(axes)


def as_drawing(ax: Axes, title: str = "", x: Point = (0, 1), y: Point = (0, 1)) -> None:
    """No axes, equal scale, y downwards as in images."""
    ax.set_xlim(*x)
    ax.set_ylim(y[1], y[0])
    ax.set_aspect("equal")
    ax.axis("off")
    ax.set_title(title, fontsize=9, color=DARK)


def as_plot(ax: Axes, title: str = "", xlabel: str = "") -> None:
    ax.set_title(title, fontsize=9, color=DARK)
    ax.set_xlabel(xlabel, fontsize=8)
    ax.tick_params(labelsize=7, length=2)
    for side in ("top", "right"):
        ax.spines[side].set_visible(False)


def cell(ax: Axes, x: float, y: float, color: str, text: str = "", size: float = 1) -> None:
    """A pixel whose centre is (x, y)."""
    corner = (x - size / 2, y - size / 2)
    ax.add_patch(Rectangle(corner, size, size, facecolor=color, edgecolor=GREY, linewidth=0.6))
    if text:
        ax.text(x, y, text, ha="center", va="center", fontsize=6.5, color=DARK)


def pixels(ax: Axes, rows: int, columns: int, left: float = 0, top: float = 0) -> None:
    """An empty map whose pixel (0, 0) has its centre at (left, top)."""
    for y in range(rows):
        for x in range(columns):
            cell(ax, left + x, top + y, "white")


def box(ax: Axes, corner: Point, size: Point, color: str = DARK, line: str = "-") -> None:
    ax.add_patch(
        Rectangle(corner, *size, fill=False, edgecolor=color, linewidth=1.4, linestyle=line)
    )


def arrow(ax: Axes, start: Point, end: Point, color: str = ORANGE, bend: float = 0) -> None:
    ax.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=9,
            color=color,
            linewidth=1.3,
            shrinkA=0,
            shrinkB=0,
            connectionstyle=f"arc3,rad={bend}",
        )
    )


def label(ax: Axes, x: float, y: float, text: str, color: str = DARK, size: float = 8) -> None:
    ax.text(x, y, text, ha="center", va="center", fontsize=size, color=color)
