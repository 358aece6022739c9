"""A flow branch like PWC-Net's for segflow_lite, in the place of its own.

After PWC-Net (Sun et al., CVPR 2018), narrow. What segflow_lite's own branch does otherwise is here
as in the paper: plain correlation, dense blocks, upsampling by deconvolution, a flow and not a
change of it at each level, and a context network of dilated convolutions at the finest.
"""

from __future__ import annotations

from .layers import concat, relu
from .lite_flow import MAX_DISPLACEMENT, add_from_trunk, add_pyramid, add_warp, flow
from .lite_layers import (
    BILINEAR,
    LEVELS,
    SLOPE,
    add_convolution,
    add_doubling,
    add_prediction,
)
from .text import Layer, Net

#: channels of a level's dense block: each convolution reads all that were before it
DENSE_CHANNELS = {5: (64, 48, 32), 4: (64, 48, 32), 3: (48, 32, 32), 2: (16, 8, 32)}
#: context network: channels, dilation
CONTEXT = ((16, 1), (16, 2), (16, 4), (16, 8), (16, 1))
UPSAMPLED_CHANNELS = 2


def add_pwcnet_branch(net: Net, frames: tuple[str, str], *, from_trunk: bool) -> dict[int, str]:
    """Appends the branch for two padded frames; arguments and results as of `add_flow_branch`."""
    add_pyramid(net, frames)
    features: dict[int, str] = {}
    dense = ""
    for level in LEVELS:
        net.section(f"Flow at 1/{2**level}.")
        dense = _add_level(net, level, dense, from_trunk=from_trunk)
        features[level] = f"flow_dense{level}_{len(DENSE_CHANNELS[level])}"
        if level != LEVELS[-1]:
            add_prediction(net, flow(level), dense, 2)
    _add_context(net, dense)
    return features


def _add_level(net: Net, level: int, coarser: str, *, from_trunk: bool) -> str:
    """The dense block of a level; returns the blob with all that it found, and its input.

    `coarser`: that of the level before, empty at the coarsest.
    """
    first, second = (f"features{level}_frame{frame}" for frame in (1, 2))
    inputs = [first]
    if coarser:
        up_flow = add_doubling(net, f"up_flow{level}", flow(level + 1), 2, filler=BILINEAR)
        up_features = add_doubling(net, f"up_flow_features{level}", coarser, UPSAMPLED_CHANNELS)
        second = add_warp(net, level, second, up_flow)
        inputs += [up_flow, up_features]
    inputs = [_add_correlation(net, level, first, second), *inputs]
    if from_trunk:
        inputs.append(add_from_trunk(net, level))
    blob = net.add(concat(f"flow_input{level}", inputs))
    for index, channels in enumerate(DENSE_CHANNELS[level], start=1):
        new = add_convolution(net, f"flow_dense{level}_{index}", blob, channels)
        blob = net.add(concat(f"flow_joined{level}_{index}", (new, blob)))
    return blob


def _add_correlation(net: Net, level: int, first: str, second: str) -> str:
    displacement = MAX_DISPLACEMENT[level]
    settings = {"pad": displacement, "kernel_size": 1, "max_displacement": displacement}
    name = f"correlation{level}"
    param = {"correlation_param": settings}
    net.add(Layer(name, "Correlation", (first, second), (name,), param))
    return net.add(relu(f"{name}/relu", name, SLOPE))


def _add_context(net: Net, features: str) -> None:
    """The finest flow: that of its dense block plus what dilated convolutions over it add."""
    net.section("Context network: what is added to the finest flow.")
    level = LEVELS[-1]
    start = add_prediction(net, f"flow_start{level}", features, 2)
    blob = features
    for index, (channels, dilation) in enumerate(CONTEXT, start=1):
        blob = add_convolution(net, f"flow_context{index}", blob, channels, dilation=dilation)
    change = add_prediction(net, f"flow_change{level}", blob, 2)
    net.add(Layer(flow(level), "Eltwise", (start, change), (flow(level),)))
