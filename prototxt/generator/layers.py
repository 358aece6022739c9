"""Layers that several networks use, with the settings that these networks share."""

from __future__ import annotations

from collections.abc import Sequence

from .text import Layer, Name, Rate, Value


def input_blob(name: str, shape: Sequence[int]) -> Layer:
    return Layer(name, "Input", (), (name,), {"input_param": {"shape": {"dim": list(shape)}}})


def python_data(tops: Sequence[str], module: str, layer: str, param_str: str) -> Layer:
    """A data layer written in Python, named `data` as in the published training net."""
    settings = {"python_param": {"module": module, "layer": layer, "param_str": param_str}}
    return Layer("data", "Python", (), tuple(tops), settings)


def relu(name: str, blob: str, negative_slope: float = 0.0) -> Layer:
    settings = {"relu_param": {"negative_slope": negative_slope}} if negative_slope else {}
    return Layer(name, "ReLU", (blob,), (blob,), settings)


def concat(
    top: str,
    bottoms: Sequence[str],
    *,
    name: str = "",
    axis: int | None = None,
    propagate_down: tuple[bool, ...] = (),
) -> Layer:
    settings = {} if axis is None else {"concat_param": {"axis": axis}}
    layer_name = name or top
    return Layer(
        layer_name, "Concat", tuple(bottoms), (top,), settings, propagate_down=propagate_down
    )


def crop(name: str, blob: str, reference: str, top: str, offset: int) -> Layer:
    """Rows and columns of `blob` from `offset` on, as many as `reference` has."""
    settings = {"crop_param": {"axis": 2, "offset": offset}}
    return Layer(name, "Crop", (blob, reference), (top,), settings)


def eltwise_scale(name: str, blob: str, top: str, factor: float) -> Layer:
    """Eltwise with one bottom, the way in which the flow networks multiply by a constant."""
    settings = {"eltwise_param": {"operation": Name("SUM"), "coeff": factor}}
    return Layer(name, "Eltwise", (blob,), (top,), settings)


def power_scale(name: str, blob: str, top: str, factor: float) -> Layer:
    return Layer(name, "Power", (blob,), (top,), {"power_param": {"scale": factor}})


def silence(name: str, *blobs: str) -> Layer:
    return Layer(name, "Silence", tuple(blobs))


def convolution(
    name: str,
    blob: str,
    settings: dict[str, Value],
    *,
    top: str = "",
    rates: tuple[Rate, ...] = (),
) -> Layer:
    return Layer(
        name, "Convolution", (blob,), (top or name,), {"convolution_param": settings}, rates
    )


def deconvolution(
    name: str,
    blob: str,
    settings: dict[str, Value],
    *,
    top: str = "",
    rates: tuple[Rate, ...] = (),
) -> Layer:
    return Layer(
        name, "Deconvolution", (blob,), (top or name,), {"convolution_param": settings}, rates
    )
