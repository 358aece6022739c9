"""PWC-Net (Sun et al., CVPR 2018), layer for layer as published.

Both frames come in, `predict_flow2` to `predict_flow6` come out: flow in units of 20 pixels at 1/4
to 1/64.
"""

from __future__ import annotations

from .flow_convolutions import SLOPE, FlowConvolutions
from .flownets import FLOW_UNIT_PX
from .layers import concat, eltwise_scale, relu
from .text import Layer, Name, Net

#: level (1/2**level of the frame): channels of its features
PYRAMID = {1: 16, 2: 32, 3: 64, 4: 96, 5: 128, 6: 196}
LEVELS = (6, 5, 4, 3, 2)
#: channels of a level's dense block: each convolution reads all that were before it
DENSE_CHANNELS = (128, 128, 96, 64, 32)
#: context network: channels, dilation
CONTEXT = ((128, 1), (128, 2), (128, 4), (96, 8), (64, 16), (32, 1))
DISPLACEMENT = 4


def add_pwcnet_body(net: Net, learned: FlowConvolutions, frames: tuple[str, str]) -> None:
    """The pyramid, a flow a level from what the coarser one warps, and the context network."""
    _add_pyramid(net, learned, frames)
    coarser = ""
    for level in LEVELS:
        coarser = _add_level(net, learned, level, coarser)
    _add_context(net, learned, coarser)


def dense_features(level: int) -> str:
    """The blob with all that a level's dense block has found, and its input."""
    return f"denseconcat{level}_{len(DENSE_CHANNELS) - 1}"


def _features(frame: int, level: int) -> str:
    return f"conv{frame}_{level}_b"


def _add_pyramid(net: Net, learned: FlowConvolutions, frames: tuple[str, str]) -> None:
    """Three convolutions a level, the first of stride 2; both frames share the weights.

    At level 6 the first one has another name and no ReLU.
    """
    blobs = frames
    for level, channels in PYRAMID.items():
        deepest = level == LEVELS[0]
        if deepest:
            tops = ("Convolution1", "Convolution2")
            learned.convolution("Convolution1", blobs, channels, 3, 2, tops=tops)
            blobs = tops
        for step in ("a", "b") if deepest else ("a", "aa", "b"):
            tops = (f"conv0_{level}_{step}", f"conv1_{level}_{step}")
            stride = 2 if step == "a" and not deepest else 1
            learned.convolution(tops[0], blobs, channels, 3, stride, tops=tops)
            for frame, top in enumerate(tops):
                net.add(relu(f"Relu{frame}_{level}_{step}", top, SLOPE))
            blobs = tops


def _add_level(net: Net, learned: FlowConvolutions, level: int, coarser: str) -> str:
    """Flow at a level; returns the blob of its dense features.

    `coarser`: the dense features of the level before, empty at the coarsest.
    """
    number = LEVELS[0] - level + 1
    first, second = _features(0, level), _features(1, level)
    if not coarser:
        blob = _add_correlation(net, number, level, first, second)
    else:
        step = f"{level + 1}to{level}"
        flow = learned.doubling(f"upsample_flow_{step}", f"predict_flow{level + 1}", 2)
        features = learned.doubling(f"upsample_feature_{step}", coarser, 2)
        second = _add_warp(net, level, step, flow, second)
        correlation = _add_correlation(net, number, level, first, second)
        joined = (correlation, first, flow, features)
        blob = net.add(concat(f"concat{level}", joined, axis=1))
    for index, channels in enumerate(DENSE_CHANNELS):
        new = learned.convolution(f"conv{level}_{index}", blob, channels, 3)
        net.add(relu(f"relu{level}_{index}", new, SLOPE))
        blob = net.add(concat(f"denseconcat{level}_{index}", (new, blob), axis=1))
    name = "predict_flow_ini" if level == LEVELS[-1] else f"predict_flow{level}"
    learned.convolution(name, blob, 2, 3)
    return blob


def _add_warp(net: Net, level: int, step: str, flow: str, features: str) -> str:
    """Frame 2's features fetched from where the flow so far says that they are."""
    name, top = f"scale_flow_{step}", f"warped_image{level}"
    pixels = net.add(eltwise_scale(name, flow, name, FLOW_UNIT_PX / 2**level))
    return net.add(Layer(top, "Warp", (features, pixels), (top,)))


def _add_correlation(net: Net, number: int, level: int, first: str, second: str) -> str:
    settings = {
        "pad": DISPLACEMENT,
        "kernel_size": 1,
        "max_displacement": DISPLACEMENT,
        "stride_1": 1,
        "stride_2": 1,
    }
    name = f"Correlation{number}"
    param = {"correlation_param": settings}
    net.add(Layer(name, "Correlation", (first, second), (name,), param))
    return net.add(relu(f"corr{level}", name, SLOPE))


def _add_context(net: Net, learned: FlowConvolutions, features: str) -> None:
    """Dilated convolutions over the finest features: what is added to their flow."""
    blob = features
    for index, (channels, dilation) in enumerate(CONTEXT, start=1):
        blob = learned.convolution(f"dc_conv{index}", blob, channels, 3, dilation=dilation)
        net.add(relu(f"relu_dc{index}", blob, SLOPE))
    learned.convolution("predict_flow_inc", blob, 2, 3)
    settings = {"eltwise_param": {"operation": Name("SUM")}}
    summed = ("predict_flow_ini", "predict_flow_inc")
    net.add(Layer("predict_flow2", "Eltwise", summed, ("predict_flow2",), settings))
