"""Making items ahead in threads: in order, bounded, and with errors where they are asked for.

Threads and never processes: a process forked after the first forward pass hangs in OpenMP.
NumPy, Pillow and OpenCV give up the interpreter lock in their loops.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Generic, TypeVar

T = TypeVar("T")


class Prefetcher(Generic[T]):
    """Calls make(0), make(1), ... ahead of time and hands the results out in order.

    make must be a function of the index alone and safe to call from `workers` threads at once.
    At most `depth` items are made or waiting; 0 makes each when it is asked for. An exception
    of make(i) is raised by the call of next() that should have returned item i; the position
    stays at i.
    """

    def __init__(
        self, make: Callable[[int], T], *, start: int = 0, depth: int = 3, workers: int = 1
    ):
        if depth < 0 or workers < 1:
            raise ValueError(f"Prefetcher: depth {depth} (want >= 0), workers {workers} (>= 1)")
        self._make = make
        self._depth = depth
        self._next = start
        self._waiting: deque[Future[T]] = deque()
        self._lock = threading.Lock()
        self.waited_seconds = 0.0  # of all calls of next()
        self._pool = ThreadPoolExecutor(workers, "samples") if depth else None

    def next(self) -> T:
        """The next item. Waits for it; raises what making it raised."""
        with self._lock:
            start = time.monotonic()
            if self._pool is None:
                item = self._make(self._next)
            else:
                self._fill()
                try:
                    item = self._waiting[0].result()
                except BaseException:
                    self._drop()
                    raise
                self._waiting.popleft()
            self.waited_seconds += time.monotonic() - start
            self._next += 1
            self._fill()
            return item

    def get_state(self) -> dict[str, int]:
        """The index of the item that next() returns next, whatever was made ahead."""
        return {"next": self._next}

    def set_state(self, state: dict[str, int]) -> None:
        """Go on at the item of a state of get_state(). Raises ValueError for another state."""
        index = state.get("next")
        if not isinstance(index, int) or index < 0:
            raise ValueError(f"Prefetcher: the state is {state!r}, want {{'next': INDEX}}")
        with self._lock:
            self._drop()
            self._next = index

    def close(self) -> None:
        """Stop making; the threads end with the item that they are at."""
        with self._lock:
            self._drop()
            if self._pool is not None:
                self._pool.shutdown(wait=False, cancel_futures=True)
                self._pool = None

    def _fill(self) -> None:
        if self._pool is not None:
            while len(self._waiting) < self._depth:
                index = self._next + len(self._waiting)
                self._waiting.append(self._pool.submit(self._make, index))

    def _drop(self) -> None:
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()
