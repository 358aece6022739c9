"""SegFlow and segflow_lite with the flow branch of FlowNetC or PWC-Net: every stage runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import generate
import numpy as np
import numpy_net
import pytest
from moving_pairs import moving_pairs
from narrow_net import narrow
from net_text import NetLayer, read_net
from shape_walk import walk

caffe = pytest.importorskip("caffe", exc_type=ImportError)

from segflow.training.start_weights import upsampling_surgery  # noqa: E402

HEIGHT, WIDTH = 48, 64
CHANNELS = {"data": 3, "data2": 3, "label": 1, "weight": 1, "flow": 2}
INPUTS = {
    "train_seg": ("data", "data2", "label", "weight"),
    "train_flow": ("data", "data2", "flow"),
    "train_joint": ("data", "data2", "label", "weight", "flow"),
    "online": ("data", "data2", "label", "weight"),
}
STYLES = ["flownetc", "pwcnet"]
NETWORKS = ["segflow", "segflow_lite"]
#: layers of each part: of both networks and both styles, those that are there
SEGMENTATION = ("res5c_branch2c", "score_res5_con", "block16_project", "mask_conv5_1", "score2")
FLOW_TRUNK = {
    ("segflow", "flownetc"): ("conv1_flowC", "conv_redir", "conv6_1", "deconv2"),
    ("segflow", "pwcnet"): ("conv0_1_a", "conv6_0", "upsample_flow_6to5", "conv2_4"),
    ("segflow_lite", "flownetc"): ("pyramid1_1", "flow_redirected", "flow_refined2", "flow2"),
    ("segflow_lite", "pwcnet"): ("pyramid1_1", "flow_dense5_1", "up_flow2", "flow_context5"),
}
SOLVER = """net: "{}" type: "Adam" base_lr: {} lr_policy: "fixed" momentum: 0.9
momentum2: 0.999 max_iter: 1000 random_seed: 5 clip_gradients: 100
"""


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All networks for small frames."""
    folder = tmp_path_factory.mktemp("small")
    size = ["--height", str(HEIGHT), "--width", str(WIDTH), "--output", str(folder)]
    for network in NETWORKS:
        assert generate.main(["--net", network, *size]) == 0
    return folder / "ablations"


def stage_solver(folder: Path, stage: str, values: dict[str, np.ndarray], rate: float) -> Any:
    """A solver of the stage's narrow net, whose Input layers hold `values`."""
    shapes = {name: value.shape for name, value in values.items()}
    net_file = narrow(folder / f"{stage}.prototxt", folder / f"narrow_{stage}.prototxt", shapes)
    solver_file = folder / f"narrow_solver_{stage}.prototxt"
    solver_file.write_text(SOLVER.format(net_file, rate))
    solver = caffe.get_solver(str(solver_file))
    for name, value in values.items():
        solver.net.blobs[name].data[...] = value
    settle(solver.net)
    return solver


def settle(net: Any) -> None:
    """Statistics of unit variance, residual branches that begin small, means that stay."""
    for name, blobs in net.params.items():
        if name.startswith("bn") or name.endswith("/bn"):
            blobs[1].data[...] = blobs[2].data[...] = 1
        if name.startswith("scale") and name.endswith("branch2c"):
            blobs[0].data[...] = 0.2
        if name.endswith("s_aug"):
            blobs[0].data[...] = 1000


