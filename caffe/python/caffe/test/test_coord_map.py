"""coord_map: the map between blobs of a net, and Crop layers from it."""

import numpy as np
import pytest

import caffe
from caffe import layers as L
from caffe import params as P
from caffe.coord_map import (
    AxisMismatchException,
    UndefinedMapException,
    compose,
    coord_map,
    coord_map_from_to,
    crop,
    inverse,
)


def coarse(pad=0, deconv_pad=0):
    """conv k3 s1, pool k2 s2, deconv k4 s2."""
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[2, 1, 100, 100]))
    n.conv = L.Convolution(n.data, num_output=10, kernel_size=3, stride=1, pad=pad)
    n.pool = L.Pooling(n.conv, pool=P.Pooling.MAX, kernel_size=2, stride=2)
    n.relu = L.ReLU(n.pool, in_place=True)
    n.deconv = L.Deconvolution(
        n.relu, convolution_param=dict(num_output=10, kernel_size=4, stride=2, pad=deconv_pad)
    )
    return n


def check(mapped, axis, a, b):
    assert mapped[0] == axis
    np.testing.assert_allclose(mapped[1], a)
    np.testing.assert_allclose(mapped[2], b)


def test_convolution_pooling_deconvolution():
    n = coarse()
    check(coord_map_from_to(n.deconv, n.data), 1, 1, 0)
    n = coarse(pad=5)
    check(coord_map_from_to(n.deconv, n.data), 1, 1, -5)
    n = coarse(deconv_pad=3)
    check(coord_map_from_to(n.deconv, n.data), 1, 1, 3)


@pytest.mark.parametrize(("with_conv", "offset"), [(True, -1), (False, -2)])
def test_pooling_and_its_inverse(with_conv, offset):
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[2, 1, 100, 100]))
    n.conv = L.Convolution(n.data, num_output=1, kernel_size=3)
    n.pool = L.Pooling(n.conv if with_conv else n.data, kernel_size=4, stride=4)
    n.deconv = L.Deconvolution(
        n.pool, convolution_param=dict(num_output=1, kernel_size=8, stride=4)
    )
    check(coord_map_from_to(n.deconv, n.data), 1, 1, offset)


def test_dilation_counts_in_the_kernel():
    fn = L.Convolution(L.Input(), kernel_size=3, dilation=2).fn
    check(coord_map(fn), 1, 1, -2)


def test_anisotropic_parameters_and_named_axis():
    fn = L.Convolution(L.Input(), kernel_size=[1, 3], stride=[1, 2], axis=2, num_output=1).fn
    check(coord_map(fn), 2, [1, 0.5], [0, -0.5])


def test_a_crop_adds_its_offset():
    n = coarse()
    n.crop = L.Crop(n.deconv, n.data, axis=2, offset=3)
    check(coord_map_from_to(n.crop, n.deconv), 1, 1, 3)


def test_two_branches_meet_above():
    n = coarse()
    n.side = L.Convolution(n.data, num_output=2, kernel_size=5, pad=2)
    check(coord_map_from_to(n.deconv, n.side), 1, 1, 0)


def test_compose_and_inverse_undo_each_other():
    one = (1, np.array([2.0]), np.array([3.0]))
    check(compose(one, inverse(one)), 1, 1, 0)
    check(compose(one, (None, 1, 0)), 1, 2, 3)
    with pytest.raises(AxisMismatchException):
        compose(one, (2, 1, 0))


def test_types_without_a_map_and_legacy_sizes_are_refused():
    with pytest.raises(UndefinedMapException):
        coord_map(L.InnerProduct(L.Input(), num_output=1).fn)
    with pytest.raises(AssertionError, match="legacy _h/_w"):
        coord_map(L.Convolution(L.Input(), kernel_size=3, pad_h=3).fn)


def test_tops_that_do_not_meet_are_refused():
    n = coarse()
    n.ip = L.InnerProduct(n.deconv, num_output=10)
    with pytest.raises(RuntimeError, match="connected by spatial layers"):
        coord_map_from_to(n.ip, n.data)


def test_crop_makes_a_layer_with_the_offset(prototxt):
    n = coarse(deconv_pad=0, pad=4)
    n.crop = crop(n.deconv, n.data)
    layer = n.to_proto().layer[-1]
    assert layer.type == "Crop" and layer.crop_param.axis == 2
    assert list(layer.crop_param.offset) == [4]


def test_crop_through_pointwise_layers_has_no_offset():
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 9, 9]))
    n.relu = L.ReLU(n.data)
    n.crop = crop(n.relu, n.data)
    layer = n.to_proto().layer[-1]
    assert layer.crop_param.axis == 2 and list(layer.crop_param.offset) == [0]


@pytest.mark.parametrize(
    ("kernel", "stride", "pad", "words"),
    [(3, 2, 1, "scale mismatch"), (3, 1, 0, "negative offset"), (2, 1, 1, "noninteger offset")],
)
def test_crop_refuses_what_cannot_be_aligned(kernel, stride, pad, words):
    n = caffe.NetSpec()
    n.data = L.Input(shape=dict(dim=[1, 1, 9, 9]))
    n.conv = L.Convolution(n.data, kernel_size=kernel, stride=stride, pad=pad, num_output=1)
    with pytest.raises(AssertionError, match=words):
        crop(n.conv, n.data)
