"""In a training net with `keep`, convolution, BatchNorm, Scale and ReLU train as one call."""

import numpy as np
import pytest

import caffe

FROZEN = "param { lr_mult: 0 decay_mult: 0 } "


def _convolution(name: str, bottom: str, outputs: int, options: str) -> str:
    return (
        f'layer {{ name: "{name}" type: "Convolution" bottom: "{bottom}" top: "{name}" '
        f"convolution_param {{ num_output: {outputs} {options} }} }}\n"
    )


def _statistics(name: str, scale_learns: bool) -> str:
    scale = "" if scale_learns else FROZEN * 2
    return (
        f'layer {{ name: "bn_{name}" type: "BatchNorm" bottom: "{name}" top: "{name}" {FROZEN * 3}'
        "batch_norm_param { use_global_stats: true } }\n"
        f'layer {{ name: "scale_{name}" type: "Scale" bottom: "{name}" top: "{name}" {scale}'
        "scale_param { bias_term: true } }\n"
    )


def _net_text(keep: bool, scale_learns: bool) -> str:
    activation = 'layer {{ name: "{0}_act" type: "{1}" bottom: "{0}" top: "{0}" {2} }}\n'
    return (
        ('keep: "loss"\n' if keep else "") + 'layer { name: "data" type: "Input" top: "data" '
        "input_param { shape { dim: 2 dim: 3 dim: 13 dim: 17 } } }\n"
        'layer { name: "label" type: "Input" top: "label" '
        "input_param { shape { dim: 2 dim: 20 dim: 7 dim: 9 } } }\n"
        + _convolution("a", "data", 24, "kernel_size: 3 pad: 1 bias_term: false")
        + _statistics("a", scale_learns)
        + activation.format("a", "ReLU", "")
        + _convolution("b", "a", 24, "kernel_size: 3 pad: 1 group: 24 bias_term: false")
        + _statistics("b", scale_learns)
        + activation.format("b", "Clip", "clip_param { min: 0 max: 1 }")
        + _convolution("c", "b", 20, "kernel_size: 3 stride: 2 pad: 1")
        + activation.format("c", "ReLU", "relu_param { negative_slope: 0.1 }")
        + _convolution("d", "c", 20, "kernel_size: 1")
        + 'layer { name: "sum" type: "Eltwise" bottom: "c" bottom: "d" top: "sum" }\n'
        'layer { name: "loss" type: "EuclideanLoss" bottom: "sum" bottom: "label" top: "loss" }\n'
    )


def _gradients(path, keep: bool, scale_learns: bool):
    path.write_text(_net_text(keep, scale_learns))
    net = caffe.Net(str(path), caffe.TRAIN)
    rng = np.random.default_rng(0)
    for name, blobs in net.params.items():
        for index, blob in enumerate(blobs):
            shape = blob.data.shape
            if name.startswith("bn_") and index == 2:
                blob.data[...] = 1
            elif (name.startswith("bn_") and index == 1) or (
                name.startswith("scale_") and index == 0
            ):
                blob.data[...] = rng.uniform(0.5, 2, shape)
            else:
                blob.data[...] = rng.normal(0, 0.2, shape)
    net.blobs["data"].data[...] = rng.normal(size=(2, 3, 13, 17))
    net.blobs["label"].data[...] = rng.normal(size=(2, 20, 7, 9))
    for _ in range(2):  # gradients of parameters add up
        loss = float(net.forward()["loss"])
        net.backward()
    return loss, {
        (name, index): blob.diff.copy()
        for name, blobs in net.params.items()
        for index, blob in enumerate(blobs)
    }


@pytest.mark.parametrize("scale_learns", [True, False])
def test_folded_gradients_equal_those_of_single_layers(tmp_path, scale_learns):
    loss, single = _gradients(tmp_path / "net.prototxt", False, scale_learns)
    folded_loss, folded = _gradients(tmp_path / "net.prototxt", True, scale_learns)
    assert folded_loss == pytest.approx(loss, rel=1e-5)
    for key, expected in single.items():
        tolerance = 2e-5 * np.abs(expected).max() + 1e-6
        np.testing.assert_allclose(folded[key], expected, atol=tolerance, err_msg=str(key))
    assert np.abs(folded[("a", 0)]).max() > 0


def test_a_blob_inside_a_folded_training_net_names_keep(tmp_path):
    path = tmp_path / "net.prototxt"
    path.write_text(_net_text(True, True))
    net = caffe.Net(str(path), caffe.TRAIN)
    net.forward()
    net.backward()
    with pytest.raises(caffe.Error, match="keep"):
        net.blobs["a"].data  # noqa: B018
