"""NetSpec: nets written in Python."""

import copy

import numpy as np
import pytest
from google.protobuf import text_format

import caffe
from caffe import layers as L
from caffe import params as P
from caffe.net_spec import param_name_dict
from caffe.proto import caffe_pb2


def lenet(batch_size):
    n = caffe.NetSpec()
    n.data, n.label = L.DummyData(
        shape=[dict(dim=[batch_size, 1, 28, 28]), dict(dim=[batch_size, 1, 1, 1])],
        transform_param=dict(scale=1.0 / 255),
        ntop=2,
    )
    n.conv1 = L.Convolution(n.data, kernel_size=5, num_output=20, weight_filler=dict(type="xavier"))
    n.pool1 = L.Pooling(n.conv1, kernel_size=2, stride=2, pool=P.Pooling.MAX)
    n.ip1 = L.InnerProduct(n.pool1, num_output=500, weight_filler=dict(type="xavier"))
    n.relu1 = L.ReLU(n.ip1, in_place=True)
    n.ip2 = L.InnerProduct(n.relu1, num_output=10, weight_filler=dict(type="xavier"))
    n.loss = L.SoftmaxWithLoss(n.ip2, n.label)
    return n


def test_lenet_has_its_names_and_fields():
    net = lenet(50).to_proto()
    assert [layer.name for layer in net.layer] == [
        "data", "conv1", "pool1", "ip1", "relu1", "ip2", "loss",
    ]  # fmt: skip
    assert list(net.layer[0].top) == ["data", "label"]
    assert net.layer[1].convolution_param.num_output == 20
    assert list(net.layer[1].convolution_param.kernel_size) == [5]
    assert net.layer[4].bottom == net.layer[4].top == ["ip1"]
    assert list(net.layer[5].bottom) == ["ip1"]
    assert text_format.Parse(str(net), caffe_pb2.NetParameter()) == net


def test_lenet_runs(prototxt):
    net = caffe.Net(prototxt(str(lenet(3).to_proto())), caffe.TRAIN)
    assert net.outputs == ["loss"] and net.blobs["conv1"].shape == (3, 20, 24, 24)


def test_names_are_made_where_there_are_none():
    data = L.Input(input_param=dict(shape=dict(dim=[1, 2])))
    first = L.ReLU(data)
    second = L.ReLU(first)
    net = caffe.to_proto(L.Eltwise(first, second))
    assert [layer.name for layer in net.layer] == ["Input1", "ReLU1", "ReLU2", "Eltwise1"]
    assert list(net.layer[3].bottom) == ["ReLU1", "ReLU2"]
    assert second.to_proto().layer[-1].top == ["ReLU2"]


def test_layers_without_tops(prototxt):
    n = caffe.NetSpec()
    n.data = L.DummyData(shape=dict(dim=[3]))
    n.quiet = L.Silence(n.data, ntop=0)
    n.quiet2 = L.Silence(n.data, ntop=0)
    net = caffe.Net(prototxt(str(n.to_proto())), caffe.TEST)
    assert net.forward() == {}
    assert {"quiet", "quiet2"} <= set(net.layer_dict)


def test_a_layer_nobody_needs_is_dropped():
    n = caffe.NetSpec()
    n.data, n.label = L.Data(ntop=2)
    L.Silence(n.label, ntop=0)
    assert [layer.type for layer in n.to_proto().layer] == ["Data"]


def test_a_bottom_that_is_no_top_is_told():
    data = L.Data(ntop=2)
    with pytest.raises(TypeError, match=r"Silence input 0 is not a Top \(type is .*tuple"):
        L.Silence(data, ntop=0)


def test_values_of_all_kinds():
    n = caffe.NetSpec()
    n.x = L.Input(shape=[dict(dim=(1, 3, 8, 8))])
    n["a/b"] = L.Convolution(
        n.x,
        kernel_size=(3, 5),
        num_output=np.int64(4),
        pad=[],
        bias_term=np.bool_(False),
        param=[dict(lr_mult=1), dict(lr_mult=2)],
        include=dict(phase="TEST"),
        propagate_down=True,
        loss_weight=0.5,
    )
    n.p = L.Pooling(n["a/b"], pool="AVE", kernel_size=2)
    layers = n.to_proto().layer
    conv = layers[1]
    assert conv.name == "a/b" and conv.convolution_param.num_output == 4
    assert list(conv.convolution_param.kernel_size) == [3, 5]
    assert list(conv.convolution_param.pad) == [] and not conv.convolution_param.bias_term
    assert [param.lr_mult for param in conv.param] == [1, 2]
    assert conv.include[0].phase == caffe.TEST
    assert list(conv.propagate_down) == [True] and list(conv.loss_weight) == [0.5]
    assert layers[2].pooling_param.pool == P.Pooling.AVE


def test_raw_names_and_a_name_of_its_own():
    fn = L.ReLU(bottom="a", top=["b"], name="act", ntop=0)
    n = caffe.NetSpec()
    n.anything = fn
    layer = n.to_proto().layer[0]
    assert (layer.name, list(layer.bottom), list(layer.top)) == ("act", ["a"], ["b"])


def test_the_later_name_of_a_top_counts():
    n = caffe.NetSpec()
    n.first = L.Input(shape=dict(dim=[1]))
    n.second = n.first
    layers = n.to_proto().layer
    assert len(layers) == 1 and layers[0].name == "second"


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda x: L.Convolution(x, kernal_size=3), 'kernal_size.*mean "kernel_size"'),
        (lambda x: L.Deconvolution(x, num_output=3), "num_output"),
        (lambda x: L.Convolution(x, weight_filler=dict(typ="x")), "typ"),
    ],
)
def test_an_unknown_key_is_an_attribute_error_when_written(make, words):
    top = make(L.Input(shape=dict(dim=[1])))
    with pytest.raises(AttributeError, match=words):
        top.to_proto()


def test_a_name_that_is_not_there_is_both_errors():
    n = caffe.NetSpec()
    with pytest.raises(KeyError):
        _ = n["nothing"]
    with pytest.raises(AttributeError):
        _ = n.nothing
    assert not hasattr(n, "nothing")
    n.x = L.Input(shape=dict(dim=[1]))
    assert list(copy.copy(n).tops) == ["x"]


def test_flow_layers_have_their_parameters():
    names = param_name_dict()
    for layer_type, stem in [
        ("Convolution", "convolution"), ("Correlation", "correlation"), ("L1Loss", "l1_loss"),
        ("Resample", "resample"), ("Downsample", "downsample"), ("FlowWarp", "flow_warp"),
        ("Normalize", "norm"), ("ArgMax", "argmax"), ("HDF5Data", "hdf5_data"),
    ]:  # fmt: skip
        assert names[layer_type] == stem
    n = caffe.NetSpec()
    n.a = L.Input(shape=dict(dim=[1, 2, 3, 4]))
    n.corr = L.Correlation(n.a, n.a, max_displacement=4, kernel_size=1, pad=4)
    n.up = L.Resample(n.corr, width=8, height=6, type=P.Resample.LINEAR)
    layers = n.to_proto().layer
    assert layers[1].correlation_param.max_displacement == 4
    assert layers[2].resample_param.width == 8


def test_a_very_deep_net_is_written():
    top = L.Input(shape=dict(dim=[1]))
    for _ in range(3000):
        top = L.ReLU(top)
    assert len(top.to_proto().layer) == 3001


def test_unknown_enum_values_are_named():
    assert P.Eltwise.SUM == caffe_pb2.EltwiseParameter.SUM
    with pytest.raises(AttributeError, match="MAXIMUM"):
        _ = P.Pooling.MAXIMUM
