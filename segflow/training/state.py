"""Where a training stands, in one file that is complete or absent: what --resume reads."""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from segflow.errors import DataError, MissingDataError
from segflow.training.recipe import Recipe

STATE_FILE = "training.json"
_SNAPSHOT_ENDINGS = (".caffemodel", ".solverstate", ".solverstate.side")


@dataclass
class TrainingState:
    """stage: number of the stage to go on with; iteration: of that stage; solverstate: its
    snapshot, None at the stage's start; carried: weights of the stages before, by what they
    trained, oldest first; best: the best held-out score so far and where it was."""

    recipe: Recipe
    stage: int = 0
    iteration: int = 0
    solverstate: str | None = None
    carried: dict[str, str] = field(default_factory=dict)
    best: dict[str, Any] | None = None
    seconds: float = 0.0
    finished: bool = False

    def write(self, output: Path) -> None:
        """Atomically, after everything that it names is on the disk."""
        write_text_atomically(output / STATE_FILE, json.dumps(asdict(self), indent=1) + "\n")

    @staticmethod
    def read(output: Path) -> TrainingState:
        """Raises MissingDataError where nothing was trained, DataError for a broken file."""
        path = output / STATE_FILE
        if not path.is_file():
            raise MissingDataError(f"{path}: not there, so there is no training to resume")
        try:
            values = json.loads(path.read_text(encoding="utf-8"))
            recipe = Recipe.from_dict(values.pop("recipe"))
            state = TrainingState(recipe=recipe, **values)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DataError(f"{path}: not the state of a training ({error})") from None
        for name in [*state.carried.values(), *filter(None, [state.solverstate])]:
            if not (output / name).is_file():
                raise MissingDataError(f"{output / name}: {path} names it, but it is not there")
        return state


def write_text_atomically(path: Path, text: str) -> None:
    """The file holds the old text or the new one, whatever happens in between."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def snapshots(prefix: Path) -> list[tuple[int, Path]]:
    """(iteration, solver state) of the snapshots below a prefix, oldest first."""
    found = []
    for path in prefix.parent.glob(f"{prefix.name}_iter_*.solverstate"):
        number = path.name[len(prefix.name) + len("_iter_") : -len(".solverstate")]
        if number.isdigit():
            found.append((int(number), path))
    return sorted(found)


def prune_snapshots(prefix: Path, keep: int, named: str | None = None) -> None:
    """Remove all but the last `keep` snapshots; never the state file called `named`."""
    old = snapshots(prefix)
    for _, path in old[: max(0, len(old) - keep)]:
        if path.name == named:
            continue
        base = path.name.removesuffix(".solverstate")
        for ending in _SNAPSHOT_ENDINGS:
            path.with_name(base + ending).unlink(missing_ok=True)
