"""Blobs and BlobVec: shapes, arrays over their memory, lifetimes."""

import gc

import numpy as np
import pytest

import caffe

LINEAR = """
layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 2 dim: 4 dim: 4 } } }
layer { name: 'conv' type: 'Convolution' bottom: 'x' top: 'y' convolution_param {
  num_output: 3 kernel_size: 3 pad: 1 bias_term: false weight_filler { type: 'xavier' } } }
"""


@pytest.fixture
def net(prototxt):
    return caffe.Net(prototxt(LINEAR), caffe.TEST)


@pytest.fixture
def blob(net):
    return net.blobs["x"]


def test_shape_and_legacy_sizes(blob):
    assert blob.shape == (1, 2, 4, 4) and list(blob.shape) == [1, 2, 4, 4]
    assert (blob.num, blob.channels, blob.height, blob.width) == (1, 2, 4, 4)
    assert blob.count == 32
    blob.reshape(6, 7)
    assert (blob.num, blob.channels, blob.height, blob.width) == (6, 7, 1, 1)


def test_data_is_a_writable_float32_view(blob):
    assert blob.data.dtype == np.float32 and blob.data.flags.c_contiguous
    assert (blob.data == 0).all()
    blob.data[...] = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    assert blob.data[0, 1, 3, 3] == 31
    blob.data.flat = 5
    assert (blob.data == 5).all() and (blob.diff == 0).all()


def test_assigning_the_attribute_is_refused(blob):
    with pytest.raises(AttributeError, match=r"blob.data\[...\]"):
        blob.data = np.zeros(blob.shape)
    with pytest.raises(AttributeError):
        blob.diff = np.zeros(blob.shape)


def test_an_array_of_the_wrong_shape_is_numpys_error(blob):
    with pytest.raises(ValueError):
        blob.data[...] = np.zeros((3, 3))


def test_reshape_takes_integers_of_all_kinds(blob):
    blob.reshape(np.int64(2), np.int32(3))
    assert blob.shape == (2, 3)
    blob.reshape(*np.zeros((4, 5)).shape)
    assert blob.shape == (4, 5)
    blob.reshape((3, 2))
    assert blob.shape == (3, 2)
    blob.reshape()
    assert blob.shape == () and blob.data.shape == () and blob.count == 1
    blob.data[()] = 4
    assert float(blob.data) == 4
    blob.reshape(0, 3)
    assert blob.count == 0 and blob.data.shape == (0, 3)


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda b: b.reshape(1.5), TypeError, "float"),
        (lambda b: b.reshape(2, -1), ValueError, "-1"),
        (lambda b: b.reshape(dim=3), RuntimeError, "Blob.reshape takes no kwargs"),
        (lambda b: b.reshape(1 << 20, 1 << 20), RuntimeError, "1048576"),
        (lambda b: b.reshape(*[1] * 40), RuntimeError, "axes"),
    ],
)
def test_reshape_refuses(blob, call, error, words):
    with pytest.raises(error, match=words):
        call(blob)
    blob.reshape(1, 2, 4, 4)
    assert blob.data.shape == (1, 2, 4, 4)


def test_more_than_four_axes_have_no_legacy_sizes(blob):
    blob.reshape(1, 2, 3, 4, 5)
    with pytest.raises(RuntimeError):
        _ = blob.num


def test_an_old_view_stays_valid_when_the_blob_grows(blob):
    old = blob.data
    old[...] = 3
    blob.reshape(10, 20, 30)
    gc.collect()
    assert (blob.data == 0).all()
    old += 1
    assert (old == 4).all() and (blob.data == 0).all()


def test_a_view_aliases_the_blob_when_it_shrinks(blob):
    old = blob.data
    blob.reshape(2, 3)
    blob.data[...] = 9
    assert (old.ravel()[:6] == 9).all() and old.shape == (1, 2, 4, 4)


def test_a_view_outlives_net_and_blob(prototxt):
    net = caffe.Net(prototxt(LINEAR), caffe.TEST)
    weights, blob = net.params["conv"][0].data, net.blobs["x"]
    kept = weights.copy()
    del net
    gc.collect()
    np.testing.assert_array_equal(weights, kept)
    view = blob.data
    del blob
    gc.collect()
    view[...] = 2
    assert view.sum() == 64


