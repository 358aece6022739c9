"""Ctrl-C while a solver runs: noted, and answered when the iteration is done."""

import signal
from types import FrameType
from typing import Any


class DeferredInterrupt:
    """Holds back the first interrupt signal until `finish`; a second one is answered at once.

    Made in the main thread, where Python runs signal handlers. Where the signal has no Python
    handler nothing changes.
    """

    def __init__(self) -> None:
        self.pending = False
        self.previous: Any = signal.getsignal(signal.SIGINT)
        self.installed = callable(self.previous)
        if self.installed:
            signal.signal(signal.SIGINT, self._note)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.pending:
            self.previous(number, frame)
        self.pending = True

    def restore(self) -> None:
        """Puts the earlier handler back."""
        if self.installed:
            signal.signal(signal.SIGINT, self.previous)
            self.installed = False

    def finish(self) -> None:
        """Puts the earlier handler back and gives it what was held: KeyboardInterrupt, usually."""
        self.restore()
        if self.pending:
            self.previous(signal.SIGINT, None)
