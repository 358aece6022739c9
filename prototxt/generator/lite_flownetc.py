"""A flow branch like FlowNetC's for segflow_lite, in the place of its own.

After FlowNetC (Dosovitskiy et al., ICCV 2015), narrow: the frames' features meet once, in one
correlation of wide reach at 1/8; one encoder reads it, and the refinement goes up from its end
without warping. As in segflow_lite's own branch the features have length 1 where they are
correlated, and the segmentation trunk's features of each level are read as well.
"""

from __future__ import annotations

from .layers import concat, relu, silence
from .lite_flow import add_cosine_correlation, add_from_trunk, add_pyramid, flow
from .lite_layers import (
    BILINEAR,
    LEVELS,
    SLOPE,
    add_convolution,
    add_doubling,
    add_prediction,
)
from .text import Net

#: the level at which the frames meet
MEETING = 3
#: displacements seen there: -10 to 10 pixels, every second one
DISPLACEMENT, EVERY = 10, 2
REDIRECTED_CHANNELS = 24
ENCODER_CHANNELS = {3: 64, 4: 96, 5: 128}
FEATURE_CHANNELS = 32


def add_flownetc_branch(net: Net, frames: tuple[str, str], *, from_trunk: bool) -> dict[int, str]:
    """Appends the branch for two padded frames; arguments and results as of `add_flow_branch`."""
    add_pyramid(net, frames, range(1, MEETING + 1))
    net.add(silence("silence_features", *(f"features{n}_frame2" for n in range(2, MEETING))))
    encoded = _add_encoder(net)
    features: dict[int, str] = {}
    for level in LEVELS:
        net.section(f"Flow at 1/{2**level}.")
        inputs = [encoded[level]]
        if level != LEVELS[0]:
            name = f"up_flow_features{level}"
            up = add_doubling(net, name, features[level + 1], FEATURE_CHANNELS)
            net.add(relu(f"{name}/relu", up, SLOPE))
            inputs += [
                up,
                add_doubling(net, f"up_flow{level}", flow(level + 1), 2, filler=BILINEAR),
            ]
        if from_trunk:
            inputs.append(add_from_trunk(net, level))
        joined = net.add(concat(f"flow_input{level}", inputs))
        features[level] = add_convolution(net, f"flow_refined{level}", joined, FEATURE_CHANNELS)
        add_prediction(net, flow(level), features[level], 2)
    return features


def _add_encoder(net: Net) -> dict[int, str]:
    """Level -> blob that the refinement reads: the encoder's, at 1/4 the first frame's own."""
    net.section(f"Both frames' features meet at 1/{2**MEETING}; one encoder from there on.")
    first, second = (f"features{MEETING}_frame{frame}" for frame in (1, 2))
    redirected = add_convolution(net, "flow_redirected", first, REDIRECTED_CHANNELS, 1)
    correlation = add_cosine_correlation(net, MEETING, first, second, DISPLACEMENT, every=EVERY)
    blob = net.add(concat("flow_met", (redirected, correlation)))
    encoded = {level: f"features{level}_frame1" for level in range(2, MEETING)}
    for level, channels in ENCODER_CHANNELS.items():
        if level > MEETING:
            blob = add_convolution(net, f"flow_encoder{level}_1", blob, channels, stride=2)
        blob = add_convolution(net, f"flow_encoder{level}_2", blob, channels)
        encoded[level] = blob
    return encoded
