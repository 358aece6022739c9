"""The processes of one job, started as `mpirun -n N python ...`; without mpirun there is one."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from types import TracebackType

from . import _caffe


class Processes:
    """What the processes of a job do together. A context manager:

        with caffe.Processes() as processes:
            processes.train_together()
            solver = caffe.get_solver("solver.prototxt")  # the gradients' mean over all processes
            solver.step(100)

    All processes make the same calls in the same order. One that leaves the block with an
    exception prints it with its rank and ends the whole job; none waits for it for ever.
    """

    def __init__(self) -> None:
        self.rank, self.size, self.local_rank = 0, 1, 0

    def join(self) -> Processes:
        """Join the others, where there are any."""
        self.rank, self.size, self.local_rank = _caffe.join_processes()
        return self

    def leave(self) -> None:
        """The orderly end, to which all come; then this process is alone."""
        _caffe.leave_processes()
        self.rank, self.size, self.local_rank = 0, 1, 0

    def __enter__(self) -> Processes:
        return self.join()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.size == 1:
            return
        if kind is None or (isinstance(error, SystemExit) and not error.code):
            self.leave()
            return
        if not isinstance(error, SystemExit):
            traceback.print_exception(kind, error, trace)
        self.abort(f"{kind.__name__}: {error}")

    @property
    def is_root(self) -> bool:
        """Whether this is rank 0, which writes, displays and evaluates."""
        return self.rank == 0

    def train_together(self) -> None:
        """Solvers made from here on use the mean of the gradients of all processes."""
        _caffe.train_together()

    def barrier(self) -> None:
        """Return when every process has come here."""
        _caffe.processes_barrier()

    def sum(self, values: Sequence[float]) -> list[float]:
        """The sums over all processes, number by number."""
        return _caffe.sum_over_processes(list(values))

    def from_root(self, values: Sequence[float]) -> list[float]:
        """The numbers of rank 0, of which all processes give as many."""
        return _caffe.broadcast_from_root(list(values))

    def abort(self, reason: str, status: int = 1) -> None:
        """End all processes; the reason goes to stderr with this one's rank."""
        print(f"process {self.rank} of {self.size}: {reason}", file=sys.stderr, flush=True)
        self.abort_quietly(status)

    def abort_quietly(self, status: int = 1) -> None:
        """As abort, where the reason was told already."""
        sys.stdout.flush()
        _caffe.abort_processes(status)
