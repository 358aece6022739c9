"""The flow networks in the engine: frames of any size, weights by name, and that they learn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import net_text
import numpy as np
import numpy_net
import pytest
import tiny_sets
from moving_pairs import moving_pairs
from narrow_net import narrow
from numpy_layers import resample_linear

caffe = pytest.importorskip("caffe", exc_type=ImportError)

NETS = ["flownets", "flownetc", "pwcnet"]
FRAMES = ("img0", "img1")
RATES = dict.fromkeys(NETS, 0.003)
STEPS = dict.fromkeys(NETS, 60)
SOLVER = """net: "{}" type: "Adam" base_lr: {} lr_policy: "fixed" momentum: 0.9
momentum2: 0.999 max_iter: 1000 random_seed: 5
weight_decay: 0.0004
"""


@pytest.fixture
def deploy(name: str, prototxt_dir: Path, tmp_path: Path) -> Path:
    """The narrow deploy net of the network `name`."""
    shapes = dict.fromkeys(FRAMES, (1, 3, 64, 64))
    caffe.set_random_seed(1)
    return narrow(prototxt_dir / name / "deploy.prototxt", tmp_path / "deploy.prototxt", shapes)


def run_at(net: Any, size: tuple[int, int]) -> None:
    """Two frames of a moving texture of that size through the net."""
    height, width = size
    picture = tiny_sets.texture(3, height + 4, width + 4).transpose(2, 0, 1)
    for frame, offset in zip(FRAMES, (0, 2), strict=True):
        net.blobs[frame].reshape(1, 3, *size)
        net.blobs[frame].data[...] = picture[:, offset:, offset:][:, :height, :width]
    net.reshape()
    net.forward()


@pytest.mark.parametrize("name", NETS)
def test_flow_of_frames_of_any_size_is_in_their_pixels(deploy: Path) -> None:
    """The same net, reshaped: stretched to multiples of 64, and its flow brought back."""
    net = caffe.Net(str(deploy), caffe.TEST)
    for size in ((64, 64), (75, 101), (33, 150), (128, 64)):
        adapted = tuple(-(-side // 64) * 64 for side in size)
        run_at(net, size)
        assert tuple(net.blobs["img0_nomean_resize"].shape[2:]) == adapted
        coarse, flow = net.blobs["blob44"].data, net.blobs["predict_flow_final"].data
        assert coarse.shape[2:] == (adapted[0] // 4, adapted[1] // 4)
        factors = np.array([size[1] / adapted[1], size[0] / adapted[0]])[:, None, None]
        np.testing.assert_allclose(flow, resample_linear(coarse, *size) * factors, atol=1e-4)
        assert np.abs(flow).max() > 1e-3


@pytest.mark.parametrize("name", NETS)
def test_every_blob_equals_the_formulas(deploy: Path) -> None:
    net = caffe.Net(str(deploy), caffe.TEST)
    for layer in ("img0s_aug", "img1s_aug"):
        if layer in net.params:
            net.params[layer][0].data[...] = 1000  # the means are settled
            net.params[layer][2].data[...] = np.reshape([0.41, 0.43, 0.45], (1, 3, 1, 1))
    for name, blobs in net.params.items():
        if name != "Convolution6" and len(blobs) == 2 and blobs[1].data.shape == (2,):
            blobs[1].data[...] = (0.31, -0.17)  # no flow ends within rounding of the border
    run_at(net, (75, 101))
    weights = {n: [np.array(blob.data) for blob in blobs] for n, blobs in net.params.items()}
    inputs = {frame: np.array(net.blobs[frame].data, np.float64) for frame in FRAMES}
    expected = numpy_net.run(net_text.read_net(deploy), weights, inputs)
    for blob, values in expected.items():
        scale = np.sqrt((values**2).mean()) + 1e-6
        found = net.blobs[blob].data
        np.testing.assert_allclose(found / scale, values / scale, atol=2e-4, err_msg=blob)


@pytest.mark.parametrize("name", NETS)
def test_published_weights_load_by_name_into_nets_for_another_size(
    deploy: Path, tmp_path: Path
) -> None:
    """They hold a mean image of their own size, and nothing for Convolution6."""
    published = tmp_path / "published.prototxt"
    text = deploy.read_text().replace("Convolution6", "other").replace("dim: 64", "dim: 128")
    published.write_text(text)
    theirs, mine = (caffe.Net(str(file), caffe.TEST) for file in (published, deploy))
    run_at(theirs, (128, 128))
    for layer in ("img0s_aug", "img1s_aug"):
        if layer in theirs.params:
            theirs.params[layer][0].data[...] = 1000
    theirs.save(str(tmp_path / "published.caffemodel"))
    report = mine.copy_from(str(tmp_path / "published.caffemodel"))
    assert report["untouched"] == ["Convolution6"]
    for net in (theirs, mine):
        run_at(net, (75, 101))
    np.testing.assert_array_equal(*(n.blobs["predict_flow_final"].data for n in (theirs, mine)))


@pytest.mark.parametrize("name", NETS)
def test_two_pairs_are_learned_by_heart(
    name: str, deploy: Path, prototxt_dir: Path, tmp_path: Path
) -> None:
    """Of a size that is stretched. One flow for both pairs would leave 90 % of the error."""
    made = moving_pairs(60, 70)
    pairs = {"img0": made.frame1, "img1": made.frame2, "flow": made.flow}
    shapes = {blob: values.shape for blob, values in pairs.items()}
    net = narrow(prototxt_dir / name / "train_flow.prototxt", tmp_path / "train.prototxt", shapes)
    solver_file = tmp_path / "solver.prototxt"
    solver_file.write_text(SOLVER.format(net, RATES[name]))
    solver = caffe.get_solver(str(solver_file))
    for blob, values in pairs.items():
        solver.net.blobs[blob].data[...] = values
    solver.step(1)
    error_px = float(solver.net.blobs["end_point_error"].data)
    solver.step(STEPS[name])
    assert float(solver.net.blobs["end_point_error"].data) < 0.3 * error_px
    assert error_px > 2
    still = solver.net.params["Convolution6"]
    np.testing.assert_array_equal(still[0].data[:, :, 0, 0], np.eye(2))