def test_a_live_view_of_weights_changes_the_next_pass(net):
    weights = net.params["conv"][0].data
    image = np.random.randn(1, 2, 4, 4)
    first = net.forward(x=image)["y"].copy()
    weights *= 2
    np.testing.assert_allclose(net.forward(x=image)["y"], 2 * first, rtol=1e-5)
    weights[...] = 0
    assert (net.forward(x=image)["y"] == 0).all()


WIDE = """
layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 16 dim: 8 dim: 8 } } }
layer { name: 'conv' type: 'Convolution' bottom: 'x' top: 'y' convolution_param {
  num_output: 33 kernel_size: 3 pad: 1 bias_term: false weight_filler { type: 'xavier' } } }
"""


def test_weights_that_a_keep_net_packs_are_seen_written_and_saved(prototxt, tmp_path):
    net, plain = (caffe.Net(prototxt(WIDE), caffe.TEST, keep=keep) for keep in (["y"], None))
    weights = plain.params["conv"][0].data
    image = np.random.randn(1, 16, 8, 8)
    net.params["conv"][0].data[...] = weights
    net.forward(x=image)  # nobody holds a view: the back-end may keep the only copy
    view = net.params["conv"][0].data
    np.testing.assert_array_equal(view, weights)
    for factor in (2, 3):
        view *= factor
        weights *= factor
        wanted = plain.forward(x=image)["y"]
        np.testing.assert_allclose(net.forward(x=image)["y"], wanted, rtol=1e-4, atol=1e-4)
    del view
    net.forward(x=image)
    net.save(str(tmp_path / "w.caffemodel"))
    other = caffe.Net(prototxt(WIDE), str(tmp_path / "w.caffemodel"), caffe.TEST)
    np.testing.assert_array_equal(other.params["conv"][0].data, weights)


@pytest.mark.parametrize("keep", [["y"], None])
@pytest.mark.parametrize("written", ["weights", "input"])
def test_what_a_view_wrote_after_a_pass_counts_when_it_is_gone(prototxt, keep, written):
    net, other = (caffe.Net(prototxt(WIDE), caffe.TEST, keep=k) for k in (keep, None))
    image = np.random.randn(1, 16, 8, 8)
    other.blobs["x"].data[...] = net.blobs["x"].data[...] = image
    other.params["conv"][0].data[...] = net.params["conv"][0].data
    view = net.params["conv"][0].data if written == "weights" else net.blobs["x"].data
    net.forward()
    view[...] = np.random.randn(*view.shape)
    (other.params["conv"][0] if written == "weights" else other.blobs["x"]).data[...] = view
    del view
    wanted = other.forward()["y"]
    np.testing.assert_allclose(net.forward()["y"], wanted, rtol=1e-4, atol=1e-4)


def test_a_live_view_of_an_output_shows_every_pass(net):
    output = net.blobs["y"].data
    image = np.random.randn(1, 2, 4, 4)
    net.forward(x=image)
    first = output.copy()
    assert np.abs(first).max() > 0
    net.forward(x=3 * image)
    np.testing.assert_allclose(output, 3 * first, rtol=1e-5, atol=1e-5)


def test_parameters_behave_like_a_list(net):
    blobs = net.params["conv"]
    assert len(blobs) == 1 and blobs[-1] is blobs[0] and blobs[0] in blobs
    assert [blob.shape for blob in blobs] == [(3, 2, 3, 3)]
    assert len(blobs[0:1]) == 1
    with pytest.raises(IndexError):
        _ = blobs[1]
    with pytest.raises(TypeError):
        _ = blobs["0"]
    with pytest.raises(RuntimeError, match="BlobVec.add_blob takes no kwargs"):
        blobs.add_blob(dim=3)


def test_add_blob_appends_zeros(net):
    blobs = net.layer_dict["in"].blobs
    blobs.add_blob(2, np.int64(3))
    assert blobs[0].shape == (2, 3) and (blobs[0].data == 0).all()
