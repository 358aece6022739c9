"""The whole training: stage after stage, evaluations, snapshots, and going on after a stop."""

from __future__ import annotations

import math
import shutil
import time
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from segflow.training.held_out import HeldOut, Scores, open_pass
from segflow.training.metrics_log import MetricsLog
from segflow.training.networks import NetFolder
from segflow.training.pictures import draw_curves, draw_predictions
from segflow.training.progress import Display, IterationReport, clock, memory_mb
from segflow.training.recipe import Stage, make_plan
from segflow.training.stage_files import let_layers_be_found, stage_files, write_stage_files
from segflow.training.stage_run import StageRun
from segflow.training.start_weights import load_weights, upsampling_surgery, what_learns
from segflow.training.state import TrainingState, prune_snapshots
from segflow.training.stopping import StopRequests

if TYPE_CHECKING:
    from caffe import Processes

METRICS_FILE = "metrics.jsonl"
CURVES_FILE = "curves.png"
KEPT_SNAPSHOTS = 2


@dataclass(frozen=True)
class Intervals:
    """How often, in iterations; 0: only at the end of a stage."""

    evaluate: int = 500
    snapshot: int = 500


class Trainer:
    """Trains the stages of a state's recipe from where the state stands.

    output: the folder of all that is written; NAME.caffemodel in it are the averaged weights of
    the last evaluation, best.caffemodel those with the best held-out score.
    processes: those that train together, each with the same arguments; rank 0 evaluates and writes,
    and the others wait for it.
    """

    def __init__(
        self,
        state: TrainingState,
        folder: NetFolder,
        output: Path,
        held_out: HeldOut,
        intervals: Intervals,
        display: Display,
        stop: StopRequests,
        processes: Processes | None = None,
    ):
        import caffe

        self.processes = processes or caffe.Processes()
        self.state, self.folder, self.output = state, folder, output
        self.held_out, self.intervals = held_out, intervals
        self.display, self.stop = display, stop
        self.plan = make_plan(state.recipe, folder, display.say)
        let_layers_be_found(folder)
        # Before any solver: its fillers draw random numbers, and every solver seeds them anew.
        self._passes = open_pass(folder.deploy_file)
        self._evaluation_seconds = 0.0
        self._seconds_before = state.seconds

    @property
    def weights_file(self) -> Path:
        return self.output / f"{self.folder.name}.caffemodel"

    def run(self) -> bool:
        """True where all stages are done, False where the training was stopped before."""
        say = self.display.say
        for stage in self.plan:
            mark = "done" if stage.index < self.state.stage else f"{stage.iterations} iterations"
            say(f"stage {stage.index + 1} of {len(self.plan)}: {stage.title} ({mark})")
        if self.state.stage >= len(self.plan) > 0:
            say("all stages are done and keep their lengths; --rounds N adds stages")
        say(f"held out: {self.held_out.description}")
        self.processes.barrier()  # all have read where the training stands
        with self._open_metrics() as metrics:
            for stage in self.plan[self.state.stage :]:
                if not self._run_stage(stage, metrics):
                    say(
                        f"stopped: {self.stop.reason}; iteration {self.state.iteration} of stage "
                        f"{self.state.stage + 1} is saved in {self.output}; --resume goes on"
                    )
                    return False
        self.state.finished = True
        self._write_state()
        say(f"done in {clock(self.state.seconds)}: {self.weights_file}")
        return True

    def _open_metrics(self) -> AbstractContextManager[MetricsLog | None]:
        if not self.processes.is_root:
            return nullcontext()
        return MetricsLog(self.output / METRICS_FILE, self.state.stage, self.state.iteration)

    def _run_stage(self, stage: Stage, metrics: MetricsLog | None) -> bool:
        self.display.say(f"--- {stage.title}: {stage.iterations} iterations")
        run = self._start(stage)
        while run.iteration < stage.iterations:
            report, outputs = run.step()
            self.display.iteration(report)
            if metrics is not None:
                metrics.write(_iteration_record(report, outputs))
            if run.iteration >= stage.iterations:
                break
            self.stop.check_budget(1.5 * report.seconds + self._evaluation_seconds)
            if self.stop.agree(self.processes):
                break
            if _is_due(run.iteration, self.intervals.evaluate):
                self._evaluate(run, metrics)
            if _is_due(run.iteration, self.intervals.snapshot) or self.stop.take_snapshot_request():
                self._snapshot(run)
        finished = run.iteration >= stage.iterations
        ends = self.stop.agree(self.processes)
        # First of all what was trained is made safe; then there is time to look at it.
        self._snapshot(run)
        self._evaluate(run, metrics)
        if finished:
            self._finish(run)
        return finished and (not ends or stage == self.plan[-1])

    def _start(self, stage: Stage) -> StageRun:
        say, recipe = self.display.say, self.state.recipe
        if self.processes.is_root:
            write_stage_files(recipe, self.folder, stage, self.output, say)
        self.processes.barrier()
        run = StageRun(stage, stage_files(self.output, stage), self.processes)
        carried = [self.output / name for name in self.state.carried.values()]
        load_weights(self._passes.net, [*recipe.weights, *carried])
        if self.state.solverstate:
            run.restore(self.output / self.state.solverstate)
            say(f"resumed at iteration {run.iteration} from {self.state.solverstate}")
        else:
            reports = load_weights(run.net, recipe.weights)
            trained = load_weights(run.net, carried)
            for report in reports if not carried else trained:
                for line in report.lines():
                    say(line)
            kept = [name for report in trained for name in report.loaded]
            if done := upsampling_surgery(run.net, recipe.surgery, kept):
                say(f"bilinear weights given to {', '.join(done)}")
        for line in what_learns(run.net, run.definition).lines():
            say(line)
        self._passes.net.share_with(run.net)
        return run

    def _snapshot(self, run: StageRun) -> None:
        path = run.snapshot()
        self.state.stage, self.state.iteration = run.stage.index, run.iteration
        self.state.solverstate = str(path.relative_to(self.output.absolute()))
        self._write_state()
        if self.processes.is_root:
            prune_snapshots(run.files.snapshot_prefix, KEPT_SNAPSHOTS, path.name)

    def _write_state(self) -> None:
        if not self.processes.is_root:
            return
        self.state.seconds = self._seconds_before + self.stop.seconds
        self.state.write(self.output)

    def _evaluate(self, run: StageRun, metrics: MetricsLog | None) -> None:
        if metrics is not None and not self._in_a_hurry():
            self._evaluate_here(run, metrics)
        self.processes.barrier()

    def _evaluate_here(self, run: StageRun, metrics: MetricsLog) -> None:
        start = time.monotonic()
        with run.averaged():
            scores = self.held_out.score(self._passes, lambda: self._in_a_hurry())
            if scores is None:
                return
            save_atomically(self._passes.net, self.weights_file)
            name = f"{run.stage.file_stem}_{run.iteration:06d}.png"
            draw_predictions(self.held_out, self._passes, self.output / "predictions" / name)
        metrics.write({"event": "evaluation", **_place(run.stage, run.iteration), **asdict(scores)})
        draw_curves(self.output / METRICS_FILE, self.output / CURVES_FILE)
        self._evaluation_seconds = time.monotonic() - start
        note = " (best so far)" if self._keep_if_best(run, scores) else ""
        self.display.say(
            f"held out, {run.stage.kind} iteration {run.iteration}: {scores.text()}{note} "
            f"({self._evaluation_seconds:.0f} s)"
        )

    def _in_a_hurry(self) -> bool:
        return self.stop.reason is not None and "budget" not in self.stop.reason

    def _keep_if_best(self, run: StageRun, scores: Scores) -> bool:
        """J judges a training with masks, the end-point error one without."""
        kinds = {stage.kind for stage in self.plan}
        value = scores.J if kinds != {"flow"} else None
        if value is None and scores.EPE is not None and kinds == {"flow"}:
            value = -scores.EPE
        if value is None or math.isnan(value):
            return False
        if self.state.best and value <= self.state.best["score"]:
            return False
        best = self.output / "best.caffemodel"
        shutil.copyfile(self.weights_file, best.with_name(".best.tmp"))
        best.with_name(".best.tmp").replace(best)
        self.state.best = {"score": value, **_place(run.stage, run.iteration)}
        return True

    def _finish(self, run: StageRun) -> None:
        """Carry the stage's averaged weights on, and let the state name the next stage."""
        stage = run.stage
        weights = self.output / "weights" / f"{stage.file_stem}.caffemodel"
        if self.processes.is_root:
            weights.parent.mkdir(exist_ok=True)
            with run.averaged():
                save_atomically(run.net, weights)
        old = self.state.carried.pop(stage.kind, None)
        self.state.carried[stage.kind] = str(weights.relative_to(self.output))
        self.state.stage, self.state.iteration = stage.index + 1, 0
        self.state.solverstate = None
        self._write_state()
        if self.processes.is_root:
            if old and old != self.state.carried[stage.kind]:
                (self.output / old).unlink(missing_ok=True)
            prune_snapshots(run.files.snapshot_prefix, 1)
        self.display.say(
            f"{stage.title} ends: its {stage.iterations} iterations are done; {weights.name} saved"
        )


def save_atomically(net: Any, path: Path) -> None:
    """The file holds the old weights or the new ones."""
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        net.save(str(temporary))
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _iteration_record(report: IterationReport, outputs: dict[str, float]) -> dict[str, Any]:
    return {
        **_place(report.stage, report.iteration),
        "loss": report.loss,
        "losses": outputs,
        "mask_loss": report.mask_loss,
        "flow_loss": report.flow_loss,
        "lr": report.lr,
        "seconds": round(report.seconds, 4),
        "data_seconds": round(report.data_seconds, 4),
        "memory_mb": round(memory_mb()),
    }


def _place(stage: Stage, iteration: int) -> dict[str, Any]:
    return {
        "stage": stage.index,
        "round": stage.round,
        "kind": stage.kind,
        "iteration": iteration,
    }


def _is_due(iteration: int, interval: int) -> bool:
    return interval > 0 and iteration % interval == 0
