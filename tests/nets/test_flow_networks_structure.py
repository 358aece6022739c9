"""prototxt/flownets, flownetc and pwcnet equal the published templates, layer for layer.

Left out of the comparison are the layers that read and write files, and what the templates leave
to a script: the image's size, that of the multiple of 64, and the ratio of both.
"""

from __future__ import annotations

import csv
import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from net_text import Message, NetLayer, read_net
from shape_walk import walk

Shared = Callable[[str], Path]
Row = tuple[str, ...]

#: of the rows of facts/nets/*_deploy.csv in the form that `_row` describes
PUBLISHED = {
    "flownets": "fd7f0f04f2132998481f665bb1b5d41ebc690e7a3386cfb233b979e904de9115",
    "flownetc": "f511228751d0fdfbc2327aef8219151465abfe6eb57c5510a09afa0776943930",
    "pwcnet": "fe45b2cd9a92e3e2a2b6a40148f15001cb5a21aebb1ca85aa798b2de04f74fd1",
}
PARAMETER_VALUES = {"flownets": 38_676_520, "flownetc": 39_175_304, "pwcnet": 9_374_280}
NETS = list(PUBLISHED)

_FILES = {"Input", "ImageData", "ImageOnlyData", "Silence", "FLOWriter"}
_OURS = {"adapted_size": "Pad", "scale_to_frame": "FlowScale"}
#: what a script writes into the templates
_BY_SIZE = re.compile(r"resample_param\.(width|height)|crop_(width|height)|diag_val")


def _row(
    name: str, type_: str, bottoms: list[str], tops: list[str], settings: list[str], shapes: str
) -> Row:
    """Settings sorted, numbers as Python writes them; of a Resample only the first bottom."""
    if type_ == "Resample":
        bottoms = bottoms[:1]
    kept = sorted(_normal(pair) for pair in settings if pair and not _BY_SIZE.search(pair))
    if type_ == "DataAugmentation":
        shapes = ""  # the running mean's is the image's
    return (name, type_, "|".join(bottoms), "|".join(tops), ";".join(kept), shapes)


def _normal(pair: str) -> str:
    name, _, value = pair.partition("=")
    try:
        return f"{name}={float(value)}"
    except ValueError:
        return pair


def _rows_of_table(path: Path) -> list[Row]:
    with path.open(newline="") as stream:
        return [
            _row(
                row["name"],
                row["type"],
                row["bottoms"].split("|"),
                row["tops"].split("|"),
                row["params"].rstrip(",").split(";"),
                row["param_blob_shapes"] or "",
            )
            for row in csv.DictReader(stream)
            if row["type"] not in _FILES
        ]


def _rows_of_net(layers: list[NetLayer]) -> list[Row]:
    params: dict[str, list[str]] = {}
    for layer, _, shape in walk(layers).params:
        params.setdefault(layer, []).append("x".join(map(str, shape)))
    return [
        _row(
            layer.name,
            layer.type,
            list(layer.bottoms),
            list(layer.tops),
            _settings(layer),
            "|".join(params.get(layer.name, [])),
        )
        for layer in layers
        if layer.type not in _FILES and layer.name not in _OURS
    ]


def _settings(layer: NetLayer) -> list[str]:
    """As the table has them: a convolution's without the name of its message."""
    pairs = _flat(Message({"param": layer.message.get("param", [])}), "")
    for name, values in layer.message.items():
        if name.endswith("_param"):
            pairs += _flat(values[0], "" if name == "convolution_param" else f"{name}.")
    return [re.sub("^kernel_size=", "kernel=", pair) for pair in pairs]


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


def _digest(rows: list[Row]) -> str:
    return hashlib.sha256("".join("|".join(row) + "\n" for row in rows).encode()).hexdigest()


def _deploy(prototxt_dir: Path, name: str) -> list[NetLayer]:
    return read_net(prototxt_dir / name / "deploy.prototxt")


@pytest.mark.parametrize("name", NETS)
def test_net_equals_the_published_table(name: str, prototxt_dir: Path, shared: Shared) -> None:
    published = _rows_of_table(shared(f"facts/nets/{name}_deploy.csv"))
    ours = _rows_of_net(_deploy(prototxt_dir, name))
    assert _digest(published) == PUBLISHED[name]
    for mine, theirs in zip(ours, published, strict=True):
        assert mine == theirs


@pytest.mark.parametrize("name", NETS)
def test_net_equals_the_committed_digest(name: str, prototxt_dir: Path) -> None:
    assert _digest(_rows_of_net(_deploy(prototxt_dir, name))) == PUBLISHED[name]


@pytest.mark.parametrize("name", NETS)
def test_what_is_ours_reads_sizes_only(name: str, prototxt_dir: Path) -> None:
    layers = {layer.name: layer for layer in _deploy(prototxt_dir, name)}
    for layer, kind in _OURS.items():
        assert layers[layer].type == kind
    readers = [layer for layer in layers.values() if "adapted_size" in layer.bottoms]
    assert {layer.name for layer in readers} == {"Resample1", "Resample2"}
    assert all(layer.bottoms[1] == "adapted_size" for layer in readers)


@pytest.mark.parametrize("size", [(480, 854), (436, 1024), (384, 512), (75, 101), (1, 1)])
@pytest.mark.parametrize("name", NETS)
def test_flow_has_the_size_of_frames_of_any(
    name: str, size: tuple[int, int], prototxt_dir: Path
) -> None:
    layers = _deploy(prototxt_dir, name)
    for layer in layers:
        if layer.type == "Input":
            layer.settings("input_param").sub("shape")["dim"][2:] = size
    blobs = walk(layers).blobs
    adapted = tuple(-(-side // 64) * 64 for side in size)
    assert blobs["img0_nomean_resize"] == blobs["img1_nomean_resize"] == (1, 3, *adapted)
    assert blobs["predict_flow6"][2:] == tuple(side // 64 for side in adapted)
    assert blobs["predict_flow_final"] == (1, 2, *size)


@pytest.mark.parametrize("name", NETS)
def test_training_net_has_the_same_layers_with_parameters(name: str, prototxt_dir: Path) -> None:
    inputs = {"img0": (8, 3, 320, 448), "img1": (8, 3, 320, 448), "flow": (8, 2, 320, 448)}
    train = walk(read_net(prototxt_dir / name / "train_flow.prototxt"), inputs)
    deploy = walk(_deploy(prototxt_dir, name))
    learned = [p for p in deploy.params if not p[0].endswith("_aug") and p[0] != "Convolution6"]
    assert [p for p in train.params if not p[0].endswith("_aug") and p[0] != "Convolution6"] == (
        learned
    )
    own = 6  # Convolution6 brings the flow into the frame's pixels; here other layers do
    values = sum(_count(shape) for _, _, shape in learned)
    assert values + own == PARAMETER_VALUES[name]
    for level in range(2, 7):
        assert train.blobs[f"true_flow{level}"] == train.blobs[f"predict_flow{level}"]


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
