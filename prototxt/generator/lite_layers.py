"""Layers that both branches of segflow_lite are made of."""

from __future__ import annotations

from dataclasses import replace

from .layers import convolution, deconvolution, relu
from .text import Layer, Name, Net, Value

#: strides are 2**level: level 2 is 1/4 of the frame, level 5 is 1/32
LEVELS = (5, 4, 3, 2)
MULTIPLE_OF = 32
SLOPE = 0.1

MSRA: dict[str, Value] = {"type": "msra"}
#: brings the trunk's features, whose values are some units large, to about unit size
FROM_TRUNK: dict[str, Value] = {"type": "gaussian", "std": 0.02}
BILINEAR: dict[str, Value] = {"type": "bilinear"}
#: starts a prediction near zero
NEAR_ZERO: dict[str, Value] = {"type": "gaussian", "std": 0.001}


def add_convolution(
    net: Net,
    name: str,
    blob: str,
    channels: int,
    kernel_size: int = 3,
    *,
    stride: int = 1,
    filler: dict[str, Value] = MSRA,
    propagate_down: tuple[bool, ...] = (),
    dilation: int = 1,
) -> str:
    """Convolution with bias that keeps the size (or divides it by `stride`), and a leaky ReLU."""
    settings: dict[str, Value] = {"num_output": channels, "kernel_size": kernel_size}
    if kernel_size > 1:
        settings["pad"] = dilation * (kernel_size // 2)
    if dilation > 1:
        settings["dilation"] = dilation
    if stride > 1:
        settings["stride"] = stride
    settings["weight_filler"] = filler
    net.add(replace(convolution(name, blob, settings), propagate_down=propagate_down))
    net.add(relu(f"{name}/relu", name, SLOPE))
    return name


def add_doubling(
    net: Net, name: str, blob: str, channels: int, *, filler: dict[str, Value] = MSRA
) -> str:
    """A 4x4 deconvolution without bias that doubles height and width.

    With the filler BILINEAR it keeps the channels apart and starts as interpolation.
    """
    settings: dict[str, Value] = {"num_output": channels, "bias_term": False}
    settings |= {"kernel_size": 4, "stride": 2, "pad": 1}
    if filler is BILINEAR:
        settings["group"] = channels
    settings["weight_filler"] = filler
    return net.add(deconvolution(name, blob, settings))


def add_prediction(net: Net, name: str, blob: str, channels: int, *, bias: float = 0.0) -> str:
    """A 3x3 convolution without ReLU that starts near `bias` everywhere."""
    settings: dict[str, Value] = {"num_output": channels, "kernel_size": 3, "pad": 1}
    settings["weight_filler"] = NEAR_ZERO
    if bias:
        settings["bias_filler"] = {"type": "constant", "value": bias}
    return net.add(convolution(name, blob, settings))


def resample(name: str, blob: str, reference: str, *, kind: str = "LINEAR") -> Layer:
    """`blob` at the height and width of `reference`, half-pixel centres, edges repeated.

    Only the sizes of `reference` are read, so no gradient goes there.
    """
    settings = {"resample_param": {"type": Name(kind), "antialias": False}}
    return Layer(
        name, "Resample", (blob, reference), (name,), settings, propagate_down=(True, False)
    )


def pad(name: str, blob: str, top: str, *, value: float | None = None) -> Layer:
    """Repeats the last row and column (or writes `value`) up to a multiple of 32.

    With sizes that are multiples already the top shares the bottom's memory.
    """
    settings: dict[str, Value] = {"multiple_of": MULTIPLE_OF}
    if value is not None:
        settings |= {"mode": Name("CONSTANT"), "value": value}
    return Layer(name, "Pad", (blob,), (top,), {"pad_param": settings})


def average_pool(name: str, blob: str, top: str, kernel_size: int) -> Layer:
    settings = {"pool": Name("AVE"), "kernel_size": kernel_size, "stride": kernel_size}
    return Layer(name, "Pooling", (blob,), (top,), {"pooling_param": settings})
