"""The command line of tools/train_iterative.py: options, defaults, new and resumed trainings."""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from segflow import cli, engine, processes
from segflow.errors import MissingDataError, UsageError
from segflow.readers.davis import Davis
from segflow.readers.flow_sets import open_flow_set
from segflow.training.held_out import EvalChoice, open_held_out
from segflow.training.networks import ROOT, find_net
from segflow.training.progress import Display, NoDisplay, open_display
from segflow.training.recipe import MODES, Recipe, absolute, make_plan
from segflow.training.start_weights import SURGERY
from segflow.training.state import STATE_FILE, TrainingState
from segflow.training.stopping import StopRequests
from segflow.training.trainer import Intervals, Trainer

if TYPE_CHECKING:
    from caffe import Processes

#: options that make the recipe, by their names in it
_RECIPE_OPTIONS = (
    "net weights davis stills flow exclude mode rounds flow_first seg_iters flow_iters "
    "joint_iters size batch seed lr lr_policy warm_up weight_average surgery"
).split()
#: those that a resumed training may change: its length
_LENGTHS = ("rounds", "flow_first", "seg_iters", "flow_iters", "joint_iters")


def main(arguments: Sequence[str] | None = None, description: str | None = None) -> int:
    os.environ.setdefault("GLOG_minloglevel", "1")
    return cli.run(make_parser(description), train, arguments)


def make_parser(description: str | None = None) -> cli.Parser:
    parser = cli.Parser(description=description)
    what = parser.add_argument_group("what is trained")
    what.add_argument(
        "--net",
        metavar="NAME|DIR",
        help="segflow_lite (default), segflow, for flow alone flownets, flownetc or pwcnet, or a "
        "folder with train_*.prototxt and their solvers, as in prototxt/ablations",
    )
    what.add_argument(
        "--weights",
        type=_paths,
        metavar="FILE[,FILE]",
        help="weights to start from, matched by layer name, later files last",
    )
    what.add_argument(
        "--surgery",
        choices=list(SURGERY),
        help="deconvolutions that get bilinear "
        "weights at the start: upscore* (default), as SegFlow's solve.py all with "
        "'up' in their name, or none",
    )
    data = parser.add_argument_group("data (none: made scenes)")
    data.add_argument(
        "--davis",
        type=absolute,
        metavar="ROOT",
        help="DAVIS 2016; default data/DAVIS where it is there",
    )
    data.add_argument(
        "--stills",
        type=_paths,
        metavar="ROOT[,ROOT]",
        help="stills with masks; default data/stills",
    )
    data.add_argument(
        "--flow",
        type=_paths,
        metavar="ROOT[,ROOT]",
        help="flow pairs to train on, a tenth of which is held out; default data/flow; '' for none",
    )
    data.add_argument("--exclude", type=_names, metavar="A,B", help="DAVIS sequences left out")
    plan = parser.add_argument_group("plan")
    plan.add_argument(
        "--mode",
        choices=MODES,
        help="alternate (default): segmentation stage with "
        "the flow branch frozen, flow stage with the segmentation branch frozen; "
        "joint: both branches in one stage",
    )
    plan.add_argument("--rounds", type=int, metavar="N", help="default 1")
    plan.add_argument(
        "--flow-first",
        type=int,
        metavar="N",
        help="iterations of one flow stage before the first round (default 0)",
    )
    for name in ("seg", "flow", "joint"):
        plan.add_argument(
            f"--{name}-iters",
            type=int,
            metavar="N",
            help=f"iterations of a {name} stage; default: its solver's max_iter",
        )
    solver = parser.add_argument_group("in place of the solver's and the data layer's values")
    solver.add_argument("--size", type=_size, metavar="HxW", help="of the training crops")
    solver.add_argument("--batch", type=int, metavar="N")
    solver.add_argument("--seed", type=int, metavar="N", help="default 1")
    solver.add_argument("--lr", type=float, metavar="RATE", help="base_lr")
    solver.add_argument("--lr-policy", metavar="NAME")
    solver.add_argument(
        "--warm-up",
        type=int,
        metavar="N",
        help="iterations (lr-policy cosine); at most a tenth of a stage",
    )
    solver.add_argument(
        "--weight-average",
        type=float,
        metavar="KEEP",
        help="of the running average of the weights, 0 for none",
    )
    run = parser.add_argument_group("this run")
    run.add_argument("--output", type=Path, metavar="DIR", help="default snapshots/NET")
    run.add_argument(
        "--resume",
        action="store_true",
        help="go on where the training in --output "
        "stands; its options hold, only its length may be given anew",
    )
    run.add_argument(
        "--time-budget",
        type=float,
        metavar="SECONDS",
        help="stop with a snapshot when they are used up",
    )
    run.add_argument(
        "--eval-every",
        type=int,
        default=500,
        metavar="N",
        help="iterations; 0: only after each stage (default 500)",
    )
    run.add_argument(
        "--snapshot-every", type=int, default=250, metavar="N", help="iterations (default 250)"
    )
    run.add_argument("--eval-davis", metavar="ROOT", help="default: that of --davis")
    run.add_argument(
        "--eval-sequences",
        default="val",
        metavar="A,B|val",
        help="those of the train list are held out of training (default val)",
    )
    run.add_argument(
        "--eval-stride",
        type=int,
        default=12,
        metavar="N",
        help="judge every Nth frame (default 12)",
    )
    run.add_argument(
        "--eval-height",
        type=int,
        default=320,
        metavar="ROWS",
        help="of the frames that the net sees (default 320)",
    )
    run.add_argument(
        "--eval-scenes",
        type=int,
        default=EvalChoice.scenes,
        metavar="N",
        help="made scenes to judge where there is no data (default 8)",
    )
    run.add_argument(
        "--eval-flow", type=_paths, metavar="ROOT[,ROOT]", help="flow pairs that are only judged"
    )
    engine.add_gpu_argument(run)
    return parser


