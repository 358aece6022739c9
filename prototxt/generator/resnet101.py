"""The segmentation trunk of SegFlow: ResNet-101 as it was released for Caffe.

Names and wiring are those of the published weights: the stride 2 of a stage sits in the first
1x1 convolutions of its first block (He et al., "Deep Residual Learning", CVPR 2016).
"""

from __future__ import annotations

from .layers import convolution, relu
from .text import Layer, Name, Net

#: stage number -> (block suffixes, channels inside a block, stride of the first block)
STAGES = {
    2: (("a", "b", "c"), 64, 1),
    3: (("a", "b1", "b2", "b3"), 128, 2),
    4: (("a", *(f"b{index}" for index in range(1, 23))), 256, 2),
    5: (("a", "b", "c"), 512, 2),
}
EXPANSION = 4


def add_resnet101(net: Net, frame: str) -> None:
    """Appends the trunk; its stages end in `res2c`, `res3b3`, `res4b22` and `res5c`."""
    _add_convolution(net, frame, "conv1", "_conv1", num_output=64, kernel_size=7, pad=3, stride=2)
    net.add(relu("conv1_relu", "conv1"))
    pool = {"kernel_size": 3, "stride": 2, "pool": Name("MAX")}
    blob = net.add(Layer("pool1", "Pooling", ("conv1",), ("pool1",), {"pooling_param": pool}))
    for stage, (suffixes, channels, first_stride) in STAGES.items():
        for suffix in suffixes:
            first = suffix == suffixes[0]
            blob = _add_block(net, blob, f"{stage}{suffix}", channels, first_stride, first=first)


def _add_block(
    net: Net, blob: str, block: str, channels: int, first_stride: int, *, first: bool
) -> str:
    """A bottleneck block: 1x1, 3x3, 1x1 beside the identity (in a first block: a projection)."""
    stride = first_stride if first else 1
    shortcut = blob
    if first:
        shortcut = _add_branch(net, blob, block, "1", channels * EXPANSION, 1, stride)
    inner = _add_branch(net, blob, block, "2a", channels, 1, stride)
    net.add(relu(f"{inner}_relu", inner))
    inner = _add_branch(net, inner, block, "2b", channels, 3, 1)
    net.add(relu(f"{inner}_relu", inner))
    inner = _add_branch(net, inner, block, "2c", channels * EXPANSION, 1, 1)
    top = net.add(Layer(f"res{block}", "Eltwise", (shortcut, inner), (f"res{block}",)))
    net.add(relu(f"{top}_relu", top))
    return top


def _add_branch(
    net: Net, blob: str, block: str, branch: str, channels: int, kernel_size: int, stride: int
) -> str:
    name = f"res{block}_branch{branch}"
    _add_convolution(
        net,
        blob,
        name,
        f"{block}_branch{branch}",
        num_output=channels,
        kernel_size=kernel_size,
        pad=kernel_size // 2,
        stride=stride,
    )
    return name


def _add_convolution(net: Net, blob: str, name: str, norm_suffix: str, **geometry: int) -> None:
    """Convolution without bias, BatchNorm with stored statistics and Scale, in place."""
    net.add(convolution(name, blob, {**geometry, "bias_term": False}))
    statistics = {"batch_norm_param": {"use_global_stats": True}}
    net.add(Layer(f"bn{norm_suffix}", "BatchNorm", (name,), (name,), statistics))
    scale = {"scale_param": {"bias_term": True}}
    net.add(Layer(f"scale{norm_suffix}", "Scale", (name,), (name,), scale))
