"""The flow branch of segflow_lite: a shared feature pyramid, warping, and cosine correlation.

After PWC-Net (Sun et al., CVPR 2018), with two differences: the features of both frames have
length 1 over channels where they are correlated, so that the flow learns from the first iteration;
and the segmentation trunk's features of each level are read as well.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from .efficientnet_lite0 import TAPS
from .layers import concat, power_scale, relu
from .lite_layers import FROM_TRUNK, LEVELS, SLOPE, add_convolution, add_prediction, resample
from .text import FROZEN, Layer, Net

#: network flow 1.0 = 20 pixels of the frame, at every level
FLOW_UNIT_PX = 20.0
#: pixel values of about -120..140 to about unit variance
FRAME_SCALE = 0.017
PYRAMID_CHANNELS = {1: 16, 2: 32, 3: 48, 4: 64, 5: 96}
LATERAL_CHANNELS = 32
TRUNK_CHANNELS = {5: 24, 4: 24, 3: 16, 2: 12}
MAX_DISPLACEMENT = {5: 4, 4: 4, 3: 4, 2: 3}
ESTIMATOR_CHANNELS = {5: (96, 64, 32), 4: (96, 64, 32), 3: (96, 64, 32), 2: (48, 48, 32)}


def flow(level: int) -> str:
    """The blob with the flow at a level, in units of 20 pixels of the frame."""
    return f"flow{level}"


def add_flow_branch(net: Net, frames: tuple[str, str], *, from_trunk: bool) -> dict[int, str]:
    """Appends the branch for two padded frames; its flows are `flow2` to `flow5`.

    `from_trunk`: whether the segmentation trunk's features are read (without a gradient).
    Returns the blobs with the last features of each level, 32 channels.
    """
    add_pyramid(net, frames)
    features: dict[int, str] = {}
    for level in LEVELS:
        features[level] = _add_level(net, level, features, from_trunk=from_trunk)
    return features


def add_pyramid(
    net: Net, frames: tuple[str, str], levels: Sequence[int] = tuple(PYRAMID_CHANNELS)
) -> None:
    """Both frames as one batch of twice the size, so that they share the weights.

    The results are `features<level>_frame1` and `_frame2` for those of the levels from 2 on.
    """
    net.add(concat("frame_pair", frames, axis=0))
    net.add(power_scale("frame_pair/scale", "frame_pair", "frame_pair", FRAME_SCALE))
    blob = "frame_pair"
    for level in levels:
        channels = PYRAMID_CHANNELS[level]
        blob = add_convolution(net, f"pyramid{level}_1", blob, channels, stride=2)
        blob = add_convolution(net, f"pyramid{level}_2", blob, channels)
        if level in LEVELS:
            tops = (f"features{level}_frame1", f"features{level}_frame2")
            settings = {"slice_param": {"axis": 0}}
            net.add(Layer(f"features{level}", "Slice", (blob,), tops, settings))


def _add_level(net: Net, level: int, features: Mapping[int, str], *, from_trunk: bool) -> str:
    """The flow of a level; `features`: those of the coarser levels. Returns its own."""
    net.section(f"Flow at 1/{2**level}.")
    frame1, frame2 = f"features{level}_frame1", f"features{level}_frame2"
    coarser = level + 1
    coarse_to_fine: list[str] = []
    if level != LEVELS[0]:
        up_flow = net.add(resample(f"up_flow{level}", flow(coarser), frame1))
        up_features = net.add(resample(f"up_flow_features{level}", features[coarser], frame1))
        coarse_to_fine = [up_flow, up_features]
        frame2 = add_warp(net, level, frame2, up_flow)
    correlation = add_cosine_correlation(net, level, frame1, frame2, MAX_DISPLACEMENT[level])
    lateral = add_convolution(net, f"flow_lateral{level}", frame1, LATERAL_CHANNELS, 1)
    inputs = [correlation, lateral, *coarse_to_fine]
    if from_trunk:
        inputs.append(add_from_trunk(net, level))
    blob = net.add(concat(f"flow_input{level}", inputs))
    for index, channels in enumerate(ESTIMATOR_CHANNELS[level], start=1):
        blob = add_convolution(net, f"flow_conv{level}_{index}", blob, channels)
    if not coarse_to_fine:
        add_prediction(net, flow(level), blob, 2)
        return blob
    change = add_prediction(net, f"flow_change{level}", blob, 2)
    net.add(Layer(flow(level), "Eltwise", (coarse_to_fine[0], change), (flow(level),)))
    return blob


def add_warp(net: Net, level: int, features: str, up_flow: str) -> str:
    """Frame 2's features fetched from where the flow so far says that they are."""
    pixels = f"flow_pixels{level}"
    net.add(power_scale(pixels, up_flow, pixels, FLOW_UNIT_PX / 2**level))
    return net.add(Layer(f"warped{level}", "FlowWarp", (features, pixels), (f"warped{level}",)))


def add_cosine_correlation(
    net: Net, level: int, frame1: str, frame2: str, displacement: int, *, every: int = 1
) -> str:
    """Cosine of the features of frame 1 and of frame 2 displaced by up to `displacement` pixels
    of the level in each direction, every pixel or `every` some."""
    normalized = [
        net.add(_normalized(f"normalized{level}_frame{index}", blob, PYRAMID_CHANNELS[level]))
        for index, blob in enumerate((frame1, frame2), start=1)
    ]
    settings = {"pad": displacement, "kernel_size": 1, "max_displacement": displacement}
    if every > 1:
        settings["stride_2"] = every
    name = f"correlation{level}"
    net.add(Layer(name, "Correlation", tuple(normalized), (name,), {"correlation_param": settings}))
    net.add(relu(f"{name}/relu", name, SLOPE))
    return name


def _normalized(name: str, blob: str, channels: int) -> Layer:
    """Length sqrt(channels) over channels: Correlation's mean of products is then the cosine."""
    length = float(f"{math.sqrt(channels):.8g}")
    settings = {
        "across_spatial": False,
        "channel_shared": True,
        "eps": 1e-6,
        "scale_filler": {"type": "constant", "value": length},
    }
    return Layer(name, "Normalize", (blob,), (name,), {"norm_param": settings}, (FROZEN,))


def add_from_trunk(net: Net, level: int) -> str:
    """The exchange towards the flow; the flow's loss does not reach the trunk."""
    return add_convolution(
        net,
        f"segmentation_to_flow{level}",
        TAPS[level][0],
        TRUNK_CHANNELS[level],
        1,
        filler=FROM_TRUNK,
        propagate_down=(False,),
    )