def train(options: argparse.Namespace) -> int:
    group = processes.join()
    if options.gpu is not None:
        engine.start_engine(processes.own_gpu(options.gpu))
    group.train_together()
    display = open_display() if group.is_root else NoDisplay()
    if group.size > 1:
        display.say(f"{group.size} processes train together")
    try:
        with StopRequests(options.time_budget) as stop:
            trainer = make_trainer(options, display, stop, group)
            return 0 if trainer.run() or "budget" in (stop.reason or "") else cli.INTERRUPTED
    finally:
        display.close()


def make_trainer(
    options: argparse.Namespace,
    display: Display,
    stop: StopRequests,
    group: Processes | None = None,
) -> Trainer:
    """The training that the options ask for: a new one, or one that is resumed."""
    output = options.output or ROOT / "snapshots" / Path(options.net or "segflow_lite").name
    output = output.absolute()
    if options.resume:
        state = _resumed(options, TrainingState.read(output), display)
    else:
        if (output / STATE_FILE).exists():
            raise UsageError(
                f"{output} holds a training already; --resume goes on with it, "
                "--output names another folder"
            )
        state = TrainingState(_new_recipe(options, display))
    folder = find_net(state.recipe.net)
    make_plan(state.recipe, folder)
    _check_intervals(options)
    held_out = open_held_out(_eval_choice(options, state.recipe))
    output.mkdir(parents=True, exist_ok=True)
    intervals = Intervals(options.eval_every, options.snapshot_every)
    return Trainer(state, folder, output, held_out, intervals, display, stop, group)


def _given(options: argparse.Namespace) -> dict:
    return {
        name: getattr(options, name)
        for name in _RECIPE_OPTIONS
        if getattr(options, name) is not None
    }


