"""The segmentation trunk of segflow_lite: EfficientNet-Lite0 without its classifier.

Layer and parameter names are those of the bundled ImageNet weights, so that they load by name.
BatchNorm statistics stay frozen; convolutions, scales and shifts learn.
"""

from __future__ import annotations

from dataclasses import dataclass

from .layers import convolution
from .text import FROZEN, Layer, Name, Net, Value

EPSILON = 0.001
STEM_CHANNELS = 32
#: level (2 = 1/4 of the frame) -> blob with the trunk's features there, and its channels
TAPS = {2: ("block3", 24), 3: ("block5", 40), 4: ("block11", 112), 5: ("block16_project", 320)}


@dataclass(frozen=True)
class _Stage:
    """Blocks of one width: how many, channels, depthwise kernel, first stride, expansion."""

    blocks: int
    channels: int
    kernel_size: int
    stride: int
    expansion: int = 6


_STAGES = (
    _Stage(1, 16, 3, 1, expansion=1),
    _Stage(2, 24, 3, 2),
    _Stage(2, 40, 5, 2),
    _Stage(3, 80, 3, 2),
    _Stage(3, 112, 5, 1),
    _Stage(4, 192, 5, 2),
    _Stage(1, 320, 3, 1),
)


def add_efficientnet_lite0(net: Net, frame: str) -> None:
    """Appends the trunk; its features are the blobs of `TAPS`."""
    blob = _add_convolution(net, frame, "stem", STEM_CHANNELS, pad=1, kernel_size=3, stride=2)
    _add_clip(net, blob)
    channels, number = STEM_CHANNELS, 0
    for stage in _STAGES:
        for index in range(stage.blocks):
            number += 1
            stride = stage.stride if index == 0 else 1
            blob = _add_block(
                net, blob, f"block{number}", (channels, stage.channels), stage, stride
            )
            channels = stage.channels


def _add_block(
    net: Net, blob: str, name: str, channels: tuple[int, int], stage: _Stage, stride: int
) -> str:
    """Inverted residual: 1x1 up, depthwise, 1x1 down; a sum where size and channels are kept."""
    block_input, (before, after) = blob, channels
    inner = before * stage.expansion
    if stage.expansion != 1:
        blob = _add_convolution(net, blob, f"{name}_expand", inner, pad=0, kernel_size=1, stride=1)
        _add_clip(net, blob)
    blob = _add_convolution(
        net,
        blob,
        f"{name}_dw",
        inner,
        pad=stage.kernel_size // 2,
        kernel_size=stage.kernel_size,
        group=inner,
        stride=stride,
    )
    _add_clip(net, blob)
    blob = _add_convolution(net, blob, f"{name}_project", after, pad=0, kernel_size=1, stride=1)
    if stride != 1 or before != after:
        return blob
    total = {"eltwise_param": {"operation": Name("SUM")}}
    return net.add(Layer(name, "Eltwise", (block_input, blob), (name,), total))


def _add_convolution(net: Net, blob: str, name: str, channels: int, **geometry: int) -> str:
    settings: dict[str, Value] = {"num_output": channels, "bias_term": False, **geometry}
    settings["weight_filler"] = {"type": "msra"}
    net.add(convolution(name, blob, settings))
    statistics = {"batch_norm_param": {"use_global_stats": True, "eps": EPSILON}}
    net.add(Layer(f"{name}/bn", "BatchNorm", (name,), (name,), statistics, (FROZEN,) * 3))
    scale = {"scale_param": {"bias_term": True}}
    net.add(Layer(f"{name}/scale", "Scale", (name,), (name,), scale))
    return name


def _add_clip(net: Net, blob: str) -> None:
    settings = {"clip_param": {"min": 0.0, "max": 6.0}}
    net.add(Layer(f"{blob}/clip", "Clip", (blob,), (blob,), settings))
