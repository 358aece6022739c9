"""Held-out frame pairs and what a network makes of them: J of masks, end-point error of flow."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segflow.errors import MissingDataError
from segflow.inference.networks import NetStructure
from segflow.inference.passes import (
    flow_at_frame,
    frame_planes,
    logit_at_frame,
    probability_of,
    working_size,
)
from segflow.metrics.flow import end_point_error
from segflow.metrics.region import region_similarity
from segflow.readers.davis import Davis
from segflow.readers.flow_sets import FlowPair, open_flow_set
from segflow.readers.image import read_image, read_mask
from segflow.samples.sample import SampleSpec
from segflow.samples.scene_samples import SceneSamples
from segflow.synthesis.augment import MEAN_BGR, NO_PHOTOMETRY

_SCENE_SEED = 424242  # far from the seeds of training


@dataclass(frozen=True)
class Truth:
    """image1, image2: (H, W, 3) uint8 RGB; mask: (H, W) uint8 or None; flow: (H, W, 2) or None."""

    image1: np.ndarray
    image2: np.ndarray
    mask: np.ndarray | None
    flow: np.ndarray | None


@dataclass(frozen=True)
class HeldOutPair:
    """group: the sequence or set that scores are averaged in first."""

    group: str
    name: str
    load: Callable[[], Truth]


@dataclass(frozen=True)
class Prediction:
    """probability: (H, W) float32 of the object; flow: (H, W, 2) float32, pixels; None where the
    network has no such branch. Both have the frame's size."""

    probability: np.ndarray | None
    flow: np.ndarray | None


class NetPass:
    """Passes of a deploy net over frame pairs of any size; the published net is run at its own."""

    def __init__(self, net: Any, structure: NetStructure):
        self.net = net
        self.fixed_size = structure.fixed_size
        self._has_mask = structure.mask_blob is not None
        self._flow_blob = next(iter(structure.flow_blobs), None)
        self._frame_blobs, self._mean_bgr = structure.frame_blobs, structure.mean_bgr

    def predict(self, image1: np.ndarray, image2: np.ndarray, height: int | None) -> Prediction:
        """height: shorter side of the frames as the net sees them; None leaves them as they are."""
        size = (image1.shape[0], image1.shape[1])
        seen = self.fixed_size or size
        if self.fixed_size is None and height is not None and height < min(size):
            seen = working_size(size, height)
        for name, image in zip(self._frame_blobs, (image1, image2), strict=True):
            planes = frame_planes(image, seen, mean_bgr=self._mean_bgr)
            blob = self.net.blobs[name]
            if tuple(blob.shape) != planes.shape:
                blob.reshape(*planes.shape)
            blob.data[...] = planes
        self.net.forward()
        probability = flow = None
        if self._has_mask:
            logit = logit_at_frame(self.net.blobs["score"].data, size, mirrored=False)
            probability = probability_of(logit)
        if self._flow_blob:
            flow = flow_at_frame(self.net.blobs[self._flow_blob].data, size, mirrored=False)
        return Prediction(probability, flow)


@dataclass(frozen=True)
class Scores:
    """J: mean over groups; EPE, EPE_zero (that of no motion): mean over pairs, pixels; None where
    nothing tells. J_of, EPE_of: by group."""

    J: float | None = None
    EPE: float | None = None
    EPE_zero: float | None = None
    J_of: dict[str, float] = field(default_factory=dict)
    EPE_of: dict[str, float] = field(default_factory=dict)
    pairs: int = 0
    seconds: float = 0.0

    def text(self) -> str:
        parts = []
        if self.J is not None:
            parts.append(f"J {self.J:.3f}")
        if self.EPE is not None:
            parts.append(f"EPE {self.EPE:.2f} px (no motion {self.EPE_zero:.2f})")
        return ", ".join(parts) or "no score"


@dataclass(frozen=True)
class HeldOut:
    """Pairs that are never trained on, and the height at which masks are judged."""

    pairs: Sequence[HeldOutPair]
    mask_height: int
    description: str

    def score(self, passes: NetPass, stop: Callable[[], bool] = lambda: False) -> Scores | None:
        """Scores of all pairs; None where `stop` asked to."""
        start = time.monotonic()
        j_of: dict[str, list[float]] = {}
        epe_of: dict[str, list[float]] = {}
        zero: list[float] = []
        for pair in self.pairs:
            if stop():
                return None
            truth = pair.load()
            height = None if truth.mask is None else self.mask_height
            found = passes.predict(truth.image1, truth.image2, height)
            if truth.mask is not None and found.probability is not None:
                j = region_similarity((found.probability > 0.5).astype(np.uint8), truth.mask)
                j_of.setdefault(pair.group, []).append(j)
            if truth.flow is not None and found.flow is not None:
                error = np.nanmean(end_point_error(found.flow, truth.flow))
                epe_of.setdefault(pair.group, []).append(float(error))
                still = np.nanmean(end_point_error(np.zeros_like(truth.flow), truth.flow))
                zero.append(float(still))
        errors = [value for values in epe_of.values() for value in values]
        j_means = {group: float(np.mean(values)) for group, values in j_of.items()}
        return Scores(
            J=float(np.mean(list(j_means.values()))) if j_means else None,
            EPE=float(np.mean(errors)) if errors else None,
            EPE_zero=float(np.mean(zero)) if zero else None,
            J_of=j_means,
            EPE_of={group: float(np.mean(values)) for group, values in epe_of.items()},
            pairs=len(self.pairs),
            seconds=time.monotonic() - start,
        )


