"""FlowNetS and FlowNetC (Dosovitskiy et al., "FlowNet", ICCV 2015), layer for layer as published.

Both frames come in, `predict_flow2` to `predict_flow6` come out: flow in units of 20 pixels at 1/4
to 1/64. SegFlow's own copy of FlowNetS, whose order of layers differs, is in flownets.py.
"""

from __future__ import annotations

from dataclasses import dataclass

from .flow_convolutions import SLOPE, FlowConvolutions
from .flownets import DECODER, ENCODER
from .layers import concat, relu
from .text import Layer, Net

#: both frames' own layers of FlowNetC: name, channels, kernel size
SIAMESE = (("conv1", 64, 7), ("conv2", 128, 5), ("conv3", 256, 5))
#: FlowNetC sees displacements of -20 to 20 pixels of its 1/8 grid, every second one
CORRELATION = {"pad": 20, "kernel_size": 1, "max_displacement": 20, "stride_1": 1, "stride_2": 2}
REDIRECTED_CHANNELS = 32


def add_flownets_body(net: Net, learned: FlowConvolutions, frames: tuple[str, str]) -> None:
    """FlowNetS: the frames joined, and one encoder for them."""
    numbered = _Numbered(net)
    blob = numbered.concat("input", frames, axis=1)
    _add_encoder(learned, numbered, blob, (("conv1", *ENCODER[0][1:]), *ENCODER[1:]))
    _add_refinement(net, learned, numbered, skip="conv2")


def add_flownetc_body(
    net: Net, learned: FlowConvolutions, frames: tuple[str, str], *, first: str = "conv1"
) -> None:
    """FlowNetC: features of each frame, their correlation, and one encoder for it.

    `first`: name of the first convolution, where `conv1` is another network's.
    """
    numbered = _Numbered(net)
    a, b = frames
    for name, channels, kernel_size in SIAMESE:
        layer = first if name == "conv1" else name
        tops = (f"{name}a", f"{name}b")
        learned.convolution(layer, (a, b), channels, kernel_size, 2, tops=tops)
        a, b = (numbered.relu(top) for top in tops)
    settings = {"correlation_param": CORRELATION}
    correlation = net.add(Layer("corr", "Correlation", (a, b), ("corr",), settings))
    numbered.relu(correlation)
    redirected = learned.convolution("conv_redir", a, REDIRECTED_CHANNELS, 1)
    numbered.relu(redirected)
    blob = numbered.concat("blob20", (redirected, correlation), axis=1)
    _add_encoder(learned, numbered, blob, ENCODER[3:])
    _add_refinement(net, learned, numbered, skip="conv2a")


@dataclass
class _Numbered:
    """ReLU and Concat layers, whose names the published nets number in order."""

    net: Net
    relus: int = 0
    concats: int = 0

    def relu(self, blob: str) -> str:
        self.relus += 1
        return self.net.add(relu(f"ReLU{self.relus}", blob, SLOPE))

    def concat(self, top: str, blobs: tuple[str, ...], axis: int | None = None) -> str:
        self.concats += 1
        return self.net.add(concat(top, blobs, name=f"Concat{self.concats}", axis=axis))


def _add_encoder(
    learned: FlowConvolutions,
    numbered: _Numbered,
    blob: str,
    layers: tuple[tuple[str, int, int, int], ...],
) -> None:
    for name, channels, kernel_size, stride in layers:
        blob = numbered.relu(learned.convolution(name, blob, channels, kernel_size, stride))


def _add_refinement(net: Net, learned: FlowConvolutions, numbered: _Numbered, skip: str) -> None:
    """From 1/64 to 1/4: features and flow are doubled and joined with the encoder's.

    `skip`: the encoder's blob at 1/4.
    """
    blob = ENCODER[-1][0]
    for step, (level, encoder, channels) in enumerate(DECODER, start=1):
        coarser = level + 1
        flow = learned.convolution(f"Convolution{step}", blob, 2, 3, tops=f"predict_flow{coarser}")
        features = numbered.relu(learned.doubling(f"deconv{level}", blob, channels))
        upsampled = learned.doubling(
            f"upsample_flow{coarser}to{level}", flow, 2, top=f"upsampled_flow{coarser}_to_{level}"
        )
        joined = (skip if level == DECODER[-1][0] else encoder, features, upsampled)
        blob = numbered.concat(f"concat{level}", joined)
    learned.convolution("Convolution5", blob, 2, 3, tops="predict_flow2")
