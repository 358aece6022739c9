"""One training sample, a batch of them, and what every source of samples is told and offers."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Protocol

import numpy as np

from segflow.errors import DataError
from segflow.synthesis.augment import MEAN_BGR, CropSpec, PhotometricSpec
from segflow.synthesis.fields import MotionSpec


@dataclass(frozen=True)
class Sample:
    """One frame pair with what is known about frame 1.

    frame1, frame2: (3, H, W) float32, BGR minus mean; mask: (H, W) float32, 0 or 1;
    mask_weight: (H, W) float32, what a pixel counts in the mask loss (0: mask not known);
    flow: (2, H, W) float32, pixels from frame 1 to frame 2, NaN where not known.
    """

    frame1: np.ndarray
    frame2: np.ndarray
    mask: np.ndarray
    mask_weight: np.ndarray
    flow: np.ndarray


@dataclass(frozen=True)
class Batch:
    """N samples as blobs: frames (N, 3, H, W), mask and mask_weight (N, 1, H, W),
    flow (N, 2, H, W), all float32 as in Sample."""

    frame1: np.ndarray
    frame2: np.ndarray
    mask: np.ndarray
    mask_weight: np.ndarray
    flow: np.ndarray


@dataclass(frozen=True)
class SampleSpec:
    """What all sources of one training share: size (H, W), seed, and how samples are varied."""

    size: tuple[int, int] = (192, 320)
    seed: int = 0
    crop: CropSpec = field(default_factory=CropSpec)
    photometric: PhotometricSpec = field(default_factory=PhotometricSpec)
    motion: MotionSpec = field(default_factory=MotionSpec)
    mean: tuple[float, float, float] = MEAN_BGR

    def __post_init__(self) -> None:
        if len(self.size) != 2 or min(self.size) < 8:
            raise DataError(f"size {self.size!r}: want (height, width) of 8 pixels and more")
        if len(self.mean) != 3:
            raise DataError(f"mean: want the three values of B, G and R, got {self.mean!r}")
        if self.seed < 0:
            raise DataError(f"seed {self.seed}: want 0 or more")

    def generator(self, kind: str, index: int) -> np.random.Generator:
        """The random numbers of sample `index` of a kind of source: of (seed, index) only."""
        return np.random.default_rng((self.seed, zlib.crc32(kind.encode()), index))


class SampleSource(Protocol):
    """Anything that makes samples. sample(index) is a function of the seed and the index only,
    for every index >= 0, and may be called by several threads at once."""

    def sample(self, index: int) -> Sample: ...


def unknown_flow(size: tuple[int, int]) -> np.ndarray:
    """A flow of which nothing is known: (2, H, W) float32, NaN."""
    return np.full((2, *size), np.nan, np.float32)


def planar_flow(flow: np.ndarray) -> np.ndarray:
    """A flow image (H, W, 2) as planes (2, H, W) float32."""
    return np.ascontiguousarray(flow.transpose(2, 0, 1), dtype=np.float32)


def collate(samples: Sequence[Sample]) -> Batch:
    """Samples of one size as a batch. Raises ValueError where the sizes differ."""
    sizes = {sample.mask.shape for sample in samples}
    if len(sizes) != 1:
        raise ValueError(f"collate: samples of one size are needed, got {sorted(sizes)}")
    stacked = {
        name.name: np.stack([getattr(sample, name.name) for sample in samples])
        for name in fields(Sample)
    }
    for name in ("mask", "mask_weight"):
        stacked[name] = stacked[name][:, None]
    return Batch(**stacked)


@dataclass(frozen=True)
class BatchSource:
    """Batches of a source: batch b holds the samples b * size ... b * size + size - 1."""

    source: SampleSource
    size: int

    def __post_init__(self) -> None:
        if self.size < 1:
            raise DataError(f"batch size {self.size}: want 1 or more")

    def batch(self, index: int) -> Batch:
        start = index * self.size
        return collate([self.source.sample(start + k) for k in range(self.size)])