@dataclass(frozen=True)
class EvalChoice:
    """What is held out. sequences: NAME[,NAME...], "val" or "all" of the DAVIS folder; stride:
    every how many frames; without any data, `scenes` made pairs of `size`."""

    davis: str | None = None
    sequences: str = "val"
    stride: int = 12
    flow: tuple[str, ...] = ()
    only_flow: tuple[str, ...] | None = None
    height: int = 320
    scenes: int = 8
    size: tuple[int, int] = (192, 320)


def open_held_out(choice: EvalChoice) -> HeldOut:
    """Raises MissingDataError for data that is not there."""
    pairs = [*_davis_pairs(choice), *_flow_pairs(choice)]
    if pairs:
        groups = list(dict.fromkeys(pair.group for pair in pairs))
        return HeldOut(pairs, choice.height, f"{len(pairs)} pairs of {', '.join(groups)}")
    size = f"{choice.size[0]}x{choice.size[1]}"
    return HeldOut(_scenes(choice), choice.height, f"{choice.scenes} made scenes of {size}")


def _davis_pairs(choice: EvalChoice) -> list[HeldOutPair]:
    if not choice.davis:
        return []
    davis = Davis(choice.davis)
    pairs = []
    for name in davis.chosen_names(choice.sequences):
        try:
            sequence = davis.sequence(name)
        except MissingDataError:
            if name in choice.sequences.split(","):
                raise
            continue  # a list of the whole set, of which a part is here
        for t in range(0, len(sequence), max(1, choice.stride)):
            mask = sequence.mask_files[t]
            if mask is not None:
                after = min(t + 1, len(sequence) - 1)
                files = (sequence.frame_files[t], sequence.frame_files[after], mask)
                pairs.append(HeldOutPair(name, f"{name}/{t:05d}", _DavisTruth(*files)))
    return pairs


@dataclass(frozen=True)
class _DavisTruth:
    frame1: Path
    frame2: Path
    mask: Path

    def __call__(self) -> Truth:
        image1, image2 = read_image(self.frame1), read_image(self.frame2)
        return Truth(image1, image2, read_mask(self.mask), None)


def _flow_pairs(choice: EvalChoice) -> list[HeldOutPair]:
    found = []
    for root in choice.flow:
        for pair in open_flow_set(root).pairs:
            if choice.only_flow is not None and pair.name not in choice.only_flow:
                continue
            group = pair.name.rpartition("/")[0] or Path(root).name
            found.append(HeldOutPair(group, pair.name, _FlowTruth(pair)))
    return found


@dataclass(frozen=True)
class _FlowTruth:
    pair: FlowPair

    def __call__(self) -> Truth:
        image1, image2 = self.pair.images()
        return Truth(image1, image2, None, self.pair.flow())


def _scenes(choice: EvalChoice) -> list[HeldOutPair]:
    samples = SceneSamples(SampleSpec(choice.size, _SCENE_SEED, photometric=NO_PHOTOMETRY))
    return [
        HeldOutPair("scenes", f"scene {index}", _SceneTruth(samples, index))
        for index in range(choice.scenes)
    ]


@dataclass(frozen=True)
class _SceneTruth:
    samples: SceneSamples
    index: int

    def __call__(self) -> Truth:
        sample = self.samples.sample(self.index)
        image1, image2 = _picture(sample.frame1), _picture(sample.frame2)
        return Truth(image1, image2, sample.mask.astype(np.uint8), sample.flow.transpose(1, 2, 0))


def _picture(planes: np.ndarray) -> np.ndarray:
    """Planes (3, H, W) of BGR minus mean as (H, W, 3) uint8 RGB."""
    bgr = planes + np.array(MEAN_BGR, np.float32)[:, None, None]
    return np.ascontiguousarray(
        np.clip(np.rint(bgr), 0, 255).astype(np.uint8)[::-1].transpose(1, 2, 0)
    )


def open_pass(net_file: Path) -> NetPass:
    """The deploy net of a file, in the TEST phase, sharing buffers; weights come later."""
    import caffe

    structure = NetStructure(net_file)
    net = caffe.Net(str(net_file), caffe.TEST, keep=structure.result_blobs)
    return NetPass(net, structure)