def _new_recipe(options: argparse.Namespace, display: Display) -> Recipe:
    values = _given(options)
    values["net"] = str(find_net(values.get("net", "segflow_lite")).path)
    for name, folder in (("davis", "DAVIS"), ("stills", "stills"), ("flow", "flow")):
        default = ROOT / "data" / folder
        if name not in values and default.is_dir():
            values[name] = str(default) if name == "davis" else (str(default),)
        roots = values.get(name) or ()
        for root in [roots] if isinstance(roots, str) else roots:
            if not Path(root).is_dir():
                raise MissingDataError(f"--{name} {root}: no such folder")
    recipe = Recipe(**values)
    absent = [name for name in ("davis", "stills", "flow") if not getattr(recipe, name)]
    if absent:
        more = "; all samples are made scenes" if len(absent) == 3 else ""
        display.say(f"no {', no '.join(absent)} data{more}")
    return replace(recipe, **_held_out_of_training(options, recipe))


def _held_out_of_training(options: argparse.Namespace, recipe: Recipe) -> dict:
    """Sequences and flow pairs that will be judged and must not be trained on."""
    held: dict[str, tuple[str, ...]] = {}
    if recipe.davis:
        davis = Davis(recipe.davis)
        trained = davis.sequence_names("train") if "train" in davis.split_names() else []
        judged = [] if options.eval_sequences == "val" else _names(options.eval_sequences)
        held["exclude"] = (*recipe.exclude, *(name for name in judged if name in trained))
    if recipe.flow and not options.eval_flow:
        names = [pair.name for root in recipe.flow for pair in open_flow_set(root).pairs]
        held["exclude_flow"] = tuple(names[9::10] or names[-1:]) if len(names) > 1 else ()
    return held


def _resumed(options: argparse.Namespace, state: TrainingState, display: Display) -> TrainingState:
    """The state, with a new length where one is given. Raises UsageError for other changes."""
    given = _given(options)
    if "net" in given:
        given["net"] = str(find_net(given["net"]).path)
    recipe = state.recipe
    changed = {name: value for name, value in given.items() if value != getattr(recipe, name)}
    if other := [name for name in changed if name not in _LENGTHS]:
        name = other[0]
        raise UsageError(
            f"--{name.replace('_', '-')} {changed[name]}: the training to resume has "
            f"{getattr(recipe, name)}; only its length can change"
        )
    for name, value in changed.items():
        display.say(
            f"--{name.replace('_', '-')} {value} in place of {getattr(recipe, name)}: "
            "the rate follows the new length from here on"
        )
    state.recipe = replace(recipe, **changed)
    state.finished = False
    return state


def _eval_choice(options: argparse.Namespace, recipe: Recipe) -> EvalChoice:
    davis = options.eval_davis or recipe.davis
    if davis and options.eval_sequences == "val" and "val" not in Davis(davis).split_names():
        davis = None
    flow = options.eval_flow or (recipe.flow if recipe.exclude_flow else ())
    return EvalChoice(
        davis=davis,
        sequences=options.eval_sequences,
        stride=options.eval_stride,
        flow=flow,
        only_flow=None if options.eval_flow else recipe.exclude_flow,
        height=options.eval_height,
        scenes=options.eval_scenes,
        size=recipe.size or EvalChoice.size,
    )


def _check_intervals(options: argparse.Namespace) -> None:
    for name in ("eval_every", "snapshot_every", "eval_stride", "eval_height", "eval_scenes"):
        least = 0 if name.endswith("every") else 1
        if getattr(options, name) < least:
            raise UsageError(
                f"--{name.replace('_', '-')} {getattr(options, name)}: want {least} or more"
            )
    if options.time_budget is not None and not options.time_budget > 0:
        raise UsageError(f"--time-budget {options.time_budget:g}: want seconds above 0")


def _names(text: str) -> tuple[str, ...]:
    return tuple(name.strip() for name in text.split(",") if name.strip())


def _paths(text: str) -> tuple[str, ...]:
    return tuple(absolute(name) for name in _names(text))


def _size(text: str) -> tuple[int, int]:
    parts = text.lower().split("x")
    if len(parts) != 2 or not all(part.isdigit() and int(part) >= 8 for part in parts):
        raise argparse.ArgumentTypeError(f"{text!r}: want HEIGHTxWIDTH, as 192x320")
    return int(parts[0]), int(parts[1])