def one_iteration(folder: Path, stage: str) -> tuple[Any, set[str]]:
    """The stage's narrow net after one iteration, and the layers that learned in it."""
    random = np.random.default_rng(4)
    values = {}
    for name in INPUTS[stage]:
        low, high = (-100, 100) if name.startswith("data") else (1, 1)
        values[name] = random.uniform(low, high, (1, CHANNELS[name], HEIGHT, WIDTH))
    if "label" in values:
        values["label"][...] = np.arange(WIDTH) < WIDTH // 2
    solver = stage_solver(folder, stage, values, rate=0.001)
    net = solver.net
    before = {name: [np.array(blob.data) for blob in blobs] for name, blobs in net.params.items()}
    solver.step(1)
    return net, {
        name
        for name, blobs in net.params.items()
        if any(not np.array_equal(b.data, old) for b, old in zip(blobs, before[name], strict=True))
    }


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_stage_trains_its_branch_and_the_deploy_net_takes_the_weights(
    network: str, style: str, small: Path, tmp_path: Path
) -> None:
    folder = small / network / style
    stages = [stage for stage in INPUTS if (folder / f"{stage}.prototxt").exists()]
    assert set(stages) == set(INPUTS) - ({"train_joint"} if network == "segflow" else set())
    flow = set(FLOW_TRUNK[network, style])
    for stage in stages:
        net, learned = one_iteration(folder, stage)
        assert all(np.isfinite(blob.data).all() for blobs in net.params.values() for blob in blobs)
        masks = learned & set(SEGMENTATION)
        assert flow <= set(net.params) and len(set(SEGMENTATION) & set(net.params)) >= 2
        assert bool(masks) == (stage != "train_flow"), stage
        assert (flow <= learned) == (stage in ("train_flow", "train_joint")), stage
        assert bool(flow & learned) == (stage in ("train_flow", "train_joint")), stage
    net.save(str(tmp_path / "trained.caffemodel"))
    shapes = {name: (1, 3, HEIGHT, WIDTH) for name in ("data", "data2")}
    deploy_file = narrow(folder / "deploy.prototxt", tmp_path / "deploy.prototxt", shapes)
    deploy = caffe.Net(str(deploy_file), caffe.TEST)
    assert deploy.copy_from(str(tmp_path / "trained.caffemodel"))["untouched"] == []
    deploy.forward()
    assert deploy.blobs["score"].shape[2:] == deploy.blobs["score_flow"].shape[2:]


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("network", NETWORKS)
def test_two_pairs_are_learned_by_heart(network: str, style: str, small: Path) -> None:
    """segflow_lite both branches at once, SegFlow the flow with its segmentation branch frozen."""
    stage = "train_joint" if network == "segflow_lite" else "train_flow"
    pairs = moving_pairs(HEIGHT, WIDTH)
    values = {"data": pairs.frame1 - 115, "data2": pairs.frame2 - 115, "flow": pairs.flow}
    if stage == "train_joint":
        values |= {"label": pairs.mask, "weight": np.ones_like(pairs.mask)}
    solver = stage_solver(small / network / style, stage, values, rate=0.003)
    if network == "segflow":
        solver.net.params["scale_conv1"][0].data[...] = 0.01  # frames have values up to 150
        assert upsampling_surgery(solver.net, "upscore")
    solver.step(1)
    error_px = float(solver.net.blobs["end_point_error"].data)
    solver.step(80)
    assert float(solver.net.blobs["end_point_error"].data) < 0.35 * error_px
    if stage == "train_joint":
        wrong = (solver.net.blobs["score"].data > 0) != (pairs.mask > 0)
        assert wrong.mean() < 0.3 * pairs.mask.mean()


@pytest.mark.parametrize("style", STYLES)
@pytest.mark.parametrize("network", NETWORKS)
def test_every_blob_of_the_deploy_net_equals_the_formulas(
    network: str, style: str, small: Path, tmp_path: Path
) -> None:
    shapes = {name: (1, 3, HEIGHT, WIDTH) for name in ("data", "data2")}
    source = small / network / style / "deploy.prototxt"
    file = narrow(source, tmp_path / "deploy.prototxt", shapes)
    caffe.set_random_seed(2)
    net = caffe.Net(str(file), caffe.TEST)
    settle(net)
    for blobs in net.params.values():
        if len(blobs) == 2 and blobs[1].data.shape == (2,):
            blobs[1].data[...] = (0.31, -0.17)  # no flow ends within rounding of the border
    pairs = moving_pairs(HEIGHT, WIDTH)
    inputs = {"data": pairs.frame1[:1] - 115, "data2": pairs.frame2[:1] - 115}
    for name, frame in inputs.items():
        net.blobs[name].data[...] = frame
    net.forward()
    weights = {n: [np.array(blob.data) for blob in blobs] for n, blobs in net.params.items()}
    exact = {name: frame.astype(np.float64) for name, frame in inputs.items()}
    for blob, values in numpy_net.run(read_net(file), weights, exact).items():
        scale = np.sqrt((values**2).mean()) + 1e-6
        found = net.blobs[blob].data
        np.testing.assert_allclose(found / scale, values / scale, atol=5e-4, err_msg=blob)


@pytest.mark.parametrize("style", STYLES)
def test_lite_branches_are_as_small_as_its_own(style: str, prototxt_dir: Path) -> None:
    own = walk(read_net(prototxt_dir / "segflow_lite" / "deploy.prototxt"))
    other = walk(read_net(prototxt_dir / "ablations/segflow_lite" / style / "deploy.prototxt"))
    for blob in ("score", "score_flow", "flow5", "flow2", "mask_input5", "mask_input2"):
        assert other.blobs[blob] == own.blobs[blob]
    assert other.param_count < 8_000_000 and other.multiply_adds < 12.5e9
    assert 0.5 < other.multiply_adds / own.multiply_adds < 2


@pytest.mark.parametrize("style", STYLES)
def test_segflow_keeps_the_published_trunk_preparation_and_decoders(
    style: str, prototxt_dir: Path
) -> None:
    """All but the flow trunk, whatever its features are called."""
    folders = (prototxt_dir / "segflow", prototxt_dir / "ablations/segflow" / style)
    own, other = (read_net(folder / "deploy.prototxt") for folder in folders)
    for mine, published in (
        (_up_to(other, "Resample1"), _up_to(own, "Resample1")),
        (_up_to(other[::-1], "Eltwise4"), _up_to(own[::-1], "Eltwise4")),
    ):
        texts = [re.sub(r"denseconcat(\d)_4", r"concat\1", str(layer.message)) for layer in mine]
        assert texts == [str(layer.message) for layer in published]


def _up_to(layers: list[NetLayer], name: str) -> list[NetLayer]:
    return layers[: 1 + [layer.name for layer in layers].index(name)]
