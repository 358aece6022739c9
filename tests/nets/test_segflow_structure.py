"""prototxt/segflow equals the published nets: every layer, blob and parameter."""

from __future__ import annotations

import csv
import hashlib
import math
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from net_text import Message, NetLayer, read_net
from shape_walk import walk

Shared = Callable[[str], Path]
Row = tuple[str, ...]

#: of the rows of facts/segflow_*.csv in the form that `_digest` describes
PUBLISHED = {
    "deploy_layers": "3fd486c7c599fa1f8adf782ac79549fe95b1ae07b51d5662bf77832f24606003",
    "train_layers": "e8735cdb5c1e6438503ae1b28dda9aee2ec0ea16de6083b89089831a42746a83",
    "blobs": "c59b9c74636af8f228a8cb4918f43200f5810c93edb6ac85e9a42e5f015c35c1",
    "params": "437b544f7a0c72f1f4ddf85b4af5b2744e0aba9f83559be661f2f691a90c1f5a",
}
PARAMETER_VALUES = 83_765_244


def _digest(rows: list[Row]) -> str:
    """SHA-256 of the rows, cells separated by `|`, a row a line."""
    return hashlib.sha256("".join("|".join(row) + "\n" for row in rows).encode()).hexdigest()


def _flat(message: Message, prefix: str) -> list[str]:
    pairs = []
    for name, values in message.items():
        for value in values:
            if isinstance(value, Message):
                pairs += _flat(value, f"{prefix}{name}.")
            else:
                text = str(value).lower() if isinstance(value, bool) else str(value)
                pairs.append(f"{prefix}{name}={text}")
    return pairs


def _without_data_path(settings: str) -> str:
    return re.sub(r"'davis_dir': '[^']*'", "'davis_dir': ''", settings)


def _layer_rows_of_net(layers: list[NetLayer]) -> list[Row]:
    rows = []
    for layer in layers:
        settings = {key: value for key, value in layer.message.items() if key.endswith("_param")}
        rates = layer.message.get("param", [])
        rows.append(
            (
                layer.name,
                layer.type,
                ";".join(layer.bottoms),
                ";".join(layer.tops),
                _without_data_path(";".join(sorted(_flat(Message(settings), "")))),
                ";".join(str(rate.one("lr_mult")) for rate in rates if "lr_mult" in rate),
                ";".join(str(rate.one("decay_mult")) for rate in rates if "decay_mult" in rate),
            )
        )
        other = set(layer.message) - set(settings)
        assert other <= {"name", "type", "bottom", "top", "param"}, layer.name
    return rows


def _layer_rows_of_table(path: Path) -> list[Row]:
    with path.open(newline="") as stream:
        return [
            (
                *(row[key] for key in ("name", "type", "bottoms", "tops")),
                _without_data_path(";".join(sorted(re.split(r";(?=\w+_param\.)", row["params"])))),
                row["lr_mult"],
                row["decay_mult"],
            )
            for row in csv.DictReader(stream)
        ]


def _table(path: Path, *columns: str) -> list[Row]:
    with path.open(newline="") as stream:
        return [tuple(row[column] for column in columns) for row in csv.DictReader(stream)]


def _shape_text(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape))


def _rows(what: str, prototxt_dir: Path) -> list[Row]:
    """The bundled nets' rows of one kind."""
    deploy = read_net(prototxt_dir / "segflow" / "deploy.prototxt")
    if what == "deploy_layers":
        return _layer_rows_of_net(deploy)
    if what == "train_layers":
        return _layer_rows_of_net(read_net(prototxt_dir / "segflow" / "train_seg.prototxt"))
    found = walk(deploy)
    if what == "blobs":
        return [(layer, top, _shape_text(shape)) for layer, top, shape in found.tops]
    return [(layer, str(index), _shape_text(shape)) for layer, index, shape in found.params]


def _published_rows(what: str, shared: Shared) -> list[Row]:
    if what.endswith("layers"):
        return _layer_rows_of_table(shared(f"facts/segflow_{what}.csv"))
    columns = {"blobs": ("layer", "top", "shape"), "params": ("layer", "index", "shape")}
    return _table(shared(f"facts/segflow_{what}.csv"), *columns[what])


@pytest.mark.parametrize("what", PUBLISHED)
def test_net_equals_the_published_table(what: str, prototxt_dir: Path, shared: Shared) -> None:
    published, ours = _published_rows(what, shared), _rows(what, prototxt_dir)
    assert _digest(published) == PUBLISHED[what]
    assert len(ours) == len(published)
    for mine, theirs in zip(ours, published, strict=True):
        assert mine == theirs


@pytest.mark.parametrize("what", PUBLISHED)
def test_net_equals_the_committed_digest(what: str, prototxt_dir: Path) -> None:
    assert _digest(_rows(what, prototxt_dir)) == PUBLISHED[what]


@pytest.mark.parametrize("stage", ["deploy", "train_seg", "train_flow", "online"])
def test_every_stage_has_the_published_parameters(stage: str, prototxt_dir: Path) -> None:
    frame = (1, 3, 480, 854)
    inputs = {"data": frame, "data2": frame, "label": (1, 1, 480, 854), "weight": (1, 480, 854)}
    inputs["flow"] = (1, 2, 480, 854)
    layers = read_net(prototxt_dir / "segflow" / f"{stage}.prototxt")
    found = walk(layers, inputs)
    assert found.param_count == PARAMETER_VALUES
    assert found.params == walk(read_net(prototxt_dir / "segflow" / "deploy.prototxt")).params


def test_arithmetic_is_that_of_the_published_net(prototxt_dir: Path) -> None:
    found = walk(read_net(prototxt_dir / "segflow" / "deploy.prototxt"))
    assert math.isclose(found.multiply_adds / 1e9, 99.3, abs_tol=0.05)


def _learning(layers: list[NetLayer], params: set[str]) -> set[str]:
    """Layers with parameters of which some learn."""
    return {
        layer.name
        for layer in layers
        if layer.name in params and (not layer.lr_mults or any(r != 0 for r in layer.lr_mults))
    }


def test_stages_beyond_the_published_train_one_branch(prototxt_dir: Path) -> None:
    folder = prototxt_dir / "segflow"
    with_params = {layer for layer, _, _ in walk(read_net(folder / "deploy.prototxt")).params}
    flow = _learning(read_net(folder / "train_flow.prototxt"), with_params)
    online = _learning(read_net(folder / "online.prototxt"), with_params)
    images = {"img0s_aug", "img1s_aug"}  # their blobs never learn, whatever the prototxt says
    decoder = {f"score_res{level}_con" for level in (5, 4, 3)}
    assert {f"{name}_flow" for name in decoder} < flow
    assert {"conv1_flowS", "conv6_1", "deconv2", "upsample_flow3to2", "Convolution5"} < flow
    assert not any(name.startswith(("res", "bn", "scale")) for name in flow)
    assert decoder | {"conv1", "res2a_branch1", "res5c_branch2c", "scale5c_branch2c"} <= online
    assert (flow & online) - images == set()
