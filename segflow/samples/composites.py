"""Composites as training samples: objects cut out of stills, moving over a moving background."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from segflow.readers.stills import Still
from segflow.samples.pictures import PictureCache
from segflow.samples.sample import Sample, SampleSpec, planar_flow
from segflow.samples.still_pairs import STILL_CROP
from segflow.synthesis.augment import network_frames, random_crop
from segflow.synthesis.composites import Layer, bounding_box, compose, cut_out, place_object
from segflow.synthesis.fields import motion_field

_TRIES = 4


class Composites:
    """One to three cut-outs over a background, each with its own motion (lite_network.md 3).

    stills: where objects come from; backgrounds: further pictures for backgrounds (DAVIS frames;
    half of the backgrounds where there are any). The mask is all objects; composites count
    `weight` in the mask loss. Objects that the still's edge cuts are avoided, since their
    straight sides would be learnt.
    """

    def __init__(
        self,
        stills: Sequence[Still],
        spec: SampleSpec,
        cache: PictureCache | None = None,
        *,
        backgrounds: Sequence[Path] = (),
        weight: float = 0.5,
    ):
        if not stills:
            raise ValueError("Composites: no stills to cut objects out of")
        self.spec = replace(spec, crop=replace(STILL_CROP, zoom=(1.0, 1.8), anchor=0.0))
        self.cache = cache or PictureCache(spec.size)
        self.stills = list(stills)
        self.backgrounds = list(backgrounds)
        self.weight = weight

    def sample(self, index: int) -> Sample:
        rng = self.spec.generator("composites", index)
        size = self.spec.size
        background = self._background(rng)
        mean_motion = background.field[4::8, 4::8].reshape(-1, 2).mean(axis=0)
        count = int(rng.choice((1, 2, 3), p=(0.5, 0.3, 0.2)))
        objects = [self._object(rng, mean_motion) for _ in range(count)]
        pair = compose(background, objects)
        frame1, frame2 = network_frames(
            pair.frame1, pair.frame2, rng, self.spec.photometric, self.spec.mean
        )
        mask = (pair.index1 > 0).astype(np.float32)
        weight = np.full(size, self.weight, np.float32)
        return Sample(frame1, frame2, mask, weight, planar_flow(pair.flow))

    def _background(self, rng: np.random.Generator) -> Layer:
        if self.backgrounds and rng.random() < 0.5:
            image = self.cache.image(self.backgrounds[int(rng.integers(len(self.backgrounds)))])
        else:
            image = self.cache.image(self.stills[int(rng.integers(len(self.stills)))].image_file)
        view = random_crop(rng, image.shape[:2], self.spec.size, self.spec.crop)
        return Layer(image, view, motion_field(rng, self.spec.size, self.spec.motion, gain=0.8))

    def _object(self, rng: np.random.Generator, mean_motion: np.ndarray) -> Layer:
        picture = self._cut_out(rng)
        view = place_object(rng, picture, self.spec.size)
        centre = view.to_output(np.array([[picture.shape[1] / 2, picture.shape[0] / 2]]))[0]
        field = motion_field(
            rng, self.spec.size, self.spec.motion, (float(centre[0]), float(centre[1])), 1.2
        )
        field += np.float32(0.5) * mean_motion
        return Layer(picture, view, field)

    def _cut_out(self, rng: np.random.Generator) -> np.ndarray:
        for attempt in range(_TRIES):
            still = self.stills[int(rng.integers(len(self.stills)))]
            picture = self.cache.masked(still.image_file, still.mask_file)
            if attempt == _TRIES - 1 or edge_share(picture.mask) < 0.15:
                break
        if bounding_box(picture.mask) is None:
            return np.zeros((8, 8, 4), np.uint8)
        return cut_out(picture.image, picture.mask)


def edge_share(mask: np.ndarray) -> float:
    """How much of half its box's outline an object (above 0) lies on the picture's edge; 1 for
    an empty mask."""
    box = bounding_box(mask)
    if box is None:
        return 1.0
    on_edge = sum(int((edge > 0).sum()) for edge in (mask[0], mask[-1], mask[:, 0], mask[:, -1]))
    return on_edge / (box[1] - box[0] + box[3] - box[2])
