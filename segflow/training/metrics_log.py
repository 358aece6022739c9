"""metrics.jsonl: one JSON object a line, an iteration or an evaluation; readable at any moment.

An iteration has stage, round, kind, iteration, loss, losses {name: value}, mask_loss, flow_loss,
lr, seconds, data_seconds, memory_mb. An evaluation has event "evaluation", the same place, and
J, EPE, EPE_zero, J_of, EPE_of. A value that is not there is null.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any


class MetricsLog:
    """Appends records; a resumed training goes on after the last one that still holds.

    stage, iteration: where the training goes on; later records of an earlier try are dropped.
    """

    def __init__(self, path: Path, stage: int = 0, iteration: int = 0):
        self.path = path
        kept = [
            record
            for record in (read_metrics(path) if path.exists() else ())
            if (record.get("stage", 0), record.get("iteration", 0)) <= (stage, iteration)
        ]
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        temporary.write_text("".join(_line(record) for record in kept), encoding="utf-8")
        temporary.replace(path)
        self._file = path.open("a", encoding="utf-8")

    def write(self, record: dict[str, Any]) -> None:
        self._file.write(_line(record))
        self._file.flush()

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> MetricsLog:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def read_metrics(path: Path) -> Iterator[dict[str, Any]]:
    """The records of a file; a line that a kill cut short is left out."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                yield record


def _line(record: dict[str, Any]) -> str:
    return json.dumps(_finite(record)) + "\n"


def _finite(value: Any) -> Any:
    """Numbers that JSON has no word for become null."""
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None
    if isinstance(value, dict):
        return {key: _finite(inner) for key, inner in value.items()}
    return value
