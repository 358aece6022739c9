"""A network of one layer for each result, whose right answers a test can tell.

The mask is where the frame is bright (above 128: `tiny_sets` makes such objects); the flow is
FLOW everywhere, in pixels of the frame as the net sees it. Frames are padded inside.
"""

from pathlib import Path

import numpy as np

FLOW = (3.0, -2.0)
MEAN = 128 - (104.00698793 + 116.66876762 + 122.67891434) / 3  # of brightness 128, mean taken off

_INPUT = 'layer {{ name: "{0}" type: "Input" top: "{0}" input_param {{ shape {{ {1} }} }} }}\n'
_FRAME = "dim: 1 dim: 3 dim: 32 dim: 48"
_MAP = "dim: 1 dim: 1 dim: 32 dim: 48"
_PAD = """
layer { name: "frame1" type: "Pad" bottom: "data" top: "frame1" pad_param { multiple_of: 8 } }
layer { name: "frame2" type: "Pad" bottom: "data2" top: "frame2" pad_param { multiple_of: 8 } }
layer { name: "both" type: "Concat" bottom: "frame1" bottom: "frame2" top: "both" }
"""
RESULT = """
layer {{ name: "{0}_head" type: "Convolution" bottom: "{1}" top: "{0}_padded" {3}
  convolution_param {{ num_output: {2} kernel_size: 1 weight_filler {{ type: "xavier" }} }} }}
layer {{ name: "{0}" type: "Crop" bottom: "{0}_padded" bottom: "data" top: "{0}"
  crop_param {{ axis: 2 offset: 0 }} }}
"""
_LOSS = """
layer { name: "loss" type: "SigmoidCrossEntropyLoss" bottom: "score" bottom: "label"
  bottom: "weight" top: "loss" loss_weight: 2 loss_param { normalization: FULL } }
"""
_SOLVER = 'net: "{}"\ntype: "Adam"\nbase_lr: 0.003\nlr_policy: "fixed"\nmax_iter: 30\n'


def deploy_text(mask: bool = True, flow: bool = True) -> str:
    text = _INPUT.format("data", _FRAME) + _INPUT.format("data2", _FRAME) + _PAD
    if mask:
        text += RESULT.format("score", "frame1", 1, "")
    if flow:
        text += RESULT.format("score_flow", "both", 2, "param { lr_mult: 0 } param { lr_mult: 0 }")
    return text


def write_network(folder: Path, mask: bool = True, flow: bool = True, online: bool = True) -> Path:
    """Write deploy.prototxt and what belongs to it; returns its path."""
    folder.mkdir(parents=True, exist_ok=True)
    text = deploy_text(mask, flow)
    (folder / "deploy.prototxt").write_text(text)
    if online:
        labels = _INPUT.format("label", _MAP) + _INPUT.format("weight", _MAP)
        (folder / "online.prototxt").write_text(labels + text + _LOSS)
        solver = folder / "solver_online.prototxt"
        solver.write_text(_SOLVER.format(folder / "online.prototxt"))
    return folder / "deploy.prototxt"


def write_weights(deploy: Path, scale: float = 0.1, bias: float = 0.0) -> Path:
    """Weights for `write_network`, beside it: logit = scale * (brightness - 128) + bias."""
    import caffe

    net = caffe.Net(str(deploy), caffe.TEST)
    if "score_head" in net.params:
        net.params["score_head"][0].data[...] = scale / 3
        net.params["score_head"][1].data[...] = bias - scale * MEAN
    if "score_flow_head" in net.params:
        net.params["score_flow_head"][0].data[...] = 0
        net.params["score_flow_head"][0].data[0, 0] = 1e-9  # a head of zeros is told to the user
        net.params["score_flow_head"][1].data[...] = np.array(FLOW)
    path = deploy.with_name("tiny.caffemodel")
    net.save(str(path))
    return path
