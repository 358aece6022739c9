"""What a person sees of a training: a bar with figures on a terminal, plain lines elsewhere."""

from __future__ import annotations

import resource
import sys
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from segflow.training.recipe import Stage


@dataclass(frozen=True)
class IterationReport:
    """One iteration: losses are of its batch, None where the stage has none."""

    stage: Stage
    iteration: int
    loss: float
    mask_loss: float | None
    flow_loss: float | None
    lr: float
    seconds: float
    data_seconds: float


class Display(Protocol):
    """Where a training reports to."""

    def say(self, text: str) -> None: ...
    def iteration(self, report: IterationReport) -> None: ...
    def close(self) -> None: ...


class Averages:
    """Means over the last iterations, as text."""

    def __init__(self, window: int = 20):
        self._reports: deque[IterationReport] = deque(maxlen=window)

    def add(self, report: IterationReport) -> None:
        if self._reports and self._reports[-1].stage != report.stage:
            self._reports.clear()
        self._reports.append(report)

    def mean(self, name: str) -> float | None:
        values = [getattr(r, name) for r in self._reports if getattr(r, name) is not None]
        return sum(values) / len(values) if values else None

    def text(self) -> str:
        last = self._reports[-1]
        parts = [
            f"{name.replace('_', ' ')} {value:.4g}"
            for name in ("mask_loss", "flow_loss")
            if (value := self.mean(name)) is not None
        ]
        if not parts:
            parts = [f"loss {self.mean('loss'):.4g}"]
        seconds, data = self.mean("seconds") or 0.0, self.mean("data_seconds") or 0.0
        left = seconds * (last.stage.iterations - last.iteration)
        return (
            f"{', '.join(parts)}, lr {last.lr:.3g}, {seconds:.2f} s/iter "
            f"(data {1000 * data:.0f} ms), {memory_mb():.0f} MB, left {clock(left)}"
        )


class PlainDisplay:
    """A line now and then on stdout."""

    def __init__(self, seconds_between_lines: float = 10.0):
        self._averages = Averages()
        self._between = seconds_between_lines
        self._last = -1e9

    def say(self, text: str) -> None:
        print(text, flush=True)

    def iteration(self, report: IterationReport) -> None:
        self._averages.add(report)
        now = time.monotonic()
        is_last = report.iteration >= report.stage.iterations
        if now - self._last >= self._between or is_last:
            self._last = now
            stage = report.stage
            print(
                f"{stage.kind} {report.iteration}/{stage.iterations}: {self._averages.text()}",
                flush=True,
            )

    def close(self) -> None:
        pass


class NoDisplay:
    """Of the processes of a training other than the first."""

    def say(self, text: str) -> None:
        pass

    def iteration(self, report: IterationReport) -> None:
        pass

    def close(self) -> None:
        pass


class RichDisplay:
    """A bar for the stage, figures below it, and what is said above."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        self._averages = Averages()
        self._progress = Progress(
            TextColumn("[bold]{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[figures]}"),
            console=Console(),
        )
        self._task: Any = None
        self._stage: Stage | None = None
        self._progress.start()

    def say(self, text: str) -> None:
        self._progress.console.print(text, markup=False, highlight=False)

    def iteration(self, report: IterationReport) -> None:
        self._averages.add(report)
        if report.stage != self._stage:
            self._stage = report.stage
            if self._task is not None:
                self._progress.remove_task(self._task)
            self._task = self._progress.add_task(
                report.stage.kind, total=report.stage.iterations, figures=""
            )
        self._progress.update(self._task, completed=report.iteration, figures=self._averages.text())

    def close(self) -> None:
        self._progress.stop()


def open_display() -> Display:
    return RichDisplay() if sys.stdout.isatty() else PlainDisplay()


def clock(seconds: float) -> str:
    """h:mm:ss"""
    whole = int(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def memory_mb() -> float:
    """Resident memory of this process; its peak where the system does not tell."""
    try:
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
