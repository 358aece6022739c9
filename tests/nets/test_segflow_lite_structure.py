"""prototxt/segflow_lite: size, trunk names, what each stage trains, where gradients stop."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import pytest
from net_text import NetLayer, read_net
from shape_walk import Shape, Walk, walk

STAGES = ("train_seg", "train_flow", "train_joint", "online")
MASK_LOSS = ("SigmoidCrossEntropyLoss", "SoftIoULoss")


def _inputs(n: int, height: int, width: int) -> dict[str, Shape]:
    channels = {"data": 3, "data2": 3, "label": 1, "weight": 1, "flow": 2}
    return {name: (n, count, height, width) for name, count in channels.items()}


def _walk_at(layers: list[NetLayer], n: int, height: int, width: int) -> Walk:
    """As if the Input layers had been reshaped to these sizes."""
    inputs = _inputs(n, height, width)
    for layer in layers:
        if layer.type == "Input":
            layer.settings("input_param").sub("shape")["dim"] = list(inputs[layer.name])
    return walk(layers, inputs)


@pytest.fixture
def deploy(prototxt_dir: Path) -> list[NetLayer]:
    return read_net(prototxt_dir / "segflow_lite" / "deploy.prototxt")


def test_deploy_keeps_to_its_budget_of_parameters_and_arithmetic(deploy: list[NetLayer]) -> None:
    found = walk(deploy)
    assert found.blobs["data"] == (1, 3, 480, 854)
    assert found.param_count <= 8_000_000
    assert 2 * found.multiply_adds <= 25e9
    # the tried design: 4.45 M without BatchNorm statistics, 24.2 GFLOP without correlation
    statistics = {layer.name for layer in deploy if layer.type == "BatchNorm"}
    values = sum(_size(shape) for name, _, shape in found.params if name not in statistics)
    assert values == pytest.approx(4.45e6, abs=0.005e6)
    assert 2 * found.multiply_adds == pytest.approx(24.2e9, rel=0.01)


def _size(shape: Shape) -> int:
    count = 1
    for side in shape:
        count *= side
    return count


@pytest.mark.parametrize("size", [(480, 854), (32, 32), (33, 65), (360, 640), (1, 1)])
def test_results_have_the_frames_size_for_any_frame(
    deploy: list[NetLayer], size: tuple[int, int]
) -> None:
    found = _walk_at(deploy, 2, *size)
    assert found.blobs["score"] == (2, 1, *size)
    assert found.blobs["score_flow"] == (2, 2, *size)


def test_levels_have_the_channels_of_the_design(deploy: list[NetLayer]) -> None:
    blobs = walk(deploy).blobs
    exchange = {5: 24, 4: 24, 3: 16, 2: 12}
    displacements = {5: 81, 4: 81, 3: 81, 2: 49}
    mask_input = {5: 96 + 64, 4: 96 + 64, 3: 64 + 40, 2: 64 + 32}
    for level in (5, 4, 3, 2):
        size = (480 // 2**level, 864 // 2**level)
        coarser = 0 if level == 5 else 32 + 2
        channels = displacements[level] + 32 + coarser + exchange[level]
        assert blobs[f"flow_input{level}"] == (1, channels, *size)
        assert blobs[f"flow{level}"] == (1, 2, *size)
        assert blobs[f"mask_input{level}"] == (1, mask_input[level] + 32 + 2, *size)


def test_trunk_is_the_bundled_classifier_without_its_head(
    deploy: list[NetLayer], shared: Callable[[str], Path]
) -> None:
    table = shared("models/efficientnet_lite0/net.csv")
    with table.open(newline="") as stream:
        rows = [row for row in csv.DictReader(stream) if row["name"] != "data"]
    found = walk(deploy)
    names = [layer.name for layer in deploy]
    start = names.index("stem")
    params: dict[str, list[str]] = {}
    for name, _, shape in found.params:
        params.setdefault(name, []).append("x".join(map(str, shape)))
    for row, layer in zip(rows, deploy[start : start + len(rows)], strict=True):
        assert (layer.name, layer.type) == (row["name"], row["type"])
        bottoms = tuple(row["bottoms"].replace("|", ";").split(";"))
        assert [b.replace("frame1", "data") for b in layer.bottoms] == list(bottoms)
        assert layer.tops == (row["tops"],)
        shapes = [shape for shape in row["param_blob_shapes"].split("|") if shape]
        assert params.get(layer.name, []) == shapes
        for message in ("convolution_param", "batch_norm_param", "clip_param"):
            for key, values in layer.settings(message).items():
                if key != "weight_filler":
                    text = row["params"].split(f"{message}.{key}=")[1].split(";")[0]
                    value = values[0]
                    assert float(text == "true" if isinstance(value, bool) else text) == value


@pytest.mark.parametrize("stage", STAGES)
def test_every_stage_holds_the_whole_model(
    stage: str, prototxt_dir: Path, deploy: list[NetLayer]
) -> None:
    layers = read_net(prototxt_dir / "segflow_lite" / f"{stage}.prototxt")
    params = _walk_at(layers, 2, 192, 320).params
    coarse_scores = [row for row in params if row[0] in ("score3", "score4")]
    assert len(coarse_scores) == 4
    assert sorted(row for row in params if row not in coarse_scores) == sorted(walk(deploy).params)


def _part(name: str) -> str:
    if name.startswith(("stem", "block")):
        return "trunk"
    return "mask" if name.startswith(("mask", "score")) else "flow"


@pytest.mark.parametrize(
    ("stage", "learning"),
    [
        ("train_seg", {"trunk", "mask"}),
        ("online", {"trunk", "mask"}),
        ("train_flow", {"flow"}),
        ("train_joint", {"trunk", "mask", "flow"}),
    ],
)
def test_stage_trains_its_parts_and_nothing_else(
    stage: str, learning: set[str], prototxt_dir: Path
) -> None:
    layers = read_net(prototxt_dir / "segflow_lite" / f"{stage}.prototxt")
    blob_counts: dict[str, int] = {}
    for name, _, _ in _walk_at(layers, 1, 64, 64).params:
        blob_counts[name] = blob_counts.get(name, 0) + 1
    for layer in layers:
        if layer.name not in blob_counts:
            continue
        rates = layer.lr_mults + [None] * (blob_counts[layer.name] - len(layer.lr_mults))
        frozen = _part(layer.name) not in learning or layer.type in ("BatchNorm", "Normalize")
        if frozen:
            assert rates == [0] * len(rates), layer.name
        elif _part(layer.name) == "trunk":
            assert all(0.1 < rate < 0.3 for rate in rates), layer.name
        else:
            assert rates == [None] * len(rates), layer.name


def _reached(layers: list[NetLayer], losses: tuple[str, ...]) -> set[str]:
    """Layers that the gradient of the losses reaches, by the propagate_down rules."""
    wanted: set[str] = set()
    reached: set[str] = set()
    for layer in reversed(layers):
        is_loss = layer.type in losses and layer.message.one("loss_weight", 1) != 0
        if not is_loss and not wanted.intersection(layer.tops):
            continue
        reached.add(layer.name)
        propagate = layer.message.get("propagate_down") or [True] * len(layer.bottoms)
        wanted |= {name for name, down in zip(layer.bottoms, propagate, strict=True) if down}
    return reached


def test_gradients_stop_at_the_exchange(prototxt_dir: Path) -> None:
    layers = read_net(prototxt_dir / "segflow_lite" / "train_joint.prototxt")
    params = {name for name, _, _ in _walk_at(layers, 1, 64, 64).params}
    by_mask = _reached(layers, MASK_LOSS) & params
    by_flow = _reached(layers, ("L1Loss",)) & params
    assert {_part(name) for name in by_mask} == {"trunk", "mask"}
    assert {_part(name) for name in by_flow} == {"flow"}
    assert by_mask | by_flow == params


def test_losses_have_the_weights_of_the_design(prototxt_dir: Path) -> None:
    layers = read_net(prototxt_dir / "segflow_lite" / "train_joint.prototxt")
    weights = {layer.name: layer.message.one("loss_weight") for layer in layers if layer.tops}
    assert [weights[f"cross_entropy{level}"] for level in (2, 3, 4)] == [2, 0.6, 0.4]
    assert [weights[f"soft_iou{level}"] for level in (2, 3, 4)] == [1, 0.3, 0.2]
    assert [weights[f"flow_loss{level}"] for level in (5, 4, 3, 2)] == [0.15, 0.15, 0.3, 1]
    assert weights["end_point_error"] == 0
    found = _walk_at(layers, 2, 192, 320)
    for layer in layers:
        if layer.type in (*MASK_LOSS, "L1Loss"):
            shapes = {found.blobs[name] for name in layer.bottoms}
            assert len(shapes) == 1, f"{layer.name}: {shapes}"


def test_losses_fit_frames_that_are_no_multiple_of_32(prototxt_dir: Path) -> None:
    layers = read_net(prototxt_dir / "segflow_lite" / "train_joint.prototxt")
    found = _walk_at(layers, 1, 100, 170)
    for layer in layers:
        if layer.type in (*MASK_LOSS, "L1Loss"):
            assert len({found.blobs[name] for name in layer.bottoms}) == 1, layer.name


@pytest.mark.parametrize(
    ("variant", "absent", "reads"),
    [
        ("without_flow", "flow", set()),
        ("without_segmentation", "block", set()),
        ("flow_to_segmentation", "segmentation_to_flow", {"mask_input3"}),
        ("segmentation_to_flow", None, {"segmentation_to_flow3"}),
    ],
)
def test_ablation_lacks_what_its_name_says(
    variant: str, absent: str | None, reads: set[str], prototxt_dir: Path
) -> None:
    folder = prototxt_dir / "ablations" / "segflow_lite" / variant
    layers = {layer.name: layer for layer in read_net(folder / "deploy.prototxt")}
    if absent:
        assert not any(name.startswith(absent) for name in layers)
    assert reads <= set(layers)
    decoder_reads_flow = "flow3" in layers["mask_input3"].bottoms if "mask_input3" in layers else 0
    assert decoder_reads_flow == (variant == "flow_to_segmentation")


def test_without_online_makes_no_iteration(prototxt_dir: Path) -> None:
    folder = prototxt_dir / "ablations" / "segflow_lite" / "without_online"
    assert "max_iter: 0\n" in (folder / "solver_online.prototxt").read_text()
    whole = (prototxt_dir / "segflow_lite" / "deploy.prototxt").read_text()
    assert (folder / "deploy.prototxt").read_text() == whole
