"""Made scenes as training samples, for people without data: exact masks and flow."""

from __future__ import annotations

import numpy as np

from segflow.samples.pictures import PictureCache
from segflow.samples.sample import Sample, SampleSpec, planar_flow
from segflow.synthesis.augment import network_frames
from segflow.synthesis.remap import View, cut_view
from segflow.synthesis.scenes import random_scene
from segflow.synthesis.textures import random_texture

_TEXTURES = 96
_TEXTURE_SIZE = (300, 480)


class SceneSamples:
    """Frames t and t+1 of a scene of its own for every sample; textures are made once and cut.

    Scenes count `weight` in the mask loss.
    """

    def __init__(self, spec: SampleSpec, cache: PictureCache | None = None, weight: float = 0.5):
        self.spec = spec
        self.cache = cache or PictureCache(spec.size, 100_000_000)
        self.weight = weight

    def sample(self, index: int) -> Sample:
        rng = self.spec.generator("scenes", index)
        size = self.spec.size
        scene = random_scene(rng, size, self._texture, speed_px=size[0] / 40)
        frame1, labels = scene.frame_and_labels(0)
        flow = scene.flow(0, labels)
        frame1, frame2 = network_frames(
            frame1, scene.frame(1), rng, self.spec.photometric, self.spec.mean
        )
        mask = (labels > 0).astype(np.float32)
        weight = np.full(size, self.weight, np.float32)
        return Sample(frame1, frame2, mask, weight, planar_flow(flow))

    def _texture(self, rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
        """A part of one of the textures, in the size that is wanted."""
        number = int(rng.integers(_TEXTURES))
        made = self.cache.keep(("texture", number), lambda: self._made(number))
        scale = min(1.0, *(t / s for t, s in zip(_TEXTURE_SIZE, size, strict=True)))
        room = [t - s * scale for t, s in zip(_TEXTURE_SIZE, size, strict=True)]
        y, x = (rng.random() * r + s * scale / 2 - 0.5 for r, s in zip(room, size, strict=True))
        return cut_view(made, View.of_crop(size, (x, y), scale, mirror=bool(rng.integers(2))))

    def _made(self, number: int) -> np.ndarray:
        return random_texture(self.spec.generator("texture", number), _TEXTURE_SIZE)
