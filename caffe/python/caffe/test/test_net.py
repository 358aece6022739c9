"""Net: construction, parts, passes, weights in and out."""

import gc
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest

import caffe

INPUT_NET = """
layer { name: 'in' type: 'Input' top: 'x' top: 'y'
  input_param { shape { dim: 2 dim: 3 dim: 4 dim: 5 } shape { dim: 2 dim: 3 dim: 4 dim: 5 } } }
layer { name: 'twice' type: 'Power' bottom: 'x' top: 'twice' power_param { scale: 2 } }
layer { name: 'sum' type: 'Eltwise' bottom: 'twice' bottom: 'y' top: 'sum' }
layer { name: 'relu' type: 'ReLU' bottom: 'sum' top: 'sum' }
layer { name: 'head' type: 'Power' bottom: 'sum' top: 'a_head' power_param { shift: 1 } }
layer { name: 'other' type: 'Power' bottom: 'sum' top: 'b_head' power_param { scale: -1 } }
force_backward: true
"""

PHASE_NET = """
layer { name: 'data' type: 'DummyData' top: 'data'
  dummy_data_param { shape { dim: 1 dim: 1 dim: 10 dim: 10 } } }
layer { name: 'NoLevel' type: 'InnerProduct' bottom: 'data' top: 'NoLevel'
  inner_product_param { num_output: 1 } }
layer { name: 'Level0Only' type: 'InnerProduct' bottom: 'data' top: 'Level0Only'
  include { min_level: 0 max_level: 0 } inner_product_param { num_output: 1 } }
layer { name: 'Level>=1' type: 'InnerProduct' bottom: 'data' top: 'Level>=1'
  include { min_level: 1 } inner_product_param { num_output: 1 } }
layer { name: 'StageA' type: 'InnerProduct' bottom: 'data' top: 'StageA'
  include { stage: 'A' } inner_product_param { num_output: 1 } }
layer { name: 'AandB' type: 'InnerProduct' bottom: 'data' top: 'AandB'
  include { stage: 'A' stage: 'B' } inner_product_param { num_output: 1 } }
layer { name: 'AorB' type: 'InnerProduct' bottom: 'data' top: 'AorB'
  include { stage: 'A' } include { stage: 'B' } inner_product_param { num_output: 1 } }
layer { name: 'NotC' type: 'InnerProduct' bottom: 'data' top: 'NotC'
  exclude { stage: 'C' } inner_product_param { num_output: 1 } }
layer { name: 'TrainOnly' type: 'InnerProduct' bottom: 'data' top: 'TrainOnly'
  include { phase: TRAIN } inner_product_param { num_output: 1 } }
"""


@pytest.fixture
def net(small_net):
    net = caffe.Net(small_net, caffe.TRAIN)
    # one label a value that SoftmaxWithLoss can take
    net.blobs["label"].data[...] = np.random.randint(6, size=net.blobs["label"].data.shape)
    return net


@pytest.fixture
def two_inputs(prototxt):
    return caffe.Net(prototxt(INPUT_NET), caffe.TEST)


def test_parts_are_ordered_dictionaries_in_net_order(net):
    assert list(net.blobs) == ["data", "label", "conv", "ip_blob", "loss"]
    assert list(net.params) == ["conv", "ip"]
    assert list(net.layer_dict) == ["data", "conv", "ip", "loss"]
    assert list(net._layer_names) == ["data", "conv", "ip", "loss"]
    assert [layer.type for layer in net.layers] == [
        "DummyData", "Convolution", "InnerProduct", "SoftmaxWithLoss",
    ]  # fmt: skip
    for part in (net.blobs, net.params, net.layer_dict, net.top_names, net.bottom_names):
        assert isinstance(part, OrderedDict)
    assert net.top_names["data"] == ["data", "label"]
    assert net.bottom_names["loss"] == ["ip_blob", "label"]
    assert net.inputs == [] and net.outputs == ["loss"]
    assert net.blob_loss_weights["loss"] == 1 and net.blob_loss_weights["conv"] == 0
    assert [list(blob.shape) for blob in net.params["conv"]] == [[11, 2, 2, 2], [11]]
    assert net.layer_dict["conv"].blobs[0] is net.params["conv"][0]


def test_split_blobs_appear_after_the_producer(two_inputs):
    assert list(two_inputs.blobs) == [
        "x", "y", "twice", "sum", "sum_relu_0_split_0", "sum_relu_0_split_1", "a_head", "b_head",
    ]  # fmt: skip
    assert two_inputs.inputs == ["x", "y"]
    assert two_inputs.outputs == ["a_head", "b_head"]


