"""Ends that a person or a scheduler asks for: signals and a time budget."""

from __future__ import annotations

import signal
import threading
import time
from types import FrameType, TracebackType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from caffe import Processes


class StopRequests:
    """Interrupt and termination end the training after the iteration at hand, hang-up asks for a
    snapshot; a second interrupt ends it at once (KeyboardInterrupt).

    budget_seconds: how long this process may train, None for no limit.
    """

    def __init__(self, budget_seconds: float | None = None):
        self.reason: str | None = None
        self._snapshot = False
        self._budget = budget_seconds
        self._start = time.monotonic()
        self._old: dict[int, object] = {}

    def __enter__(self) -> StopRequests:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                self._old[number] = signal.signal(number, self._answer)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for number, handler in self._old.items():
            signal.signal(number, handler)  # type: ignore[arg-type]
        self._old.clear()

    @property
    def seconds(self) -> float:
        return time.monotonic() - self._start

    def asked(self) -> bool:
        """Somebody wants the training to end."""
        return self.reason is not None

    def check_budget(self, needed_seconds: float) -> None:
        """Ask to stop where what comes next would not fit into the budget."""
        if self._budget is not None and self.reason is None:
            if self.seconds + needed_seconds > self._budget:
                self.reason = f"the time budget of {self._budget:g} s is used up"

    def agree(self, processes: Processes) -> bool:
        """Whether the training ends: what one process was asked for, all of them do. Every
        process asks in the same iteration."""
        if processes.size == 1:
            return self.asked()
        of_budget = self.reason is not None and "budget" in self.reason
        budgets, others, snapshots = processes.sum(
            [of_budget, self.reason is not None and not of_budget, self._snapshot]
        )
        self._snapshot = snapshots > 0
        if others and (self.reason is None or of_budget):
            self.reason = "another process was asked to end"
        elif budgets and self.reason is None:
            self.reason = "the time budget of another process is used up"
        return bool(others or budgets)

    def take_snapshot_request(self) -> bool:
        """Whether a hang-up asked for a snapshot since the last call."""
        asked, self._snapshot = self._snapshot, False
        return asked

    def _answer(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            self._snapshot = True
        elif self.reason is not None and number == signal.SIGINT:
            raise KeyboardInterrupt
        else:
            self.reason = "interrupted" if number == signal.SIGINT else "terminated"
