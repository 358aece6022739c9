"""What determines the result of a training, and the stages that follow from it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from segflow.errors import DataError, UsageError
from segflow.inference.networks import read_solver
from segflow.training.networks import NetFolder

MODES = ("alternate", "joint")


@dataclass(frozen=True)
class Recipe:
    """All that the weights depend on; None leaves the value of the network's solver files.

    davis, stills, flow: folders, none where there is no data. flow_first: iterations of one flow
    stage before the first round: the flow must mean something before the masks have learnt the
    training videos by heart (facts: lite_network.md section 6). size: (height, width).
    """

    net: str
    weights: tuple[str, ...] = ()
    davis: str | None = None
    stills: tuple[str, ...] = ()
    flow: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    exclude_flow: tuple[str, ...] = ()
    mode: str = "alternate"
    rounds: int = 1
    flow_first: int = 0
    seg_iters: int | None = None
    flow_iters: int | None = None
    joint_iters: int | None = None
    size: tuple[int, int] | None = None
    batch: int | None = None
    seed: int = 1
    lr: float | None = None
    lr_policy: str | None = None
    warm_up: int | None = None
    weight_average: float | None = None
    surgery: str = "upscore"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)

    @staticmethod
    def from_dict(values: dict[str, Any]) -> Recipe:
        known = {field.name for field in fields(Recipe)}
        if unknown := set(values) - known:
            raise DataError(f"a recipe has no {', '.join(sorted(unknown))}")
        plain: dict[str, Any] = {
            k: tuple(v) if isinstance(v, list) else v for k, v in values.items()
        }
        return Recipe(**plain)


@dataclass(frozen=True)
class Stage:
    """One solver's run: `kind` is what it trains, "segmentation", "flow" or "joint"."""

    index: int
    round: int  # from 1 on; 0 is the flow stage before the rounds
    kind: str
    iterations: int

    @property
    def title(self) -> str:
        where = f"round {self.round}" if self.round else "before the rounds"
        return f"{where}, {self.kind} stage"

    @property
    def file_stem(self) -> str:
        return f"stage{self.index:02d}_{self.kind}"


def make_plan(
    recipe: Recipe, folder: NetFolder, say: Callable[[str], None] = lambda text: None
) -> list[Stage]:
    """The stages in order. A branch that the network does not have gets none, which is said.

    Raises UsageError for values that make no plan.
    """
    _check(recipe)
    _check_size(recipe, folder)
    here = folder.kinds()
    wanted = ["joint"] if recipe.mode == "joint" else ["segmentation", "flow"]
    kinds = [kind for kind in wanted if kind in here]
    if recipe.mode == "joint" and not kinds:
        # An ablation with one branch: that branch is all there is to train jointly.
        kinds = [kind for kind in ("segmentation", "flow") if kind in here]
        if len(kinds) > 1:
            raise UsageError(f"{folder.path}: no train_joint.prototxt; use --mode alternate")
    for kind in wanted:
        if kind not in kinds:
            say(f"{folder.name} has no {kind} stage; it is left out")
    steps = [(0, "flow", recipe.flow_first)] if recipe.flow_first and "flow" in here else []
    if recipe.flow_first and "flow" not in here:
        say(f"{folder.name} has no flow stage; --flow-first is left out")
    for kind, option, count in (
        ("segmentation", "seg", recipe.seg_iters),
        ("flow", "flow", recipe.flow_iters),
        ("joint", "joint", recipe.joint_iters),
    ):
        stands_in = kind == "joint" and recipe.mode == "joint"  # for the one branch there is
        if count is not None and kind not in kinds and not stands_in:
            say(f"--{option}-iters {count} has no effect: the rounds have no {kind} stage")
    for number in range(1, recipe.rounds + 1):
        steps += [(number, kind, _iterations(recipe, folder, kind)) for kind in kinds]
    return [Stage(i, *step) for i, step in enumerate(step for step in steps if step[2] > 0)]


def _iterations(recipe: Recipe, folder: NetFolder, kind: str) -> int:
    given = {
        "segmentation": recipe.seg_iters,
        "flow": recipe.flow_iters,
        "joint": recipe.joint_iters,
    }[kind]
    if given is None and recipe.mode == "joint":
        given = recipe.joint_iters
    if given is not None:
        return given
    return read_solver(folder.solver_file(kind)).max_iter


def _check(recipe: Recipe) -> None:
    if recipe.mode not in MODES:
        raise UsageError(f"mode {recipe.mode!r}: want one of {', '.join(MODES)}")
    counts = {
        "rounds": recipe.rounds,
        "flow-first": recipe.flow_first,
        "seg-iters": recipe.seg_iters,
        "flow-iters": recipe.flow_iters,
        "joint-iters": recipe.joint_iters,
        "seed": recipe.seed,
    }
    for name, value in counts.items():
        if value is not None and value < 0:
            raise UsageError(f"--{name} {value}: want 0 or more")
    if recipe.batch is not None and recipe.batch < 1:
        raise UsageError(f"--batch {recipe.batch}: want 1 or more")
    if recipe.lr is not None and not recipe.lr > 0:
        raise UsageError(f"--lr {recipe.lr}: want a rate above 0")
    if recipe.weight_average is not None and not 0 <= recipe.weight_average < 1:
        raise UsageError(f"--weight-average {recipe.weight_average}: want 0 to below 1")


def _check_size(recipe: Recipe, folder: NetFolder) -> None:
    if recipe.size is None:
        return
    fixed = folder.fixed_size
    if fixed and recipe.size != fixed:
        raise UsageError(
            f"--size {recipe.size[0]}x{recipe.size[1]}: {folder.name} takes frames of "
            f"{fixed[0]}x{fixed[1]} only; leave --size out"
        )


def absolute(path: str | Path) -> str:
    """A path that still holds when a training is resumed from another working directory."""
    return str(Path(path).expanduser().absolute())
