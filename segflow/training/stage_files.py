"""The prototxt files that a stage really runs: the network's own with data and rates filled in.

They lie in the output folder, so that a person can read what was trained, and train it again with
the `caffe` program.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segflow.inference.networks import read_net, read_solver
from segflow.samples.param_str import parse_literal
from segflow.training.networks import ROOT, NetFolder
from segflow.training.recipe import Recipe, Stage

SAMPLE_LAYER = ("training_sample_data_layer", "TrainingSampleDataLayer")
#: data layers whose data is a real set, and the key of its folder
_SET_LAYERS = {
    "SegFlow_davis_fgbg_data_layer": "davis_dir",
    "segflow_davis_pair_layer": "davis_dir",
    "flow_pair_data_layer": "flow_dir",
}
_PUBLISHED_SIZE = (480, 854)


@dataclass(frozen=True)
class StageFiles:
    """What a stage runs: solver and net, and the prefix of its snapshots."""

    solver: Path
    net: Path
    snapshot_prefix: Path


def stage_files(output: Path, stage: Stage) -> StageFiles:
    """Where the files of a stage are."""
    target, stem = output / "stages", stage.file_stem
    return StageFiles(
        target / f"{stem}_solver.prototxt", target / f"{stem}.prototxt", output / "snapshots" / stem
    )


def write_stage_files(
    recipe: Recipe,
    folder: NetFolder,
    stage: Stage,
    output: Path,
    say: Callable[[str], None] = lambda text: None,
) -> StageFiles:
    """Write net and solver of a stage into output/stages."""
    files = stage_files(output, stage)
    for folder_needed in (files.net.parent, files.snapshot_prefix.parent):
        folder_needed.mkdir(parents=True, exist_ok=True)
    net = read_net(folder.net_file(stage.kind))
    set_data(net, recipe, stage, say)
    if not net.keep:
        net.keep.append("")  # only outputs are read: share memory, train statistics folded
    solver = read_solver(folder.solver_file(stage.kind))
    set_solver(solver, recipe, stage, files)
    _write(files.net, net)
    _write(files.solver, solver)
    return files


def set_data(net: Any, recipe: Recipe, stage: Stage, say: Callable[[str], None]) -> None:
    """Point the Python data layers of a net at the recipe's data, size, batch and seed."""
    for layer in net.layer:
        if layer.type != "Python" or layer.bottom:
            continue
        param = layer.python_param
        settings = parse_literal(param.param_str or "{}", f"layer {layer.name!r}")
        values = _values(recipe, stage)
        if _needs_samples(param.module, recipe):
            values, settings = {"stage": stage.kind, **values}, {}
            values.setdefault("height", _PUBLISHED_SIZE[0])
            values.setdefault("width", _PUBLISHED_SIZE[1])
            values.setdefault("batch_size", 1)
            say(
                f"{stage.title}: {param.module} is replaced by {SAMPLE_LAYER[0]} "
                "(its data is not here, or another size, batch or mixture was asked for)"
            )
            param.module, param.layer = SAMPLE_LAYER
        elif param.module in _SET_LAYERS:
            key = _SET_LAYERS[param.module]
            folders = {"davis_dir": recipe.davis, "flow_dir": list(recipe.flow)}[key]
            values = {key: folders, "seed": values["seed"]}
        elif param.module != SAMPLE_LAYER[0]:
            values = {name: value for name, value in values.items() if name in settings}
        param.param_str = json.dumps({**settings, **values})


def _values(recipe: Recipe, stage: Stage) -> dict[str, Any]:
    """The settings of the sample layer that a recipe gives."""
    values: dict[str, Any] = {
        "davis_dir": recipe.davis or "",
        "stills_dir": list(recipe.stills),
        "flow_dir": list(recipe.flow),
        "exclude": list(recipe.exclude) if recipe.davis else [],
        "exclude_flow": list(recipe.exclude_flow) if recipe.flow else [],
        "seed": recipe.seed * 1000 + stage.index,  # each stage sees samples of its own
    }
    if recipe.size is not None:
        values["height"], values["width"] = recipe.size
    if recipe.batch is not None:
        values["batch_size"] = recipe.batch
    return values


def _needs_samples(module: str, recipe: Recipe) -> bool:
    """A layer of one data set cannot serve: no such data, or something that it does not do."""
    key = _SET_LAYERS.get(module)
    if key is None:
        return False
    if recipe.size is not None or recipe.batch is not None:
        return True
    if key == "davis_dir":
        return recipe.davis is None or bool(recipe.stills) or bool(recipe.exclude)
    return not recipe.flow or bool(recipe.exclude_flow)


def set_solver(solver: Any, recipe: Recipe, stage: Stage, files: StageFiles) -> None:
    """The recipe's values over the solver's own; snapshots and tests are the trainer's affair."""
    for name in ("train_net", "test_net", "net_param", "train_net_param", "test_net_param"):
        solver.ClearField(name)
    for name in ("test_iter", "test_interval", "test_state", "snapshot"):
        solver.ClearField(name)
    solver.net = str(files.net.absolute())
    solver.snapshot_prefix = str(files.snapshot_prefix.absolute())
    solver.max_iter = stage.iterations
    solver.display = 0
    solver.random_seed = recipe.seed
    if recipe.lr is not None:
        solver.base_lr = recipe.lr
    if recipe.lr_policy is not None:
        solver.lr_policy = recipe.lr_policy
    if recipe.warm_up is not None:
        solver.stepsize = recipe.warm_up
    if solver.lr_policy == "cosine":
        solver.stepsize = min(solver.stepsize, stage.iterations // 10)
    if recipe.weight_average is not None:
        solver.weight_average = recipe.weight_average


def let_layers_be_found(folder: NetFolder) -> None:
    """Modules of Python layers are searched beside the network's own files and in python_layers/;
    the files that run lie elsewhere."""
    places = [str(folder.path), str(ROOT / "python_layers")]
    given = os.environ.get("CAFFE_PYTHON_LAYERS", "")
    listed = given.split(os.pathsep) if given else []
    os.environ["CAFFE_PYTHON_LAYERS"] = os.pathsep.join(dict.fromkeys([*places, *listed]))


def _write(path: Path, message: Any) -> None:
    from google.protobuf import text_format

    path.write_text(text_format.MessageToString(message), encoding="utf-8")
