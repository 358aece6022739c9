"""What users of Caffe and its forks ran into, each with the values that are right.

The numbers of the cases are those of the collection of user reports; cases that a layer's or a
command's own tests hold already are not repeated here.
"""

import resource
from pathlib import Path
from typing import Any

import numpy as np
import pytest

caffe = pytest.importorskip("caffe", exc_type=ImportError)

from bad_input_workshop import frames, layer  # noqa: E402

FLOW_TYPES = {
    "Correlation": ("x z", "correlation_param { kernel_size: 1 max_displacement: 2 pad: 2 }"),
    "FlowWarp": ("x f", ""),
    "Warp": ("x f", ""),
    "Resample": ("x", "resample_param { width: 4 height: 3 type: LINEAR }"),
    "Downsample": ("x", "downsample_param { top_height: 3 top_width: 2 }"),
    "ChannelNorm": ("x", ""),
    "L1Loss": ("x z", "l1_loss_param { l2_per_location: true }"),
    "Correlation1D": ("x z", "correlation_param { kernel_size: 1 max_displacement: 2 pad: 2 }"),
    "Grid": ("x", ""),
    "Accum": ("x z", "accum_param { size_divisible_by: 4 }"),
    "LpqLoss": ("x z", "lpq_loss_param { p: 2 q: 0.5 }"),
    "Mean": ("x", "mean_param { operation: SUBTRACT value: 100 }"),
    "NegReLU": ("x", ""),
    "NegSquare": ("x", ""),
    "ExpMax": ("x", "expmax_param { base: 2 }"),
    "DataAugmentation": ("x", "augmentation_param { crop_width: 4 crop_height: 4 }"),
}


@pytest.fixture
def build(tmp_path: Path) -> Any:
    """A net of a text, in a phase."""

    def build_net(text: str, phase: int = caffe.TEST) -> Any:
        path = tmp_path / "net.prototxt"
        path.write_text(text)
        return caffe.Net(str(path), phase)

    return build_net


@pytest.mark.parametrize("kind", FLOW_TYPES)
def test_2_layers_of_the_flow_forks_build_and_run(build: Any, kind: str) -> None:
    bottoms, parameters = FLOW_TYPES[kind]
    text = frames(1, 3, 6, 8) + frames(1, 3, 6, 8, top="z") + frames(1, 2, 6, 8, top="f")
    used = bottoms.split()
    silent = [name for name in "xzf" if name not in used]
    text += "".join(
        f"layer {{ name: 's{name}' type: 'Silence' bottom: '{name}' }}\n" for name in silent
    )
    net = build(text + layer(kind, parameters, bottoms))
    assert kind in caffe.layer_type_list()
    assert np.isfinite(net.forward()["y"]).all()


def test_4_windows_wholly_outside_are_zero(build: Any) -> None:
    net = build(frames(1, 1, 6, 6) + layer("Pooling", "pooling_param { kernel_size: 1 stride: 2 }"))
    out = net.forward(x=np.arange(36).reshape(1, 1, 6, 6))["y"][0, 0]
    expected = [[0, 2, 4, 0], [12, 14, 16, 0], [24, 26, 28, 0], [0, 0, 0, 0]]
    np.testing.assert_array_equal(out, expected)


def test_5_an_average_divides_by_the_cut_window(build: Any) -> None:
    pool = "pooling_param { pool: AVE kernel_size: 3 stride: 2 pad: 1 }"
    net = build(frames(1, 1, 4, 4) + layer("Pooling", pool))
    side = np.array([2 / 3, 1, 1 / 2])
    out = net.forward(x=np.ones((1, 1, 4, 4)))["y"][0, 0]
    np.testing.assert_allclose(out, np.outer(side, side), rtol=1e-6)


def test_6_a_failed_reshape_leaves_the_net_usable(build: Any) -> None:
    text = frames(1, 1, 6, 6)
    text += layer(
        "Convolution",
        "convolution_param { num_output: 1 kernel_size: 3 stride: 2 pad: 1 }",
        top="c",
    )
    text += layer(
        "Deconvolution",
        "convolution_param { num_output: 1 kernel_size: 4 stride: 2 pad: 1 }",
        "c",
        "d",
    ).replace("'bad'", "'up'")
    text += layer("Eltwise", "", "d x").replace("'bad'", "'sum'")
    net = build(text)
    net.blobs["x"].reshape(1, 1, 5, 6)
    with pytest.raises(caffe.Error, match="(?s)'sum'.*5 6"):
        net.reshape()
    net.blobs["x"].reshape(1, 1, 6, 6)
    net.reshape()
    x = np.arange(36.0).reshape(1, 1, 6, 6)
    np.testing.assert_array_equal(net.forward(x=x)["y"], x)  # the weights are zero


