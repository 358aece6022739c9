"""The segmentation decoder of segflow_lite: top-down over the trunk's taps and the flow branch."""

from __future__ import annotations

from collections.abc import Mapping

from .efficientnet_lite0 import TAPS
from .layers import concat
from .lite_flow import flow
from .lite_layers import FROM_TRUNK, LEVELS, add_convolution, add_prediction, resample
from .text import Layer, Name, Net

LATERAL_CHANNELS = {5: 96, 4: 64, 3: 40, 2: 32}
CONTEXT_CHANNELS = 64
DECODER_CHANNELS = {5: (96,), 4: (64,), 3: (64,), 2: (48, 48)}
#: levels whose logits are trained; only the finest is an output
SCORE_LEVELS = (2, 3, 4)
START_LOGIT = -1.0


def add_mask_decoder(net: Net, flow_features: Mapping[int, str]) -> dict[int, str]:
    """Appends the decoder and returns its last features for each level.

    `flow_features`: the flow branch's for each level, which are read with its flows (without a
    gradient); none where nothing of it is read.
    """
    features: dict[int, str] = {}
    for level in LEVELS:
        net.section(f"Mask at 1/{2**level}.")
        tap = TAPS[level][0]
        lateral = add_convolution(
            net, f"mask_lateral{level}", tap, LATERAL_CHANNELS[level], 1, filler=FROM_TRUNK
        )
        if level == LEVELS[0]:
            inputs = [lateral, _add_context(net, tap, lateral)]
        else:
            inputs = [net.add(resample(f"up_mask{level}", features[level + 1], lateral)), lateral]
        exchanged = [flow_features[level], flow(level)] if flow_features else []
        propagate = (True,) * len(inputs) + (False,) * len(exchanged) if exchanged else ()
        blob = net.add(
            concat(f"mask_input{level}", [*inputs, *exchanged], propagate_down=propagate)
        )
        for index, channels in enumerate(DECODER_CHANNELS[level], start=1):
            blob = add_convolution(net, f"mask_conv{level}_{index}", blob, channels)
        features[level] = blob
    return features


def add_score(net: Net, level: int, features: str) -> str:
    """The logit of the object at one level; it starts at a foreground share of 27 %."""
    return add_prediction(net, f"score{level}", features, 1, bias=START_LOGIT)


def _add_context(net: Net, tap: str, reference: str) -> str:
    """The trunk's mean over the frame, through a 1x1 convolution, at every position."""
    settings = {"pooling_param": {"pool": Name("AVE"), "global_pooling": True}}
    mean = net.add(Layer("mask_mean", "Pooling", (tap,), ("mask_mean",), settings))
    context = add_convolution(net, "mask_context", mean, CONTEXT_CHANNELS, 1, filler=FROM_TRUNK)
    return net.add(resample("mask_context_map", context, reference, kind="NEAREST"))
