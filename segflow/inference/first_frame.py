"""Training views of one frame with its mask, for fine-tuning a network to its video.

Two kinds (lite_network.md section 1): the first two frames turned, scaled, shifted and mirrored
alike, and composites in which the object, cut out, moves over its own background, the hole behind
it painted over. The composites show the object in places where the frame does not have it, and
what is behind it: without them the network learns the frame by heart.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import cv2
import numpy as np

from segflow.errors import DataError
from segflow.inference.passes import resize
from segflow.readers.frames import size_text
from segflow.synthesis.augment import PhotometricSpec, network_frames
from segflow.synthesis.composites import Layer, bounding_box, compose, cut_out, place_object
from segflow.synthesis.fields import MotionSpec, motion_field
from segflow.synthesis.remap import View, cut_view, remap


@dataclass(frozen=True)
class ViewSpec:
    """How views are drawn.

    angle_deg: largest turn; log_scale: from and to, of the natural logarithm of the object's
    growth; shift: largest, as a share of the frame's size; composites: share of the views that
    are composites; object_share: size of the object in composites against the frame's, from and
    to; light: how light and colour change.
    """

    angle_deg: float = 10.0
    log_scale: tuple[float, float] = (-0.2, 0.25)
    shift: float = 0.08
    composites: float = 0.4
    object_share: tuple[float, float] = (0.5, 1.6)
    light: PhotometricSpec = PhotometricSpec(0.06, 0.08, 6.0, 0.02, 0.01, 1.0, 3.0)


@dataclass(frozen=True)
class TrainingView:
    """frame1, frame2: (3, h, w) float32, BGR minus mean; label: (h, w) float32, 0 to 1.

    weight: (h, w) float32, how much a pixel's label counts; None where all count 1.
    """

    frame1: np.ndarray
    frame2: np.ndarray
    label: np.ndarray
    weight: np.ndarray | None = None


def check_first_mask(frame: np.ndarray, mask: np.ndarray, name: str = "mask") -> None:
    """Raise DataError for a mask of another size than its frame, or without object."""
    if mask.ndim != 2:
        raise DataError(f"{name}: a mask is (H, W), got shape {mask.shape}")
    if mask.shape != frame.shape[:2]:
        raise DataError(f"{name}: mask of {size_text(mask)}, its frame has {size_text(frame)}")
    if not mask.any():
        raise DataError(f"{name}: the mask is empty, there is no object to follow")
    if mask.all():
        raise DataError(f"{name}: the mask covers the whole frame, there is no background")


class FirstFrame:
    """A frame, the one after it, and the mask of the first, as a source of views of `size`.

    mask: as `check_first_mask` accepts it. view(index) is a function of seed and index only.
    Raises DataError for an object that vanishes at this size.
    """

    def __init__(
        self,
        frames: Sequence[np.ndarray],
        mask: np.ndarray,
        size: tuple[int, int],
        spec: ViewSpec | None = None,
        seed: int = 1,
    ):
        self.size = size
        self.spec = spec or ViewSpec()
        self.seed = seed
        self._frames = [resize(frame, size) for frame in frames]
        self._mask = resize((mask > 0).astype(np.float32), size)
        solid = (self._mask > 0.5).astype(np.uint8)
        box = bounding_box(solid)
        if box is None:  # smaller than a pixel of the working size
            raise DataError("the object of the mask is too small to be seen at this size")
        self._picture = cut_out(self._frames[0], solid)
        self._background = paint_over(self._frames[0], solid)
        self._box_share = self._picture[..., 3].size / (size[0] * size[1])

    def view(self, index: int, kind: str = "training") -> TrainingView:
        rng = np.random.default_rng((self.seed, *kind.encode(), index))
        if rng.random() < self.spec.composites:
            return self._composite(rng)
        return self._turned(rng)

    def plain(self) -> TrainingView:
        """The frame as it is."""
        first, second = network_frames(self._frames[0], self._frames[-1])
        return TrainingView(first, second, self._mask)

    def held_back(self, count: int) -> list[TrainingView]:
        """Views that no training sees, half of them composites, drawn wider than those."""
        wide = ViewSpec(20.0, (-0.4, 0.4), 0.15, 0.0, (0.35, 2.0), self.spec.light)
        source = _copy_with(self, wide)
        turned = [source.view(i, "held back") for i in range((count + 1) // 2)]
        source = _copy_with(self, replace(wide, composites=1.0))
        return turned + [source.view(i, "held back") for i in range(count // 2)]

    def _turned(self, rng: np.random.Generator) -> TrainingView:
        view = turned(rng, self.size, self.spec)
        seen = [cut_view(frame, view) for frame in self._frames]
        first, second = network_frames(seen[0], seen[-1], rng, self.spec.light)
        return TrainingView(first, second, cut_view(self._mask, view))

    def _composite(self, rng: np.random.Generator) -> TrainingView:
        size, spec = self.size, self.spec
        angle, mirror = rng.uniform(-spec.angle_deg, spec.angle_deg), bool(rng.integers(2))
        middle = ((size[1] - 1) / 2, (size[0] - 1) / 2)
        scale = math.exp(-rng.uniform(*spec.log_scale))
        motion = MotionSpec(3.0, 0.03, ((0.7, 2.0), (0.3, 6.0)))
        background = Layer(
            self._background,
            View.of_crop(size, middle, scale, angle, mirror),
            motion_field(rng, size, motion),
        )
        low, high = (min(0.95, self._box_share * share) for share in spec.object_share)
        view = place_object(rng, self._picture, size, (low, high))
        extent = np.array([self._picture.shape[1::-1]], np.float64)
        centre = view.to_output(extent / 2)[0]
        field = motion_field(rng, size, motion, (float(centre[0]), float(centre[1])), 1.5)
        thing = Layer(self._picture, view, field + background.field.mean(axis=(0, 1)))
        pair = compose(background, [thing])
        cover = remap(thing.picture, *view.positions(thing.field), border="zero")[..., 3]
        first, second = network_frames(pair.frame1, pair.frame2, rng, spec.light)
        return TrainingView(first, second, cover.astype(np.float32) / 255)


def turned(rng: np.random.Generator, size: tuple[int, int], spec: ViewSpec) -> View:
    """A random view of a frame of `size`: turned, scaled, shifted, perhaps mirrored."""
    height, width = size
    angle = rng.uniform(-spec.angle_deg, spec.angle_deg)
    scale = math.exp(-rng.uniform(*spec.log_scale))
    shift = rng.uniform(-spec.shift, spec.shift, 2) * (width, height)
    centre = ((width - 1) / 2 + shift[0], (height - 1) / 2 + shift[1])
    return View.of_crop(size, centre, scale, angle, bool(rng.integers(2)))


def paint_over(image: np.ndarray, mask: np.ndarray) -> np.ndarray:
    """The image (H, W, 3) uint8 with what the mask (H, W) covers painted over from around it."""
    height, width = mask.shape
    reach = max(2, round(0.015 * min(height, width)))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    hole = cv2.dilate(mask, kernel)
    # At half the size it takes a quarter of the time; what is painted is smooth anyway.
    half = (max(1, width // 2), max(1, height // 2))
    small = cv2.resize(image, half, interpolation=cv2.INTER_AREA)
    small_hole = (cv2.resize(hole.astype(np.float32), half) > 0).astype(np.uint8)
    filled = cv2.inpaint(small, small_hole, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (width, height), interpolation=cv2.INTER_LINEAR)
    soft = cv2.blur(hole.astype(np.float32), (2 * (reach // 2) + 1,) * 2)[..., None]
    soft = np.maximum(soft, mask[..., None])
    return (image * (1 - soft) + filled * soft + 0.5).astype(np.uint8)


def _copy_with(source: FirstFrame, spec: ViewSpec) -> FirstFrame:
    """The same frame, its views drawn by another spec."""
    twin = object.__new__(FirstFrame)
    twin.__dict__.update(source.__dict__, spec=spec)
    return twin