def test_8_stored_statistics_are_divided_by_their_factor(build: Any) -> None:
    net = build(frames(1, 1, 1, 1) + layer("BatchNorm"))
    mean, variance, factor = (blob.data for blob in net.params["bad"])
    mean[...], variance[...], factor[...] = 3, 8, 2
    assert net.forward(x=np.full((1, 1, 1, 1), 5.5))["y"].item() == pytest.approx(1.9999975, 1e-6)
    factor[...] = 0
    assert net.forward(x=np.ones((1, 1, 1, 1)))["y"].item() == pytest.approx(316.22777, 1e-6)
    train = build(frames(2, 1) + layer("BatchNorm"), caffe.TRAIN)
    out = train.forward(x=np.array([[1], [3]]))["y"]
    np.testing.assert_allclose(out.ravel(), [-0.999995, 0.999995], rtol=1e-6)
    stored = [blob.data.item() for blob in train.params["bad"]]
    np.testing.assert_allclose(stored, [2, 2, 1], rtol=1e-6)


@pytest.mark.parametrize(
    ("labels", "rule", "loss", "gradient"),
    [
        ((255, 255), "VALID", 0, 0),
        ((1, 255), "VALID", np.log(2), 0.5),
        ((1, 255), "FULL", np.log(2) / 2, 0.25),
        ((1, 255), "BATCH_SIZE", np.log(2), 0.5),
        ((1, 255), "NONE", np.log(2), 0.5),
    ],
)
def test_9_ignored_labels_count_for_nothing(
    build: Any, labels: tuple[int, int], rule: str, loss: float, gradient: float
) -> None:
    rules = f"loss_param {{ ignore_label: 255 normalization: {rule} }}"
    text = frames(1, 2, 1, 2) + frames(1, 1, 1, 2, top="t") + layer("SoftmaxWithLoss", rules, "x t")
    net = build("force_backward: true\n" + text, caffe.TRAIN)
    out = net.forward(x=np.zeros((1, 2, 1, 2)), t=np.array(labels).reshape(1, 1, 1, 2))["y"]
    assert out.item() == pytest.approx(loss, 1e-6)
    net.backward()
    expected = np.array([[gradient, 0], [-gradient, 0]])
    np.testing.assert_allclose(net.blobs["x"].diff[0, :, 0], expected, atol=1e-7)


def test_12_an_in_place_layer_spoils_no_gradient(build: Any) -> None:
    text = "force_backward: true\n" + frames(1, 1) + layer("Sigmoid", top="s")
    text += layer("Power", "power_param { scale: 2 }", "s", "s").replace("'bad'", "'twice'")
    text += layer("Reduction", "loss_weight: 1", "s").replace("'bad'", "'sum'")
    try:
        net = build(text, caffe.TRAIN)
    except caffe.Error as error:
        assert "'bad'" in str(error) and "'twice'" in str(error)
        return
    net.forward(x=np.zeros((1, 1)))
    net.backward()
    assert net.blobs["x"].diff.item() == pytest.approx(0.5)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["DEFAULT", "CAFFE"])
def test_25_an_unfolded_image_beyond_2_31_values_takes_strips(build: Any, engine: str) -> None:
    """Convolution 31x31 on 1600x1400: 2.15e9 unfolded values; interior 961, corner 256."""
    filler = "weight_filler { type: 'constant' value: 1 }"
    sizes = f"num_output: 1 kernel_size: 31 pad: 15 engine: {engine} {filler}"
    net = build(frames(1, 1, 1600, 1400) + layer("Convolution", f"convolution_param {{ {sizes} }}"))
    net.blobs["x"].data[...] = 1
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    out = net.forward()["y"][0, 0]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500_000  # kilobytes
    assert out[800, 700] == out[15, 15] == 961
    assert out[0, 0] == out[-1, -1] == 256
