"""Pictures of nets; the drawing itself needs pydot, the picture also Graphviz."""

import shutil

import pytest
from google.protobuf import text_format

from caffe.proto import caffe_pb2

pytest.importorskip("pydot")

import caffe.draw  # noqa: E402

NET = """
name: 'drawn'
layer { name: 'data' type: 'Data' top: 'data' data_param { batch_size: 7 } }
layer { name: 'conv' type: 'Convolution' bottom: 'data' top: 'conv' param { lr_mult: 0.5 }
  convolution_param { num_output: 5 kernel_size: 3 stride: 2 } }
layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' include { phase: TRAIN } }
layer { name: 'pool' type: 'Pooling' bottom: 'conv' top: 'pool' pooling_param { pool: AVE
  kernel_size: 2 } exclude { phase: TRAIN } }
"""


@pytest.fixture
def net():
    return text_format.Parse(NET, caffe_pb2.NetParameter())


def test_the_graph_has_all_parts(net):
    text = caffe.draw.get_pydot_graph(net, "LR").to_string()
    for part in (
        "drawn", '"conv_Convolution"', "#FF5050", "#FF9900", "#90EE90", '"pool_blob"',
        "Batch 7", "kernel size: 3\\nstride: 2\\npad: 0", "(Pooling AVE)",
    ):  # fmt: skip
        assert part in text, part


def test_labels_say_rates_and_follow_the_direction(net):
    label = caffe.draw.get_layer_label(net.layer[1], "TB", display_lrm=True)
    assert label == '"conv (Convolution) kernel size: 3 stride: 2 pad: 0 lr mult: 0.5, 1.0"'
    assert caffe.draw.get_edge_label(net.layer[1]) == "5"
    with pytest.raises(ValueError, match="learning rate"):
        caffe.draw.get_layer_lr_mult(net.layer[3])


def test_a_phase_chooses_layers(net):
    train = caffe.draw.get_pydot_graph(net, "LR", phase=caffe_pb2.TRAIN).to_string()
    assert "relu_ReLU" in train and "pool_Pooling" not in train
    test = caffe.draw.get_pydot_graph(net, "LR", phase=caffe_pb2.TEST).to_string()
    assert "relu_ReLU" not in test and "pool_Pooling" in test


def test_a_graph_is_written_as_text(net, tmp_path):
    caffe.draw.draw_net_to_file(net, tmp_path / "net.raw")
    assert (tmp_path / "net.raw").read_text().startswith("digraph")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_a_picture_is_written(net, tmp_path):
    caffe.draw.draw_net_to_file(net, tmp_path / "net.png")
    assert (tmp_path / "net.png").read_bytes().startswith(b"\x89PNG")
