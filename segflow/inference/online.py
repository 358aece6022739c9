"""Fine-tuning a network to one video, from the mask of its first frame (SegFlow's online stage).

The flow branch is frozen by the online net; trunk and mask decoder learn at the rates it gives.
The weights that do best on views held back from training are kept, and training ends early when
nothing is gained on them any more. Two things keep what the network knew of the object's later
looks: later frames with its own masks as further samples (later_frames.py), and that only a part
of the way from the given weights to the tuned ones is gone (Wortsman et al., Robust fine-tuning
of zero-shot models, 2022: between the two, a network keeps most of what either can).
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

import caffe
from segflow.errors import DataError, UsageError
from segflow.inference import later_frames, networks, passes
from segflow.inference.first_frame import FirstFrame, TrainingView, ViewSpec, check_first_mask
from segflow.inference.later_frames import LaterFrames, OnlineSamples, Pair
from segflow.metrics.region import region_similarity
from segflow.synthesis.augment import network_frames

Weights = dict[str, list[np.ndarray]]

#: Frames of a clip among which fine-tuning looks for later ones: reading more takes long.
LATER_SPAN = 300


@dataclass(frozen=True)
class OnlineSpec:
    """How long and how to fine-tune.

    iterations: None takes the solver's.
    seconds: the time budget, everything included, which may end it before; None for none.
    height: shorter side of the views (a net of one fixed size takes its own).
    check_every: iterations between looks at the held-back views; patience: looks without gain
    after which training ends.
    share: how far to go from the given weights to the tuned ones, 1 all the way.
    later: so many later frames at least, twice as many at most, are watched for whether their
    object gets lost; every second iteration is then theirs. review_every: iterations between
    looks at them. Where `later` is 0 they are left alone.
    """

    iterations: int | None = None
    seconds: float | None = None
    height: int = 320
    learning_rate: float | None = None
    check_every: int = 10
    held_back: int = 4
    patience: int = 4
    share: float = 0.75
    later: int = 6
    review_every: int = 16
    seed: int = 1
    views: ViewSpec = field(default_factory=ViewSpec)

    def __post_init__(self) -> None:
        if self.iterations is not None and self.iterations < 1:
            raise UsageError(f"online iterations: want 1 or more, got {self.iterations}")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"online seconds: want more than 0, got {self.seconds:g}")
        if not 0 < self.share <= 1:
            raise UsageError(f"online share: want more than 0 and at most 1, got {self.share:g}")


@dataclass(frozen=True)
class OnlineReport:
    """What fine-tuning did: `kept` is the iteration whose weights were kept.

    held_back_before, held_back_after: mean J on the held-back views, of the weights as given and
    as kept; loss: of the last iteration; later_frames: how many of them were lost and learnt from.
    """

    iterations: int
    kept: int
    seconds: float
    loss: float
    held_back_before: float
    held_back_after: float
    later_frames: int = 0

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.iterations} iterations in {self.seconds:.1f} s, weights of iteration "
            f"{self.kept} kept; J on held-back views {self.held_back_before:.3f} before, "
            f"{self.held_back_after:.3f} after; {self.later_frames} later frames learnt from"
        )


class OnlineFineTuner:
    """The online net of a network with its solver; `tune` starts from the given weights."""

    def __init__(
        self, network: networks.NetworkFiles, weights: Path, spec: OnlineSpec | None = None
    ):
        if network.online_solver is None:
            raise DataError(
                f"{network.deploy}: no solver_online.prototxt beside it; this network cannot be "
                "fine-tuned to a first mask"
            )
        begun = time.monotonic()
        self.spec = spec or OnlineSpec()
        self.weights = weights
        self._structure = networks.NetStructure(network.deploy)
        self._solver, self.solver_iterations = _new_solver(network.online_solver, self.spec)
        self._solver.net.copy_from(str(weights))
        self._learning = self._learning_layers(network.online_solver)
        self._building_seconds = time.monotonic() - begun  # the time budget includes them

    @property
    def net(self) -> Any:
        """The online net, with the weights as they are now."""
        return self._solver.net

    def tune(
        self,
        frame: np.ndarray,
        mask: np.ndarray,
        next_frame: np.ndarray | None = None,
        on_iteration: Callable[[int, float], None] | None = None,
        later: Iterable[np.ndarray] = (),
    ) -> OnlineReport:
        """Fine-tune to a frame (H, W, 3) uint8 RGB and its mask (H, W), 0 background.

        next_frame: the frame after it, whose motion against the first the flow branch sees.
        on_iteration(iteration, loss) is called after each.
        later: frames after the first, in order, as far as they are known; read here, once, and
        not longer than a fifth of the time budget. Live, without them, the first frame must do.
        Raises DataError for a mask that does not fit, FloatingPointError that names the iteration
        where the loss is not finite.
        """
        started = time.monotonic() - self._building_seconds
        check_first_mask(frame, mask)
        size = self._structure.fixed_size or passes.working_size(frame.shape[:2], self.spec.height)
        frames = [frame] if next_frame is None else [frame, next_frame]
        source = FirstFrame(frames, mask, size, self.spec.views, self.spec.seed)
        first_similarity = region_similarity(*self._masks(source.plain()))
        samples = OnlineSamples(
            source, self._later_frames(later, source, started), first_similarity
        )
        held_back = source.held_back(self.spec.held_back)
        given = self._copy_weights()
        best = before = self._score(held_back)
        kept, kept_weights, misses = 0, given, 0
        iteration, loss, longest = 0, float("nan"), 0.0
        while not self._is_over(iteration, started, longest):
            begun = time.monotonic()
            if iteration and iteration % self.spec.review_every == 0:
                samples.review(self._similarities(samples.later, source))
            loss = self._iterate(samples.view(iteration))
            iteration += 1
            if not np.isfinite(loss):
                raise FloatingPointError(
                    f"online fine-tuning: the loss is {loss} at iteration "
                    f"{iteration}; a lower rate may help"
                )
            if on_iteration:
                on_iteration(iteration, loss)
            if iteration % self.spec.check_every == 0:
                score = self._score(held_back)
                misses = 0 if score > best else misses + 1
                if score >= best:
                    best, kept, kept_weights = score, iteration, self._copy_weights()
                if misses >= self.spec.patience:
                    break
            longest = max(longest, time.monotonic() - begun)
        if kept != iteration and self._score(held_back) > best:
            kept, kept_weights = iteration, self._copy_weights()
        self._put_weights(between(given, kept_weights, self.spec.share))
        after = self._score(held_back)
        seconds = time.monotonic() - started
        return OnlineReport(iteration, kept, seconds, loss, before, after, samples.used)

    def _later_frames(
        self, frames: Iterable[np.ndarray], source: FirstFrame, started: float
    ) -> LaterFrames:
        """Some of the frames with the masks that the network, as it is, makes of them."""
        found = LaterFrames(source.size, self.spec.views, self.spec.seed)
        if not self.spec.later:
            return found
        until = started + (self.spec.seconds or float("inf")) / 5
        small = (passes.resize(frame, source.size) for frame in later_frames.in_time(frames, until))
        for pair in later_frames.spread(later_frames.pairs_of(small), self.spec.later):
            found.add(pair, self._probability(pair, source), source.plain().label)
        return found

    def _similarities(self, later: LaterFrames, source: FirstFrame) -> list[float]:
        """J of the network's masks of later frames, as it is now and as it was given."""
        return [
            region_similarity(self._probability(pair, source) > 0.5, mask)
            for pair, mask in zip(later.pairs, later.masks, strict=True)
        ]

    def _probability(self, pair: Pair, source: FirstFrame) -> np.ndarray:
        """(h, w): of a pair at the size of the views."""
        first, second = network_frames(*pair)
        # The loss wants some label; that of the first frame has both classes.
        self._fill(replace(source.plain(), frame1=first, frame2=second))
        self.net.forward()
        score = self.net.blobs["score"].data
        return passes.probability_of(passes.logit_at_frame(score, source.size, False))

    def _masks(self, view: TrainingView) -> tuple[np.ndarray, np.ndarray]:
        """The net's mask of a view and the right one, (h, w) of booleans."""
        self._fill(view)
        self.net.forward()
        score = self.net.blobs["score"].data[0]
        seen = (score[0] if len(score) == 1 else score[1] - score[0]) > 0
        return seen, view.label > 0.5

    def _is_over(self, iteration: int, started: float, longest: float) -> bool:
        seconds = self.spec.seconds
        if seconds is not None and time.monotonic() - started + longest > seconds:
            return True
        return iteration >= (self.spec.iterations or self.solver_iterations)

    def _iterate(self, view: TrainingView) -> float:
        self._fill(view)
        self._solver.step(1)
        weights = self.net.blob_loss_weights
        return sum(
            weight * float(self.net.blobs[name].data) for name, weight in weights.items() if weight
        )

    def _score(self, views: list[TrainingView]) -> float:
        """Mean J of the net's masks of the views."""
        return float(np.mean([region_similarity(*self._masks(view)) for view in views]))

    def _fill(self, view: TrainingView) -> None:
        net, (height, width) = self.net, view.label.shape
        is_softmax = any(layer.type == "SoftmaxWithLoss" for layer in net.layers)
        label = (view.label > 0.5).astype(np.float32) if is_softmax else view.label
        weight = balanced_weight(label) if is_softmax else np.ones_like(label)
        if view.weight is not None:
            weight = weight * view.weight
        values = {"data": view.frame1, "data2": view.frame2, "label": label, "weight": weight}
        values = {name: values[name] for name in net.inputs}
        if tuple(net.blobs["data"].shape) != (1, 3, height, width):
            for name, value in values.items():
                net.blobs[name].reshape(1, value.size // (height * width), height, width)
            net.reshape()
        for name, value in values.items():
            net.blobs[name].data[...] = value

    def _learning_layers(self, solver: Path) -> list[str]:
        """Layers whose parameters change: those with a rate that is not zero."""
        layers = networks.read_net(_net_of(networks.read_solver(solver), solver)).layer
        return [
            layer.name
            for layer in layers
            if layer.name in self.net.params
            and (not layer.param or any(param.lr_mult for param in layer.param))
        ]

    def _copy_weights(self) -> Weights:
        return {
            name: [np.array(blob.data) for blob in self.net.params[name]] for name in self._learning
        }

    def _put_weights(self, weights: Weights) -> None:
        for name, arrays in weights.items():
            for blob, array in zip(self.net.params[name], arrays, strict=True):
                blob.data[...] = array


def between(given: Weights, tuned: Weights, share: float) -> Weights:
    """The weights that lie `share` of the way from the given to the tuned ones."""
    return {
        name: [
            old + np.float32(share) * (new - old)
            for old, new in zip(given[name], arrays, strict=True)
        ]
        for name, arrays in tuned.items()
    }


def balanced_weight(label: np.ndarray) -> np.ndarray:
    """(h, w) float32: each class weighs the share of the other (SegFlow's balanced loss)."""
    share = float(label.mean())
    return np.where(label > 0, 1 - share, share).astype(np.float32)


def _net_of(solver: Any, path: Path) -> Path:
    """The net that a solver file names: as it stands, from the repository, or beside the file."""
    named = Path(solver.net or solver.train_net)
    for candidate in (named, networks.ROOT / named, path.parent / named.name):
        if candidate.is_file():
            return candidate.resolve()
    raise DataError(f"{path}: its net {named} is not there")


def _new_solver(path: Path, spec: OnlineSpec) -> tuple[Any, int]:
    """The solver of a file, and its number of iterations; it writes nothing and says nothing."""
    param = networks.read_solver(path)
    with tempfile.TemporaryDirectory() as folder:
        net = _net_of(param, path)
        param.ClearField("train_net")
        param.net = str(net)
        param.display = 0
        param.snapshot = 0
        param.snapshot_prefix = str(Path(folder) / "online")
        param.random_seed = spec.seed
        if spec.learning_rate is not None:
            param.base_lr = spec.learning_rate
        file = Path(folder) / path.name
        file.write_text(str(param), encoding="utf-8")
        return caffe.get_solver(str(file)), param.max_iter
