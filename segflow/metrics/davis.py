"""The statistics of the DAVIS 2016 benchmark: mean, recall and decay of J and F."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np

from segflow.metrics.boundary import boundary_accuracy
from segflow.metrics.region import region_similarity

RECALL_ABOVE = 0.5
DECAY_PARTS = 4


@dataclass(frozen=True)
class DavisScores:
    """J and F of one sequence, or their average over sequences; all as shares of 1."""

    J_mean: float
    J_recall: float
    J_decay: float
    F_mean: float
    F_recall: float
    F_decay: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


def scored_frames(frame_count: int) -> range:
    """Indices of the frames that the benchmark scores: all but the first and the last."""
    return range(1, frame_count - 1)


def frame_scores(mask: np.ndarray, truth: np.ndarray) -> tuple[float, float]:
    """J and F of one frame."""
    return region_similarity(mask, truth), boundary_accuracy(mask, truth)


def sequence_scores(j: Sequence[float], f: Sequence[float]) -> DavisScores:
    """Mean, recall and decay over the scored frames of a sequence, given J and F of each."""
    return DavisScores(*statistics(j), *statistics(f))


def statistics(values: Sequence[float]) -> tuple[float, float, float]:
    """Mean, recall (share above 0.5) and decay (mean of the first quarter less that of the last).

    The quarters share their border frames: marks round(linspace(1, n, 5)), both ends included.
    """
    array = np.asarray(values, np.float64)
    if array.size == 0:
        raise ValueError(
            "no frame to score: a sequence needs three, its first and last do not count"
        )
    marks = np.round(np.linspace(1, array.size, DECAY_PARTS + 1) + 1e-10).astype(int) - 1
    first = array[marks[0] : marks[1] + 1]
    last = array[marks[-2] : marks[-1] + 1]
    decay = first.mean() - last.mean()
    return float(array.mean()), float((array > RECALL_ABOVE).mean()), float(decay)


def overall_scores(scores: Iterable[DavisScores]) -> DavisScores:
    """Plain average of the figures of sequences, however long each is."""
    rows = list(scores)
    if not rows:
        raise ValueError("no sequence to average")
    return DavisScores(
        *(
            float(np.mean([getattr(row, field.name) for row in rows]))
            for field in fields(DavisScores)
        )
    )
