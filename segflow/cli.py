"""What all commands share: how they fail, their tables and their progress.

An expected failure is one line on stderr and exit status 2 (bad usage) or 1 (failed);
`--debug` shows the traceback instead.
"""

import argparse
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from typing import NoReturn, TypeVar

from segflow import processes
from segflow.errors import SegflowError, UsageError

FAILED = 1
BAD_USAGE = 2
INTERRUPTED = 130

Item = TypeVar("Item")


class Parser(argparse.ArgumentParser):
    """An argument parser with --debug, whose complaints are one line.

    Subparsers (`add_subparsers`) are of the same kind, so --debug may stand on either side.
    """

    def __init__(self, *args, **kwargs):
        kwargs.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(*args, **kwargs)
        self.add_argument(
            "--debug",
            action="store_true",
            default=argparse.SUPPRESS,
            help="show the traceback of a failure",
        )

    def error(self, message: str) -> NoReturn:
        self.exit(BAD_USAGE, f"{self.prog}: {message} (see {self.prog} --help)\n")


def run(
    parser: Parser,
    command: Callable[[argparse.Namespace], int | None],
    arguments: Sequence[str] | None = None,
) -> int:
    """Parse the arguments, call the command, and return the exit status.

    command: returns None or an exit status. Its SegflowError, OSError, ValueError, RuntimeError
    (caffe.Error among them) and MemoryError are expected failures; anything else is a defect and
    keeps its traceback.
    """
    options = parser.parse_args(arguments)
    share_the_machine()
    with processes.ended_together():
        return _guarded(parser, command, options)


def _guarded(
    parser: Parser, command: Callable[[argparse.Namespace], int | None], options: argparse.Namespace
) -> int:
    """The command's exit status, with expected failures told in one line."""
    if getattr(options, "debug", False):
        return command(options) or 0
    try:
        status = command(options) or 0
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        # The reader of our output has gone (`| head`). Python would complain once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except KeyboardInterrupt:
        complain(f"{parser.prog}: {processes.own_name()}interrupted")
        processes.abort_others(INTERRUPTED)
        return INTERRUPTED
    except (SegflowError, OSError, ValueError, RuntimeError, MemoryError) as error:
        complain(f"{parser.prog}: {processes.own_name()}{_one_line(error)}")
        status = BAD_USAGE if isinstance(error, UsageError) else FAILED
        processes.abort_others(status)
        return status


def share_the_machine() -> None:
    """Let threads wait without spinning, unless OMP_WAIT_POLICY says otherwise.

    Beside other work on the machine, spinning ones cost a factor of four. Read when libgomp is
    loaded, so this comes before caffe is imported.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "passive")


def complain(text: str) -> None:
    """One line on stderr."""
    print(text, file=sys.stderr, flush=True)


def print_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str = "") -> None:
    """A table on stdout: drawn on a terminal, plain aligned columns elsewhere.

    The first column is text and flush left, the others are figures and flush right; the last row
    is set off, it sums up.
    """
    if sys.stdout.isatty():
        _print_rich_table(columns, rows, title)
        return
    if title:
        print(title)
    widths = [max(len(row[i]) for row in (columns, *rows)) for i in range(len(columns))]
    for row in (columns, *rows):
        cells = [row[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(row[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())


def track(
    items: Iterable[Item],
    description: str,
    total: int | None = None,
    seconds_between_lines: float = 10.0,
    unit: str = "",
) -> Iterator[Item]:
    """Pass the items on and show on stderr how far they are.

    A bar on a terminal; elsewhere a plain line now and then, and none for what is done sooner.
    unit: what the items are ("frames"); then their number a second is shown.
    """
    if total is None and isinstance(items, Sized):
        total = len(items)
    if sys.stderr.isatty():
        yield from _track_with_bar(items, description, total, unit)
        return
    started = last_line = time.monotonic()
    for done, item in enumerate(items, 1):
        yield item
        if time.monotonic() - last_line >= seconds_between_lines:
            last_line = time.monotonic()
            rate = f", {done / (last_line - started):.1f} {unit} a second" if unit else ""
            complain(f"{description}: {done}" + (f" of {total}" if total else "") + rate)


def _track_with_bar(
    items: Iterable[Item], description: str, total: int | None, unit: str
) -> Iterator[Item]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = [
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
    ]
    if unit:
        columns.append(TextColumn("{task.fields[rate]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(description, total=total, rate="")
        started = time.monotonic()
        for done, item in enumerate(items, 1):
            yield item
            rate = done / max(time.monotonic() - started, 1e-9)
            progress.update(task, completed=done, rate=f"{rate:.1f} {unit}/s")


def _print_rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]], title: str) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for index, column in enumerate(columns):
        table.add_column(column, justify="right" if index else "left")
    for index, row in enumerate(rows):
        is_last = index == len(rows) - 1
        table.add_row(*row, style="bold" if is_last else None, end_section=index == len(rows) - 2)
    Console().print(table)


def _one_line(error: BaseException) -> str:
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}"
    text = " ".join(str(error).split())
    return text or type(error).__name__
