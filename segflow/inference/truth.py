"""What is known to be right of a clip, and the scores of results against it, frame by frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segflow.errors import DataError
from segflow.flow_io import FLOW_SUFFIXES, read_flow
from segflow.inference.segmenter import FrameResult
from segflow.metrics.davis import frame_scores, scored_frames, sequence_scores
from segflow.metrics.flow import flow_scores
from segflow.readers.davis import DavisSequence
from segflow.readers.frames import size_text
from segflow.readers.image import read_mask


@dataclass(frozen=True)
class Truth:
    """Files of true masks and true flow, by the name of the frame."""

    masks: Mapping[str, Path] = field(default_factory=dict)
    flows: Mapping[str, Path] = field(default_factory=dict)

    @classmethod
    def of_sequence(cls, sequence: DavisSequence, root: Path) -> Truth:
        """The annotations of a DAVIS sequence; its flow, where there is ROOT/Flow/<sequence>."""
        masks = {
            sequence.frame_name(index): file
            for index, file in enumerate(sequence.mask_files)
            if file is not None
        }
        folder = Path(root) / "Flow" / sequence.name
        files = sorted(folder.iterdir()) if folder.is_dir() else []
        flows = {file.stem: file for file in files if file.suffix.lower() in FLOW_SUFFIXES}
        return cls(masks, flows)


class Scorer:
    """Collects the scores of a clip's results."""

    def __init__(self, truth: Truth):
        self.truth = truth
        self._j: dict[int, float] = {}
        self._f: dict[int, float] = {}
        self._epe: list[float] = []
        self._fl: list[float] = []

    def add(self, index: int, name: str, result: FrameResult) -> None:
        """Score one frame. Raises DataError where truth and result differ in size."""
        if result.mask is not None and name in self.truth.masks:
            truth = read_mask(self.truth.masks[name])
            if truth.shape != result.mask.shape:
                raise DataError(
                    f"{self.truth.masks[name]}: mask of {size_text(truth)}, its frame has "
                    f"{size_text(result.mask)}"
                )
            self._j[index], self._f[index] = frame_scores(result.mask, truth)
        if result.flow is not None and name in self.truth.flows:
            try:
                scores = flow_scores(result.flow, read_flow(self.truth.flows[name]))
            except ValueError as error:
                raise DataError(f"{self.truth.flows[name]}: {error}") from error
            self._epe.append(scores.EPE)
            self._fl.append(scores.Fl)

    def scores(self, frame_count: int) -> dict[str, Any]:
        """J and F by the rules of DAVIS (first and last frame left out), EPE and Fl; what there
        is. frame_count: of the whole clip."""
        scored = [index for index in scored_frames(frame_count) if index in self._j]
        found: dict[str, Any] = {}
        if scored:
            j, f = [self._j[i] for i in scored], [self._f[i] for i in scored]
            found.update(sequence_scores(j, f).as_dict(), scored_frames=len(scored))
        if self._epe:
            found.update(
                EPE=float(np.mean(self._epe)),
                Fl=float(np.mean(self._fl)),
                scored_flows=len(self._epe),
            )
        return found
