"""Frame pairs made of layers, each with its own motion: exact masks and exact flow.

Frame 2 shows every layer at x, frame 1 at x + f(x), f the layer's own field. So the flow from
frame 1 to frame 2 at a pixel is f of the layer that is on top there in frame 1: no field has to
be inverted, and it is exact for motions that are not rigid too.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from segflow.synthesis.remap import View, remap


@dataclass(frozen=True)
class Layer:
    """A picture, how the output sees it, and how it moves.

    picture: (h, w, 3) uint8, or (h, w, 4) whose last channel is the cover (0 clear, 255 solid);
    view: output pixels -> picture pixels; field: (H, W, 2) float32 px of the output.
    """

    picture: np.ndarray
    view: View
    field: np.ndarray


@dataclass(frozen=True)
class FramePair:
    """frame1, frame2: (H, W, 3) uint8; index1: (H, W) uint8, number of the top layer in frame 1
    (0 the background); index2: the same of frame 2; flow: (H, W, 2) float32 px, frame 1 -> 2."""

    frame1: np.ndarray
    frame2: np.ndarray
    index1: np.ndarray
    index2: np.ndarray
    flow: np.ndarray


def compose(background: Layer, objects: Sequence[Layer] = ()) -> FramePair:
    """Both frames of the layers, the background below and the last object on top."""
    flow = background.field.copy()
    frame1 = remap(background.picture, *background.view.positions(background.field))
    frame2 = remap(background.picture, *background.view.positions())
    index1 = np.zeros(flow.shape[:2], np.uint8)
    index2 = np.zeros_like(index1)
    for number, layer in enumerate(objects, 1):
        reach = float(np.abs(layer.field).max())
        window = covered_window(layer.picture, layer.view, reach)
        if window is not None:
            solid = _lay_over(frame1, layer, window, layer.field)
            index1[window][solid] = number
            np.copyto(flow[window], layer.field[window], where=solid[..., None])
        window = covered_window(layer.picture, layer.view)
        if window is not None:
            index2[window][_lay_over(frame2, layer, window, None)] = number
    return FramePair(frame1, frame2, index1, index2, flow)


def covered_window(
    picture: np.ndarray, view: View, reach_px: float = 0.0
) -> tuple[slice, slice] | None:
    """The rows and columns of the output which a picture can touch, grown by reach_px.

    None where that is outside the output.
    """
    height, width = view.size
    h, w = picture.shape[:2]
    corners = np.array([(-1, -1), (w, -1), (-1, h), (w, h)], np.float64)
    points = view.to_output(corners)
    low = np.floor(points.min(0) - reach_px).astype(int)
    high = np.ceil(points.max(0) + reach_px).astype(int) + 1
    left, top = max(low[0], 0), max(low[1], 0)
    right, bottom = min(high[0], width), min(high[1], height)
    if left >= right or top >= bottom:
        return None
    return slice(top, bottom), slice(left, right)


def _lay_over(
    frame: np.ndarray, layer: Layer, window: tuple[slice, slice], field: np.ndarray | None
) -> np.ndarray:
    """Blend the layer into the frame's window; where it covers at least half (boolean)."""
    seen = remap(layer.picture, *layer.view.positions(field, window), border="zero")
    return blend(frame[window], seen)


def blend(frame: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Lay `seen` (h, w, 4) uint8 over the frame (h, w, 3) uint8, in place; where it covers at
    least half (boolean)."""
    cover = seen[..., 3:].astype(np.float32)
    cover *= np.float32(1 / 255)
    mixed = seen[..., :3].astype(np.float32)
    mixed -= frame
    mixed *= cover
    mixed += frame
    mixed += np.float32(0.5)
    frame[...] = mixed.astype(np.uint8)
    return seen[..., 3] >= 128


def cut_out(image: np.ndarray, mask: np.ndarray, margin: int = 2) -> np.ndarray:
    """The object as (h, w, 4) uint8, cut to its box plus a margin.

    image (H, W, 3) uint8, mask (H, W) with 0 as background. Raises ValueError for an empty mask.
    """
    box = bounding_box(mask)
    if box is None:
        raise ValueError("cut_out: the mask is empty, there is no object to cut out")
    top, bottom, left, right = box
    window = (
        slice(max(top - margin, 0), bottom + margin),
        slice(max(left - margin, 0), right + margin),
    )
    patch = mask[window]
    picture = np.empty((*patch.shape, 4), np.uint8)
    picture[..., :3] = image[window]
    picture[..., 3] = np.where(patch > 0, 255, 0)
    return picture


def bounding_box(mask: np.ndarray) -> tuple[int, int, int, int] | None:
    """(top, bottom, left, right) of the pixels above 0, ends exclusive; None if there is none."""
    rows = np.flatnonzero((mask > 0).any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero((mask > 0).any(axis=0))
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def place_object(
    rng: np.random.Generator,
    picture: np.ndarray,
    size: tuple[int, int],
    share: tuple[float, float] = (0.03, 0.5),
) -> View:
    """A random place, size, turn and mirroring for a cut-out.

    The box of the cut-out covers a share of the output's area that is log-uniform in `share`
    (it may hang over the edge by up to a third of its size).
    """
    height, width = size
    h, w = picture.shape[:2]
    area = math.exp(rng.uniform(math.log(share[0]), math.log(share[1]))) * height * width
    scale = math.sqrt(h * w / area)
    out_h, out_w = h / scale, w / scale
    x = _place_along(rng, width, out_w)
    y = _place_along(rng, height, out_h)
    middle = ((w - 1) / 2, (h - 1) / 2)
    angle, mirror = rng.uniform(-12, 12), bool(rng.integers(2))
    turned = View.of_crop(size, middle, scale, angle, mirror)
    offset = turned.linear @ np.array([x - (width - 1) / 2, y - (height - 1) / 2])
    matrix = turned.matrix.copy()
    matrix[:, 2] -= offset
    return View(matrix, size)


def _place_along(rng: np.random.Generator, length: int, extent: float) -> float:
    """A centre for an extent on 0..length: at most a sixth of the extent beyond either end."""
    half = extent * (1 / 2 - 1 / 6)
    low, high = min(half, length / 2), max(length - half, length / 2)
    return float(rng.uniform(low, high))
