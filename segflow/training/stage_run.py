"""One stage at work: its solver, an iteration at a time, snapshots and averaged weights."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segflow.errors import SegflowError
from segflow.inference.networks import read_net
from segflow.training.progress import IterationReport
from segflow.training.recipe import Stage
from segflow.training.stage_files import StageFiles
from segflow.training.start_weights import not_finite, shortened

if TYPE_CHECKING:
    from caffe import Processes


class TrainingError(SegflowError, RuntimeError):
    """A training cannot go on: a loss or a weight is not a number."""


class StageRun:
    """Solver and net of a stage, built from its files.

    processes: those that train together; each makes the same calls.
    """

    def __init__(self, stage: Stage, files: StageFiles, processes: Processes | None = None):
        import caffe

        self.processes = processes or caffe.Processes()
        self.stage = stage
        self.files = files
        self.definition = read_net(files.net)
        self.solver: Any = caffe.get_solver(str(files.solver))
        self._loss_weights = {n: w for n, w in self.net.blob_loss_weights.items() if w}
        self._last_snapshot: Path | None = None

    @property
    def net(self) -> Any:
        return self.solver.net

    @property
    def iteration(self) -> int:
        """Iterations done."""
        return self.solver.iter

    def restore(self, state_file: Path) -> None:
        self.solver.restore(str(state_file))
        self._last_snapshot = state_file

    def step(self) -> tuple[IterationReport, dict[str, float]]:
        """One iteration; its report, and every scalar that the net puts out.

        Raises TrainingError where a loss is not finite; KeyboardInterrupt at a second Ctrl-C.
        """
        waited, start = self._waited_seconds(), time.monotonic()
        rate = float(self.solver.lr)
        try:
            self.solver.step(1)
        except RuntimeError as error:
            if any(not np.isfinite(value) for value in self._outputs().values()):
                raise TrainingError(self._told_of(error)) from error
            raise
        seconds = time.monotonic() - start
        outputs = self._mean_outputs()
        mask, flow = self._branch_losses(outputs)
        report = IterationReport(
            self.stage,
            self.iteration,
            sum(loss for loss in (mask, flow) if loss is not None),
            mask,
            flow,
            rate,
            seconds,
            self._waited_seconds() - waited,
        )
        return report, outputs

    def _outputs(self) -> dict[str, float]:
        """Losses and other single values that nothing consumes, unweighted."""
        names = [*self._loss_weights, *self.net.outputs]
        blobs = {name: self.net.blobs[name] for name in dict.fromkeys(names)}
        return {name: float(b.data.reshape(-1)[0]) for name, b in blobs.items() if b.count == 1}

    def _mean_outputs(self) -> dict[str, float]:
        """The outputs' means over the processes."""
        outputs = self._outputs()
        if self.processes.size == 1:
            return outputs
        sums = self.processes.sum(list(outputs.values()))
        return {n: value / self.processes.size for n, value in zip(outputs, sums, strict=True)}

    def _branch_losses(self, outputs: dict[str, float]) -> tuple[float | None, float | None]:
        """Weighted losses of the mask and the flow branch, None for a branch without."""
        sums: dict[str, float] = {}
        for name, weight in self._loss_weights.items():
            branch = self.stage.kind
            if branch == "joint":
                branch = "flow" if "flow" in name else "segmentation"
            sums[branch] = sums.get(branch, 0.0) + weight * outputs.get(name, 0.0)
        return sums.get("segmentation"), sums.get("flow")

    def _waited_seconds(self) -> float:
        return sum(getattr(layer, "waited_seconds", 0.0) for layer in self.net.layers)

    def _told_of(self, error: Exception) -> str:
        last = self._last_snapshot
        where = f"the last finite snapshot is {last}" if last else "there is no snapshot yet"
        states = [layer.get_state() for layer in self.net.layers if hasattr(layer, "get_state")]
        batches = [
            f"item {state['next'] - 1} of {state.get('identity')}"
            for state in states
            if isinstance(state, dict) and "next" in state
        ]
        batch = f"; its batch: {', '.join(batches)}" if batches else ""
        return f"{self.stage.title}: {error}{batch}; {where}"

    def snapshot(self) -> Path:
        """Write weights and solver state (rank 0 does); raises TrainingError where a weight is
        not finite."""
        if broken := not_finite(self.net):
            raise TrainingError(
                f"{self.stage.title}, iteration {self.iteration}: the weights of "
                f"{shortened(broken)} are not finite; the last finite snapshot is "
                f"{self._last_snapshot}"
            )
        self.solver.snapshot()
        prefix = self.files.snapshot_prefix
        self._last_snapshot = prefix.with_name(f"{prefix.name}_iter_{self.iteration}.solverstate")
        return self._last_snapshot

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """The net holds the averaged weights inside, where the solver keeps an average."""
        if not self.solver.has_average:
            yield
            return
        self.solver.exchange_average()
        try:
            yield
        finally:
            self.solver.exchange_average()
