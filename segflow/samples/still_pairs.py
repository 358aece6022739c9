"""Stills with a mask made into frame pairs: one picture, moved by a known field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segflow.errors import DataError
from segflow.readers.stills import Still, open_stills
from segflow.samples.pictures import MaskedPicture, PictureCache
from segflow.samples.sample import Sample, SampleSpec, planar_flow
from segflow.synthesis.augment import CropSpec, network_frames, random_crop
from segflow.synthesis.composites import bounding_box
from segflow.synthesis.fields import motion_field
from segflow.synthesis.remap import remap

# A still is upright as often as not: it may show its mirrored edge to show its object whole.
STILL_CROP = CropSpec(zoom=(0.85, 1.6))


class StillPairs:
    """Frame 2 is a crop, frame 1 the same crop read at x + f(x); f is the exact flow.

    roots: folders with images/ and masks/, or with such folders inside.
    Raises DataError where there is no pair.
    """

    def __init__(
        self,
        roots: Sequence[Path | str],
        spec: SampleSpec,
        cache: PictureCache | None = None,
        *,
        motion_gain: float = 0.6,
    ):
        self.spec = replace(spec, crop=replace(STILL_CROP, angle_deg=spec.crop.angle_deg))
        self.cache = cache or PictureCache(spec.size)
        self.stills = list_stills(roots)
        self.motion_gain = motion_gain

    def sample(self, index: int) -> Sample:
        rng = self.spec.generator("stills", index)
        still = self.stills[int(rng.integers(len(self.stills)))]
        picture = self.cache.masked(still.image_file, still.mask_file)
        return still_pair(rng, picture, self.spec, self.motion_gain)


def still_pair(
    rng: np.random.Generator, picture: MaskedPicture, spec: SampleSpec, motion_gain: float
) -> Sample:
    """One picture with its mask as a frame pair."""
    box = bounding_box(picture.mask)
    view = random_crop(rng, picture.mask.shape, spec.size, spec.crop, box)
    field = motion_field(rng, spec.size, spec.motion, gain=motion_gain)
    moved = view.positions(field)
    frame1, frame2 = network_frames(
        remap(picture.image, *moved),
        remap(picture.image, *view.positions()),
        rng,
        spec.photometric,
        spec.mean,
    )
    mask = remap(picture.mask, *moved, nearest=True).astype(np.float32)
    return Sample(frame1, frame2, mask, np.ones(spec.size, np.float32), planar_flow(field))


def list_stills(roots: Sequence[Path | str]) -> list[Still]:
    """All pictures with masks under the roots, set after set."""
    stills = [still for root in roots for still in open_stills(root).pairs]
    if not stills:
        raise DataError(f"{', '.join(map(str, roots)) or 'no folder'}: no stills with masks")
    return stills