def test_forward_gives_views_of_outputs_and_of_named_blobs(two_inputs):
    x = np.random.randn(2, 3, 4, 5).astype(np.float32)
    y = np.random.randn(2, 3, 4, 5).astype(np.float32)
    out = two_inputs.forward(blobs=["twice"], x=x, y=y)
    assert type(out) is dict and set(out) == {"a_head", "b_head", "twice"}
    expected = np.maximum(2 * x + y, 0)
    np.testing.assert_allclose(out["a_head"], expected + 1, rtol=1e-6)
    np.testing.assert_allclose(out["b_head"], -expected, rtol=1e-6)
    np.testing.assert_allclose(out["twice"], 2 * x, rtol=1e-6)
    assert np.shares_memory(out["a_head"], two_inputs.blobs["a_head"].data)


def test_forward_casts_and_broadcasts_what_it_is_given(two_inputs):
    grey = np.arange(40, dtype=np.uint8).reshape(2, 1, 4, 5)
    two_inputs.forward(x=grey, y=np.zeros((2, 3, 4, 5)))
    assert (two_inputs.blobs["x"].data == np.repeat(grey, 3, axis=1)).all()


def test_forward_from_start_to_end(two_inputs):
    two_inputs.blobs["x"].data[...] = 1
    out = two_inputs.forward(start="twice", end="twice")
    assert list(out) == ["twice"] and (out["twice"] == 2).all()
    assert (two_inputs.blobs["sum"].data == 0).all()
    two_inputs.blobs["twice"].data[...] = 5
    two_inputs.forward(start="sum")
    assert (two_inputs.blobs["a_head"].data == 6).all()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"x": np.zeros((2, 3, 4, 5))}, Exception, "Input blob arguments do not match net inputs."),
        ({"x": np.zeros((3, 3, 4, 5)), "y": np.zeros((2, 3, 4, 5))}, Exception, "batch sized"),
        ({"x": np.zeros((2, 3, 4, 6)), "y": np.zeros((2, 3, 4, 5))}, ValueError, "could not"),
        ({"start": "nowhere"}, ValueError, "nowhere"),
        ({"end": "nowhere"}, ValueError, "nowhere"),
    ],
)
def test_forward_refuses(two_inputs, arguments, error, words):
    with pytest.raises(error, match=words):
        two_inputs.forward(**arguments)


def test_an_array_of_the_wrong_shape_is_told_of_reshape(two_inputs):
    with pytest.raises(ValueError) as raised:
        two_inputs.forward(x=np.zeros((2, 3, 4, 6)), y=np.zeros((2, 3, 4, 5)))
    assert "reshape" in raised.value.__notes__[0]


def test_backward_writes_top_diffs_and_gives_input_gradients(two_inputs):
    two_inputs.forward(x=np.ones((2, 3, 4, 5)), y=np.ones((2, 3, 4, 5)))
    ones = np.ones((2, 3, 4, 5))
    gradients = two_inputs.backward(diffs=["sum"], a_head=ones, b_head=3 * ones)
    assert set(gradients) == {"x", "y", "sum"}
    np.testing.assert_allclose(gradients["x"], -4)
    np.testing.assert_allclose(gradients["y"], -2)
    with pytest.raises(Exception, match="Top diff arguments do not match net outputs."):
        two_inputs.backward(a_head=ones)
    with pytest.raises(Exception, match="Diff is not batch sized"):
        two_inputs.backward(a_head=np.ones((1, 3, 4, 5)), b_head=ones)


def test_forward_and_backward_of_single_layers(net):
    net.forward()
    net.backward()
    layer = "conv"
    before = net.blobs["conv"].data.copy()
    net.forward(start=layer, end=layer)
    np.testing.assert_array_equal(net.blobs["conv"].data, before)
    assert set(net.backward(start=layer, end=layer)) == {"data"}


def test_parameter_gradients_add_up_until_cleared(net):
    net.forward()
    net.backward()
    gradient = net.params["conv"][0].diff
    once = gradient.copy()
    assert np.abs(once).max() > 0
    net.backward()
    np.testing.assert_allclose(gradient, 2 * once, rtol=1e-4)
    net.clear_param_diffs()
    assert (gradient == 0).all()


