"""Frame pairs of DAVIS sequences with the mask of the first frame; the flow is not known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.readers.davis import Davis, DavisSequence
from segflow.samples.pictures import PictureCache
from segflow.samples.sample import Sample, SampleSpec, unknown_flow
from segflow.synthesis.augment import network_frames, random_crop
from segflow.synthesis.composites import bounding_box
from segflow.synthesis.remap import remap


@dataclass(frozen=True)
class DavisPair:
    """The files of one pair: a frame, a later one, and the mask of the first."""

    frame1: Path
    frame2: Path
    mask: Path


class DavisPairs:
    """Frames t and t+1 or t+2 of one sequence, the same crop of both (lite_network.md 3).

    root: a DAVIS folder; split: which list of it; sequences: only these; exclude: not these
    (held out). Raises MissingDataError for a list or a sequence that is not there.
    """

    def __init__(
        self,
        root: Path | str,
        spec: SampleSpec,
        cache: PictureCache | None = None,
        *,
        split: str = "train",
        sequences: Sequence[str] | None = None,
        exclude: Sequence[str] = (),
        offsets: Sequence[int] = (1, 2),
    ):
        self.spec = spec
        self.cache = cache or PictureCache(spec.size)
        self.sequences = chosen_sequences(root, split, sequences, exclude)
        self.choices = [
            choices
            for sequence in self.sequences
            for t in range(len(sequence))
            if (choices := _pairs_from(sequence, t, offsets))
        ]
        if not self.choices:
            raise DataError(f"{root}: no sequence of split {split!r} has two frames and a mask")

    @property
    def frame_files(self) -> list[Path]:
        """All frames of the sequences."""
        return [file for sequence in self.sequences for file in sequence.frame_files]

    def sample(self, index: int) -> Sample:
        rng = self.spec.generator("davis", index)
        choices = self.choices[int(rng.integers(len(self.choices)))]
        pair = choices[int(rng.integers(len(choices)))]
        first = self.cache.masked(pair.frame1, pair.mask)
        second = self.cache.image(pair.frame2)
        size = self.spec.size
        box = bounding_box(first.mask)
        view = random_crop(rng, first.mask.shape, size, self.spec.crop, box)
        positions = view.positions()
        frame1, frame2 = network_frames(
            remap(first.image, *positions),
            remap(second, *positions),
            rng,
            self.spec.photometric,
            self.spec.mean,
        )
        mask = remap(first.mask, *positions, nearest=True).astype(np.float32)
        return Sample(frame1, frame2, mask, np.ones(size, np.float32), unknown_flow(size))


def chosen_sequences(
    root: Path | str, split: str, wanted: Sequence[str] | None, exclude: Sequence[str]
) -> list[DavisSequence]:
    """The sequences of a split that are there and wanted, in the list's order."""
    found = {sequence.name: sequence for sequence in Davis(root).split(split).sequences}
    for name in [*(wanted or ()), *exclude]:
        if name not in found:
            raise MissingDataError(
                f"{root}: no sequence {name!r} in split {split!r}; here are {', '.join(found)}"
            )
    names = [name for name in found if wanted is None or name in wanted]
    return [found[name] for name in names if name not in exclude]


def _pairs_from(sequence: DavisSequence, t: int, offsets: Sequence[int]) -> list[DavisPair]:
    mask = sequence.mask_files[t]
    later = [t + offset for offset in offsets if t + offset < len(sequence)]
    frames = sequence.frame_files
    return [] if mask is None else [DavisPair(frames[t], frames[u], mask) for u in later]
