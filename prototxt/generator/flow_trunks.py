"""Flow trunks that SegFlow can have: its own, FlowNetS, and what the ablations put in its place.

All of them read `data` and `data2`, give their features at 1/16, 1/8 and 1/4 to the decoders, and
end in `predict_flow_final`, which is silenced.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from .flow_convolutions import FlowConvolutions
from .flownet import add_flownetc_body
from .flownets import FlowNetSize, add_flownets, add_full_size_flow, add_preparation
from .pwcnet import add_pwcnet_body, dense_features
from .text import FROZEN, Net


@dataclass(frozen=True)
class FlowTrunk:
    """`add`: takes the net, sizes and the convolutions' engine (empty for none).

    `features`: level (1/2**level) -> blob that the decoders read.
    """

    title: str
    add: Callable[[Net, FlowNetSize, str], None]
    features: Mapping[int, str]


def _add_flownetc(net: Net, size: FlowNetSize, engine: str) -> None:
    """`conv1` belongs to the segmentation trunk; with `conv1_flowC` the weights are FlowNetC's."""
    frames = add_preparation(net, size)
    learned = FlowConvolutions(net, engine, (FROZEN, FROZEN))
    add_flownetc_body(net, learned, frames, first="conv1_flowC")
    add_full_size_flow(net, size)


def _add_pwcnet(net: Net, size: FlowNetSize, engine: str) -> None:
    frames = add_preparation(net, size)
    add_pwcnet_body(net, FlowConvolutions(net, engine, (FROZEN, FROZEN)), frames)
    add_full_size_flow(net, size)


_CONCATS = {level: f"concat{level}" for level in (4, 3, 2)}
FLOW_TRUNKS = {
    "flownets": FlowTrunk("FlowNetS", add_flownets, _CONCATS),
    "flownetc": FlowTrunk("FlowNetC", _add_flownetc, _CONCATS),
    "pwcnet": FlowTrunk("PWC-Net", _add_pwcnet, {n: dense_features(n) for n in (4, 3, 2)}),
}