def test_forward_all_cuts_into_batches_and_drops_the_padding(two_inputs):
    x = np.random.randn(5, 3, 4, 5)
    y = np.random.randn(5, 3, 4, 5)
    out = two_inputs.forward_all(blobs=["twice"], x=x, y=y)
    np.testing.assert_allclose(out["b_head"], -np.maximum(2 * x + y, 0), rtol=1e-5, atol=1e-5)
    assert out["twice"].shape == (5, 3, 4, 5)
    whole = two_inputs.forward_all(x=x[:4], y=y[:4])
    assert whole["a_head"].shape == (4, 3, 4, 5)
    with pytest.raises(Exception, match="Input blob arguments"):
        two_inputs.forward_all()


def test_forward_backward_all_without_and_with_top_gradients(two_inputs):
    x, y = np.ones((3, 3, 4, 5)), np.ones((3, 3, 4, 5))
    outs, gradients = two_inputs.forward_backward_all(x=x, y=y)
    assert outs["a_head"].shape == gradients["x"].shape == (3, 3, 4, 5)
    ones = np.ones((3, 3, 4, 5))
    outs, gradients = two_inputs.forward_backward_all(x=x, y=y, a_head=ones, b_head=0 * ones)
    np.testing.assert_allclose(outs["a_head"], 4)
    np.testing.assert_allclose(gradients["x"], 2)


def test_forward_all_collects_scalar_outputs_one_a_batch(prototxt):
    net = caffe.Net(
        prototxt("""
        layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 } } }
        layer { name: 'sum' type: 'Reduction' bottom: 'x' top: 'sum' }"""),
        caffe.TEST,
    )
    out = net.forward_all(x=np.ones((4, 3)))
    np.testing.assert_allclose(out["sum"], [6, 6])


def test_weights_are_saved_and_loaded_by_all_constructors(net, small_net, tmp_path):
    weights = str(tmp_path / "small.caffemodel")
    net.save(weights)
    for other in (
        caffe.Net(small_net, weights, caffe.TRAIN),
        caffe.Net(small_net, caffe.TRAIN, weights=weights),
        caffe.Net(Path(small_net), phase=caffe.TEST, weights=Path(weights)),
        caffe.Net(network_file=small_net, phase=1, level=0, stages=None, weights=weights),
    ):
        for name, blobs in net.params.items():
            for ours, theirs in zip(blobs, other.params[name], strict=True):
                np.testing.assert_array_equal(ours.data, theirs.data)


def test_hdf5_weights_go_round(net, small_net, tmp_path):
    weights = str(tmp_path / "small.caffemodel.h5")
    net.save_hdf5(weights)
    by_method = caffe.Net(small_net, caffe.TRAIN)
    by_method.load_hdf5(weights)
    by_constructor = caffe.Net(small_net, caffe.TRAIN, weights=weights)
    for name in net.params:
        for i, blob in enumerate(net.params[name]):
            np.testing.assert_array_equal(blob.data, by_method.params[name][i].data)
            np.testing.assert_array_equal(blob.data, by_constructor.params[name][i].data)


def test_copy_from_reports_by_layer_name(net, prototxt, tmp_path):
    weights = str(tmp_path / "small.caffemodel")
    net.save(weights)
    other = caffe.Net(
        prototxt("""
        layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 5 dim: 2 dim: 3
          dim: 4 } } }
        layer { name: 'conv' type: 'Convolution' bottom: 'x' top: 'c'
          convolution_param { num_output: 11 kernel_size: 2 pad: 3 } }
        layer { name: 'new' type: 'InnerProduct' bottom: 'c' top: 'n'
          inner_product_param { num_output: 2 } }"""),
        caffe.TEST,
    )
    report = other.copy_from(weights)
    assert report["loaded"] == ["conv"]
    assert report["skipped"] == ["ip"]
    assert report["untouched"] == ["new"]
    np.testing.assert_array_equal(other.params["conv"][0].data, net.params["conv"][0].data)


def test_share_with_makes_parameters_one_memory(net, small_net):
    other = caffe.Net(small_net, caffe.TRAIN)
    other.share_with(net)
    net.params["ip"][0].data[...] = 7
    assert (other.params["ip"][0].data == 7).all()
    net.params["ip"][0].diff[...] = 1
    assert (other.params["ip"][0].diff == 0).all()


def test_levels_and_stages_choose_layers(prototxt):
    file = prototxt(PHASE_NET)

    def layers(**state):
        return set(caffe.Net(file, caffe.TEST, **state).layer_dict) - {"data", "data_data_0_split"}

    assert layers() == {"NoLevel", "Level0Only", "NotC"}
    assert layers(level=1) == {"NoLevel", "Level>=1", "NotC"}
    assert layers(stages=["A", "C"]) == {"NoLevel", "Level0Only", "StageA", "AorB"}
    assert layers(stages=("A", "B")) == {
        "NoLevel", "Level0Only", "StageA", "AandB", "AorB", "NotC",
    }  # fmt: skip
    assert "TrainOnly" in caffe.Net(file, caffe.TRAIN).layer_dict


