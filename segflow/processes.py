"""The processes that `mpirun -n N` started with this command; without mpirun there is one."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segflow.errors import SegflowError

if TYPE_CHECKING:
    from caffe import Processes

_joined: Processes | None = None  # while there are others


def join() -> Processes:
    """Join the others. Imports caffe; raises SegflowError that says how to build it."""
    global _joined
    try:
        import caffe
    except ImportError as error:
        raise SegflowError(str(error)) from error
    group = caffe.Processes().join()
    _joined = group if group.size > 1 else None
    return group


def own_gpu(first: int | None) -> int | None:
    """The GPU of this process, where the first on a machine takes number `first`."""
    return first + _joined.local_rank if _joined and first is not None else first


def is_root() -> bool:
    """Whether this process speaks for all; alone: it does."""
    return _joined is None or _joined.is_root


def own_name() -> str:
    """'process 1 of 2: ' where there are several, else nothing."""
    return f"process {_joined.rank} of {_joined.size}: " if _joined else ""


def abort_others(status: int) -> None:
    """End the whole job, this process too, since the others would wait for it; alone: nothing."""
    if _joined:
        sys.stdout.flush()
        _joined.abort_quietly(status)


@contextmanager
def ended_together() -> Iterator[None]:
    """What was joined inside is left at the end; an exception ends the whole job."""
    global _joined
    try:
        yield
    except BaseException:
        if _joined:
            traceback.print_exc()
            print(f"{own_name()}ends the job", file=sys.stderr, flush=True)
            abort_others(1)
        raise
    if _joined:
        _joined.leave()
        _joined = None
