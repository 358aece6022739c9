"""Fine-tuning a network to one video, from the mask of its first frame (SegFlow's online stage).

The flow branch is frozen by the online net; trunk and mask decoder learn at the rates it gives.
The weights that do best on views held back from training are kept, and training ends early when
nothing is gained on them any more.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import caffe
from segflow.errors import DataError, UsageError
from segflow.inference import networks
from segflow.inference.first_frame import FirstFrame, TrainingView, ViewSpec, check_first_mask
from segflow.inference.passes import working_size

Weights = dict[str, list[np.ndarray]]


@dataclass(frozen=True)
class OnlineSpec:
    """How long and how to fine-tune.

    iterations: None takes the solver's, or, with a time budget, as many as fit.
    seconds: the time budget, everything included; None for none.
    height: shorter side of the views (a net of one fixed size takes its own).
    check_every: iterations between looks at the held-back views; patience: looks without gain
    after which training ends.
    """

    iterations: int | None = None
    seconds: float | None = None
    height: int = 320
    learning_rate: float | None = None
    check_every: int = 10
    held_back: int = 4
    patience: int = 4
    seed: int = 1
    views: ViewSpec = field(default_factory=ViewSpec)

    def __post_init__(self) -> None:
        if self.iterations is not None and self.iterations < 1:
            raise UsageError(f"online iterations: want 1 or more, got {self.iterations}")
        if self.seconds is not None and not self.seconds > 0:
            raise UsageError(f"online seconds: want more than 0, got {self.seconds:g}")


@dataclass(frozen=True)
class OnlineReport:
    """What fine-tuning did: `kept` is the iteration whose weights were kept.

    held_back_before, held_back_after: mean J on the held-back views, of the weights as given and
    as kept; loss: of the last iteration.
    """

    iterations: int
    kept: int
    seconds: float
    loss: float
    held_back_before: float
    held_back_after: float

    def as_dict(self) -> dict[str, float]:
        return asdict(self)

    def __str__(self) -> str:
        return (
            f"{self.iterations} iterations in {self.seconds:.1f} s, weights of iteration "
            f"{self.kept} kept; J on held-back views {self.held_back_before:.3f} before, "
            f"{self.held_back_after:.3f} after"
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
        self.spec = spec or OnlineSpec()
        self.weights = weights
        self._structure = networks.NetStructure(network.deploy)
        self._solver, self.solver_iterations = _new_solver(network.online_solver, self.spec)
        self._solver.net.copy_from(str(weights))
        self._learning = self._learning_layers(network.online_solver)

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
    ) -> OnlineReport:
        """Fine-tune to a frame (H, W, 3) uint8 RGB and its mask (H, W), 0 background.

        next_frame: the frame after it, whose motion against the first the flow branch sees.
        on_iteration(iteration, loss) is called after each.
        Raises DataError for a mask that does not fit, FloatingPointError that names the iteration
        where the loss is not finite.
        """
        started = time.monotonic()
        check_first_mask(frame, mask)
        size = self._structure.fixed_size or working_size(frame.shape[:2], self.spec.height)
        frames = [frame] if next_frame is None else [frame, next_frame]
        source = FirstFrame(frames, mask, size, self.spec.views, self.spec.seed)
        held_back = source.held_back(self.spec.held_back)
        best = before = self._score(held_back)
        kept, kept_weights, misses = 0, self._copy_weights(), 0
        iteration, loss, longest = 0, float("nan"), 0.0
        while not self._is_over(iteration, started, longest):
            begun = time.monotonic()
            loss = self._iterate(source.view(iteration))
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
        if kept != iteration and (score := self._score(held_back)) > best:
            best, kept = score, iteration
        elif kept != iteration:
            self._put_weights(kept_weights)
        seconds = time.monotonic() - started
        return OnlineReport(iteration, kept, seconds, loss, before, best)

    def _is_over(self, iteration: int, started: float, longest: float) -> bool:
        limit = self.spec.iterations
        if self.spec.seconds is not None:
            if time.monotonic() - started + longest > self.spec.seconds:
                return True
        elif limit is None:
            limit = self.solver_iterations
        return limit is not None and iteration >= limit

    def _iterate(self, view: TrainingView) -> float:
        self._fill(view)
        self._solver.step(1)
        weights = self.net.blob_loss_weights
        return sum(
            weight * float(self.net.blobs[name].data) for name, weight in weights.items() if weight
        )

    def _score(self, views: list[TrainingView]) -> float:
        """Mean J of the net's masks of the views."""
        scores = []
        for view in views:
            self._fill(view)
            self.net.forward()
            score = self.net.blobs["score"].data[0]
            seen = (score[0] if len(score) == 1 else score[1] - score[0]) > 0
            truth = view.label > 0.5
            union = np.count_nonzero(seen | truth)
            scores.append(np.count_nonzero(seen & truth) / union if union else 1.0)
        return float(np.mean(scores))

    def _fill(self, view: TrainingView) -> None:
        net, (height, width) = self.net, view.label.shape
        is_softmax = any(layer.type == "SoftmaxWithLoss" for layer in net.layers)
        label = (view.label > 0.5).astype(np.float32) if is_softmax else view.label
        weight = balanced_weight(label) if is_softmax else np.ones_like(label)
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