def test_reshape_propagates_without_a_pass(two_inputs):
    two_inputs.blobs["x"].reshape(1, 3, 7, 6)
    two_inputs.blobs["y"].reshape(1, 3, 7, 6)
    two_inputs.reshape()
    assert two_inputs.blobs["a_head"].shape == (1, 3, 7, 6)


def test_sizes_that_grow_and_shrink_give_what_a_fresh_net_gives(prototxt, tmp_path):
    file = prototxt("""
        layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 3 dim: 8
          dim: 8 } } }
        layer { name: 'c1' type: 'Convolution' bottom: 'x' top: 'c1' convolution_param {
          num_output: 5 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } } }
        layer { name: 'r1' type: 'ReLU' bottom: 'c1' top: 'c1' }
        layer { name: 'p1' type: 'Pooling' bottom: 'c1' top: 'p1' pooling_param {
          kernel_size: 2 stride: 2 } }
        layer { name: 'c2' type: 'Convolution' bottom: 'p1' top: 'c2' convolution_param {
          num_output: 4 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } } }""")
    net = caffe.Net(file, caffe.TEST)
    weights = str(tmp_path / "w.caffemodel")
    net.save(weights)
    for shape in [(1, 3, 32, 100), (1, 3, 32, 200), (3, 3, 7, 5), (1, 3, 32, 100)]:
        image = np.random.RandomState(sum(shape)).randn(*shape)
        net.blobs["x"].reshape(*shape)
        net.blobs["x"].data[...] = image
        ours = net.forward()["c2"].copy()
        fresh = caffe.Net(file, caffe.TEST, weights=weights)
        fresh.blobs["x"].reshape(*shape)
        np.testing.assert_array_equal(ours, fresh.forward(x=image)["c2"])


def test_backward_after_a_reshape_wants_a_forward(two_inputs):
    two_inputs.forward(x=np.ones((2, 3, 4, 5)), y=np.ones((2, 3, 4, 5)))
    two_inputs.backward()
    for reshape in (two_inputs.blobs["y"].reshape, two_inputs.blobs["x"].reshape):
        reshape(2, 3, 8, 9)
        with pytest.raises(ValueError, match=r"2 3 4 5 \(120\) to 2 3 8 9"):
            two_inputs.backward()
    two_inputs.reshape()
    with pytest.raises(RuntimeError, match="run forward again"):
        two_inputs.backward()
    two_inputs.forward()
    two_inputs.backward()


def test_callbacks_see_every_layer_in_order(net):
    seen = []
    net.before_forward(lambda layer: seen.append(("before", layer)))
    net.after_forward(lambda layer: seen.append(("after", layer)))
    net.before_backward(lambda layer: seen.append(("before back", layer)))
    net.after_backward(lambda layer: seen.append(("after back", layer)))
    net.forward()
    assert seen == [(when, layer) for layer in range(4) for when in ("before", "after")]
    seen.clear()
    net.backward()
    assert seen == [
        (when, layer) for layer in (3, 2, 1, 0) for when in ("before back", "after back")
    ]


def test_an_exception_in_a_callback_reaches_the_caller(net):
    def fail(layer):
        raise KeyError("from the callback")

    net.after_forward(fail)
    with pytest.raises(KeyError, match="from the callback"):
        net.forward()


def test_a_net_takes_attributes_and_survives_the_loss_of_its_file(net, small_net):
    Path(small_net).unlink()
    net.note = "mine"
    assert net.note == "mine"
    assert set(net.forward()) == {"loss"}


def test_blobs_and_parameters_outlive_the_net(net):
    parameters = [blob for blobs in net.params.values() for blob in blobs]
    blobs = list(net.blobs.values())
    expected = [blob.data.copy() for blob in parameters + blobs]
    del net
    gc.collect()
    for blob, values in zip(parameters + blobs, expected, strict=True):
        np.testing.assert_array_equal(blob.data, values)


def test_layer_ids_out_of_range_are_refused(net):
    assert list(net._top_ids(0)) == [0, 1]
    with pytest.raises(IndexError):
        net._top_ids(99)


def test_set_input_arrays_wants_a_memory_data_layer(net):
    data = np.zeros((5, 2, 3, 4), dtype=np.float32)
    with pytest.raises(RuntimeError, match="first layer is a MemoryDataLayer"):
        net.set_input_arrays(data, np.zeros(5, dtype=np.float32))
