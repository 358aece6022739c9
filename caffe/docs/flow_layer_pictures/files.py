"""Picture of the files that the writers and readers share."""

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from .canvas import BLUE, DARK, GREY, PALE, PALE_BLUE, PALE_ORANGE, as_drawing, label, panels

FORMATS = (
    ("FLOWriter  .flo", ("PIEH", "W int32", "H int32", "u v u v …\nfloat32, first row first")),
    ("FloatWriter  .float3", ("float\\n3\\n", "W\\nH\\nC\\n", "float32,\nchannel by channel")),
    ("PFMWriter  .pfm", ("PF\\n or Pf\\n", "W H\\n", "1.0\\n", "−x, big endian,\nlast row first")),
    ("ImgWriter  .ppm, .pgm", ("P6 or P5", "W H\\n255\\n", "bytes R G B R G B …\nor one a pixel")),
)


def files() -> Figure:
    """The bytes of each format in their order."""
    figure, (ax,) = panels(1, 2.6, 8.0)
    as_drawing(ax, "", (0, 100), (0, 31))
    for row, (name, parts) in enumerate(FORMATS):
        y = 1 + 7.6 * row
        ax.text(0, y + 3, name, va="center", fontsize=8, color=BLUE)
        left = 27.0
        for i, part in enumerate(parts):
            last = i == len(parts) - 1
            width = 100 - left if last else 14.0
            color = PALE_BLUE if last else PALE_ORANGE if i == 0 else PALE
            ax.add_patch(Rectangle((left, y), width, 6, facecolor=color, edgecolor=GREY))
            label(ax, left + width / 2, y + 3, part, DARK, 7)
            left += width
    return figure


PICTURES = {"files": files}
