"""Weights at the start: reports, bilinear surgery, what can and cannot learn."""

import numpy as np
import pytest

from segflow.errors import MissingDataError, UsageError
from segflow.training.start_weights import (
    bilinear_kernel,
    load_weights,
    not_finite,
    upsampling_surgery,
    what_learns,
)

caffe = pytest.importorskip("caffe")

from segflow.inference.networks import read_net  # noqa: E402

NET = """
layer { name: 'data' type: 'Input' top: 'data'
  input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: 'truth' type: 'Input' top: 'truth'
  input_param { shape { dim: 1 dim: 2 dim: 8 dim: 8 } } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv'
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: 'msra' } } }
layer { name: 'upscore2' type: 'Deconvolution' bottom: 'conv' top: 'up' param { lr_mult: 0 }
  convolution_param { num_output: 2 kernel_size: 4 stride: 2 pad: 1 bias_term: false } }
layer { name: 'wide' type: 'Convolution' bottom: 'up' top: 'wide'
  convolution_param { num_output: 2 kernel_size: 1 weight_filler { type: 'msra' } } }
layer { name: 'loss' type: 'EuclideanLoss' bottom: 'wide' bottom: 'truth' top: 'loss' }
"""


@pytest.fixture
def build(tmp_path):
    def make(text=NET, name="net.prototxt"):
        (tmp_path / name).write_text(text)
        return caffe.Net(str(tmp_path / name), caffe.TRAIN), read_net(tmp_path / name)

    return make


def test_bilinear_kernels_are_those_of_the_facts():
    profile = np.array([0.25, 0.75, 0.75, 0.25])
    np.testing.assert_allclose(bilinear_kernel(4), np.outer(profile, profile))
    np.testing.assert_allclose(bilinear_kernel(3)[1], [0.5, 1, 0.5])
    sixteen = np.array([1, 3, 5, 7, 9, 11, 13, 15, 15, 13, 11, 9, 7, 5, 3, 1]) / 16
    np.testing.assert_allclose(bilinear_kernel(16), np.outer(sixteen, sixteen))


def test_surgery_writes_the_diagonal_and_nothing_else(build):
    net, _ = build()
    weights = net.params["upscore2"][0].data
    weights[...] = 7
    assert upsampling_surgery(net, "upscore") == ["upscore2"]
    weights = net.params["upscore2"][0].data
    for i in range(2):
        np.testing.assert_allclose(weights[i, i], bilinear_kernel(4))
        assert (weights[i, 1 - i] == 7).all()


def test_surgery_leaves_trained_layers_and_can_be_turned_off(build):
    net, _ = build()
    assert upsampling_surgery(net, "upscore", keep=["upscore2"]) == []
    assert upsampling_surgery(net, "none") == []
    with pytest.raises(UsageError, match="upscore, up, none"):
        upsampling_surgery(net, "all")


def test_surgery_as_released_takes_every_up_and_refuses_other_shapes(build):
    net, _ = build(NET.replace("'wide'", "'upper'"))
    with pytest.raises(UsageError, match="'upper'"):
        net.params["upper"][0].reshape(2, 1, 1, 3)
        upsampling_surgery(net, "up")


def test_upsampling_frozen_at_zero_is_noticed_with_what_it_starves(build):
    net, definition = build()
    learning = what_learns(net, definition)
    assert learning.frozen == ("upscore2",) and set(learning.learned) == {"conv", "wide"}
    assert learning.blocking == ("upscore2",) and learning.starved == ("conv",)
    assert any("frozen at zero" in line and "upscore2" in line for line in learning.lines())
    upsampling_surgery(net, "upscore")
    learning = what_learns(net, definition)
    assert learning.blocking == () and learning.starved == ()
    assert (learning.learned_values, learning.frozen_values) == (12, 64)


def test_a_gradient_that_is_not_wanted_starves_nothing(build):
    text = NET.replace("top: 'wide'\n", "top: 'wide' propagate_down: false\n", 1)
    net, definition = build(text)
    assert what_learns(net, definition).starved == ()


def test_the_report_names_loaded_skipped_and_untouched_layers(build, tmp_path):
    other, _ = build(NET.replace("name: 'wide'", "name: 'elsewhere'"), "other.prototxt")
    other.save(str(tmp_path / "other.caffemodel"))
    net, _ = build()
    (report,) = load_weights(net, [tmp_path / "other.caffemodel"])
    assert set(report.loaded) == {"conv", "upscore2"}
    assert report.skipped == ("elsewhere",) and report.untouched == ("wide",)
    text = "\n".join(report.lines())
    assert "2 layers loaded" in text and "elsewhere" in text and "wide" in text
    np.testing.assert_array_equal(net.params["conv"][0].data, other.params["conv"][0].data)


def test_mismatching_and_foreign_weights_are_told(build, tmp_path):
    other, _ = build(NET.replace("num_output: 2 kernel_size: 1", "num_output: 3 kernel_size: 1", 1)
                     .replace("num_output: 2 kernel_size: 4", "num_output: 2 kernel_size: 4"),
                     "other.prototxt")  # fmt: skip
    other.save(str(tmp_path / "other.caffemodel"))
    net, _ = build()
    with pytest.raises(ValueError, match="(?s)conv.*shape mismatch"):
        load_weights(net, [tmp_path / "other.caffemodel"])
    foreign, _ = build(
        "layer { name: 'data' type: 'Input' top: 'data' input_param { shape { dim: 1 dim: 2 } } }"
        "layer { name: 'fc' type: 'InnerProduct' bottom: 'data' top: 'fc'"
        " inner_product_param { num_output: 1 } }",
        "foreign.prototxt",
    )
    foreign.save(str(tmp_path / "foreign.caffemodel"))
    with pytest.raises(UsageError, match="none of its layers"):
        load_weights(net, [tmp_path / "foreign.caffemodel"])
    with pytest.raises(MissingDataError, match="nowhere"):
        load_weights(net, [tmp_path / "nowhere.caffemodel"])


def test_weights_that_are_not_finite_are_found(build):
    net, _ = build()
    assert not_finite(net) == []
    net.params["wide"][1].data[0] = np.inf
    assert not_finite(net) == ["wide"]
