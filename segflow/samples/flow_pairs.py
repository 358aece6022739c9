"""Frame pairs of flow data sets, cropped and moved so that their flow stays exact."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segflow.errors import DataError, UsageError
from segflow.readers.flow_sets import FlowPair, open_flow_set
from segflow.readers.frames import size_text
from segflow.readers.image import read_image
from segflow.samples.pictures import PictureCache
from segflow.samples.sample import Sample, SampleSpec, planar_flow
from segflow.synthesis.augment import full_view, network_frames, random_crop
from segflow.synthesis.remap import View, remap


class FlowPairs:
    """Pairs of flow sets (any layout of segflow.readers.flow_sets), at full size in memory.

    Both frames are cropped alike; frame 2 is turned, scaled and shifted a little further, which
    the flow takes into account. No mask is known: mask_weight is 0.
    fit: "crop" cuts windows about as large as the picture, "stretch" scales the whole picture to
    the size first (segflow.md 5.2) and then zooms up to 1.5; augment: False gives the stretched
    or middle part as it is; randomize: False gives the pairs in their order;
    exclude: names of pairs that are held out.
    Raises DataError where a root holds no pair.
    """

    def __init__(
        self,
        roots: Sequence[Path | str],
        spec: SampleSpec,
        cache: PictureCache | None = None,
        *,
        fit: str = "crop",
        augment: bool = True,
        randomize: bool = True,
        exclude: Sequence[str] = (),
    ):
        if fit not in ("crop", "stretch"):
            raise UsageError(f"fit {fit!r}: want 'crop' or 'stretch'")
        self.fit, self.augment, self.randomize = fit, augment, randomize
        self.spec = spec
        self.cache = cache or PictureCache(spec.size)
        self.pairs = [
            pair for root in roots for pair in open_flow_set(root).pairs if pair.name not in exclude
        ]
        if not self.pairs:
            raise DataError("FlowPairs: no folder with flow pairs was given")

    def sample(self, index: int) -> Sample:
        rng = self.spec.generator("flow", index)
        size = self.spec.size
        number = int(rng.integers(len(self.pairs))) if self.randomize else index % len(self.pairs)
        image1, image2, flow = self._read(self.pairs[number])
        view1 = self._view(rng, flow.shape[:2])
        view2 = moved_further(rng, view1) if self.augment else view1
        positions = view1.positions()
        frame1, frame2 = network_frames(
            remap(image1, *positions),
            remap(image2, *view2.positions()),
            rng if self.augment else None,
            self.spec.photometric,
            self.spec.mean,
        )
        moved = augmented_flow(flow, view1, view2, positions)
        unknown_mask = np.zeros(size, np.float32)
        return Sample(frame1, frame2, unknown_mask, unknown_mask.copy(), planar_flow(moved))

    def _view(self, rng: np.random.Generator, picture_size: tuple[int, int]) -> View:
        size = self.spec.size
        full = min(picture_size[0] / size[0], picture_size[1] / size[1])
        largest = max(1.0, full / 0.8) if self.fit == "crop" else 1.5
        crop = replace(self.spec.crop, zoom=(1.0, largest), anchor=0.0)
        if self.fit == "crop":
            if self.augment:
                return random_crop(rng, picture_size, size, crop)
            middle = ((picture_size[1] - 1) / 2, (picture_size[0] - 1) / 2)
            return View.of_crop(size, middle, full)
        whole = full_view(picture_size, size)
        return whole.after(random_crop(rng, size, size, crop)) if self.augment else whole

    def _read(self, pair: FlowPair) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        image1, image2 = (self._full(file) for file in (pair.image0_file, pair.image1_file))
        flow = self.cache.keep(("flow", pair.flow_file), pair.flow)
        for file, array in ((pair.image1_file, image2), (pair.flow_file, flow)):
            if array.shape[:2] != image1.shape[:2]:
                raise DataError(
                    f"{file}: {size_text(array)}, but {pair.image0_file.name} has "
                    f"{size_text(image1)}"
                )
        return image1, image2, flow

    def _full(self, file: Path) -> np.ndarray:
        return self.cache.keep(("full", file), lambda: np.array(read_image(file)))


def moved_further(rng: np.random.Generator, view: View) -> View:
    """The view turned by up to 3 degrees, scaled by up to 3 % and shifted by N(0, 3) pixels."""
    angle, scale = math.radians(rng.uniform(-3, 3)), 1 + rng.uniform(-0.03, 0.03)
    shift = rng.normal(0.0, 3.0, 2)
    turn = scale * np.array(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    middle = (np.array(view.size[::-1]) - 1) / 2
    linear = view.linear @ turn
    offset = view.matrix[:, 2] + view.linear @ (middle + shift - turn @ middle)
    return View(np.concatenate([linear, offset[:, None]], axis=1), view.size)


def augmented_flow(
    flow: np.ndarray, view1: View, view2: View, positions: tuple[np.ndarray, np.ndarray]
) -> np.ndarray:
    """The flow between two views of a pair: (H, W, 2) float32, output pixels.

    Output pixel x shows p = A1 x of frame 1, whose point is at p + flow(p) in frame 2, and the
    second view shows that at A2^-1 (p + flow(p)): the result is A2^-1 (p + flow(p)) - x.
    Where neighbouring flow values differ by more than a pixel (the edge of a moving thing) or
    one of them is unknown, the nearest value is taken and not a mixture.
    """
    smooth = remap(flow, *positions)
    near = remap(flow, *positions, nearest=True)
    with np.errstate(invalid="ignore"):
        close = (np.abs(smooth - near) <= 0.5).all(axis=2, keepdims=True)
    moved = np.where(close, smooth, near)
    height, width = flow.shape[:2]
    inside = (
        (positions[0] >= -0.5)
        & (positions[0] <= width - 0.5)
        & (positions[1] >= -0.5)
        & (positions[1] <= height - 0.5)
    )
    target_x, target_y = positions[0] + moved[..., 0], positions[1] + moved[..., 1]
    inverse = np.linalg.inv(view2.linear)
    offset = -inverse @ view2.matrix[:, 2]
    (a, b), (c, d) = inverse.astype(np.float32)
    out = np.empty_like(moved)
    ys, xs = np.indices(view1.size, dtype=np.float32)
    out[..., 0] = a * target_x + b * target_y + np.float32(offset[0]) - xs
    out[..., 1] = c * target_x + d * target_y + np.float32(offset[1]) - ys
    out[~inside] = np.nan
    return out
