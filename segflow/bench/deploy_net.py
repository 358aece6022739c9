"""The nets of the benchmarks: segflow's deploy net at 480x854 and one that trains it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

DEPLOY = Path(__file__).resolve().parents[2] / "prototxt/segflow/deploy.prototxt"
OUTPUTS = ["score", "score_flow", "predict_flow_final"]
FLOW_BRANCH = ("Eltwise2", "Convolution6")  # first and last layer of the frozen branch


def fill_seeded(net: Any) -> None:
    """Weights that keep activations finite; the values do not matter for speed."""
    rng = np.random.default_rng(0)
    for name, blobs in net.params.items():
        kind = net.layers[list(net._layer_names).index(name)].type
        for index, blob in enumerate(blobs):
            shape = tuple(blob.shape)
            if kind == "BatchNorm":
                value: Any = 1.0 if index > 0 else 0.0
            elif kind == "Scale":
                value = 1.0 if index == 0 else 0.0
            elif kind == "DataAugmentation" and index == 0:
                value = 2000.0  # passes: the mean is settled, as in published weights
            elif kind in ("Convolution", "Deconvolution") and index == 0:
                fan = int(np.prod(shape[1:]))
                value = rng.standard_normal(shape, dtype=np.float32) * np.float32(fan**-0.5)
            else:
                value = 0.0
            blob.data[...] = value


def fill_frames(net: Any) -> None:
    """Two frames of noise; in a training net a label with a rectangle of ones, too."""
    rng = np.random.default_rng(1)
    for name in ("data", "data2"):
        blob = net.blobs[name]
        blob.data[...] = rng.integers(0, 256, blob.data.shape) - np.float32(110)
    if "label" in net.blobs:
        net.blobs["label"].data[...] = 0
        net.blobs["label"].data[..., 100:300, 200:500] = 1


def training_text(batch: int = 1) -> str:
    """The deploy net with a summed softmax loss on `score` and the flow branch frozen."""
    from google.protobuf import text_format

    import caffe

    net = caffe.proto.caffe_pb2.NetParameter()
    text_format.Parse(DEPLOY.read_text(), net)
    names = [layer.name for layer in net.layer]
    first, last = (names.index(name) for name in FLOW_BRANCH)
    for index, layer in enumerate(net.layer):
        frozen = first <= index <= last
        if layer.type in ("Convolution", "Deconvolution") and frozen:
            bias = not layer.HasField("convolution_param") or layer.convolution_param.bias_term
            del layer.param[:]
            for _ in range(1 + int(bias)):
                spec = layer.param.add()
                spec.lr_mult = 0
                spec.decay_mult = 0
    data = next(layer for layer in net.layer if "data" in layer.top)
    for layer in net.layer:
        for shape in layer.input_param.shape:
            shape.dim[0] = batch
    shape = list(data.input_param.shape[0].dim)
    label = caffe.proto.caffe_pb2.NetParameter()
    text_format.Parse(
        'layer { name: "label" type: "Input" top: "label" input_param { shape {'
        f" dim: {shape[0]} dim: 1 dim: {shape[2]} dim: {shape[3]} }} }} }}"
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"'
        " loss_param { normalization: NONE } }",
        label,
    )
    net.layer.extend(label.layer)
    net.keep.append("loss")
    return text_format.MessageToString(net)
