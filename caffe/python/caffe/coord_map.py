"""Coordinate maps between the blobs of a NetSpec, and the Crop layer that aligns two of them.

A map is (axis, a, b): output coordinate = a * input coordinate + b in each spatial dimension;
`axis` is the channel axis before the first spatial one, None where a layer fixes none.
"""

from typing import Any

import numpy as np

from caffe import layers as L
from caffe.net_spec import Function, Top

PASS_THROUGH_LAYERS = [
    "AbsVal", "BatchNorm", "Bias", "BNLL", "Dropout", "Eltwise", "ELU", "Log", "LRN", "Exp",
    "MVN", "Power", "ReLU", "PReLU", "Scale", "Sigmoid", "Split", "TanH", "Threshold",
]  # fmt: skip

CoordMap = tuple[int | None, Any, Any]


class UndefinedMapException(Exception):
    """A layer type that has no coordinate map."""


class AxisMismatchException(Exception):
    """Two maps whose spatial axes begin at different places."""


def conv_params(fn: Function) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """(axis, stride, dilated kernel size, pad) of a convolution-like layer."""
    params = fn.params.get("convolution_param", fn.params)
    axis = params.get("axis", 1)
    kernel = np.array(params["kernel_size"], ndmin=1)
    dilation = np.array(params.get("dilation", 1), ndmin=1)
    legacy = {f"{name}_{side}" for name in ("kernel", "pad", "stride") for side in "hw"}
    assert not legacy & set(fn.params), "cropping does not support legacy _h/_w params"
    return (
        axis,
        np.array(params.get("stride", 1), ndmin=1),
        (kernel - 1) * dilation + 1,
        np.array(params.get("pad", 0), ndmin=1),
    )


def crop_params(fn: Function) -> tuple[int, np.ndarray]:
    """(axis, offset) of a Crop layer."""
    params = fn.params.get("crop_param", fn.params)
    return params.get("axis", 2), np.array(params.get("offset", 0), ndmin=1)


def coord_map(fn: Function) -> CoordMap:
    """The map of one layer. Raises UndefinedMapException for a type that has none."""
    if fn.type_name in ("Convolution", "Pooling", "Im2col"):
        axis, stride, kernel, pad = conv_params(fn)
        return axis, 1 / stride, (pad - (kernel - 1) / 2) / stride
    if fn.type_name == "Deconvolution":
        axis, stride, kernel, pad = conv_params(fn)
        return axis, stride, (kernel - 1) / 2 - pad
    if fn.type_name in PASS_THROUGH_LAYERS:
        return None, 1, 0
    if fn.type_name == "Crop":
        axis, offset = crop_params(fn)
        return axis - 1, 1, -offset
    raise UndefinedMapException(f"{fn.type_name} layers have no coordinate map")


def compose(base_map: CoordMap, next_map: CoordMap) -> CoordMap:
    """The map of `next_map` first and `base_map` after it. Raises AxisMismatchException."""
    axis1, a1, b1 = base_map
    axis2, a2, b2 = next_map
    if axis1 is None:
        axis = axis2
    elif axis2 is None or axis1 == axis2:
        axis = axis1
    else:
        raise AxisMismatchException(f"axis {axis1} against axis {axis2}")
    return axis, a1 * a2, a1 * b2 + b1


def inverse(coord_map: CoordMap) -> CoordMap:
    """The map in the other direction."""
    axis, a, b = coord_map
    return axis, 1 / a, -b / a


def coord_map_from_to(top_from: Top, top_to: Top) -> CoordMap:
    """The map from the coordinates of `top_from` to those of `top_to`.

    Raises RuntimeError if no blob is reached from both through layers that have maps.
    """
    from_maps: dict[Top, CoordMap] = {top_from: (None, 1, 0)}
    _walk_up(top_from, from_maps)
    to_maps: dict[Top, CoordMap] = {top_to: (None, 1, 0)}
    common = _walk_up(top_to, to_maps, until=from_maps)
    if common is None:
        raise RuntimeError(
            "Could not compute map between tops; are they connected by spatial layers?"
        )
    return compose(to_maps[common], inverse(from_maps[common]))


def _mapped_bottoms(fn: Function) -> list[Top]:
    """The inputs whose coordinates a layer's output follows: Crop's second is only a size."""
    return list(fn.inputs[:1]) if fn.type_name == "Crop" else list(fn.inputs)


def _walk_up(
    top: Top, maps: dict[Top, CoordMap], until: dict[Top, CoordMap] | None = None
) -> Top | None:
    """Fills `maps` with the maps of all blobs above `top`; stops at the first one in `until`."""
    frontier = [top]
    while frontier:
        top = frontier.pop(0)
        if until is not None and top in until:
            return top
        try:
            layer_map = coord_map(top.fn)
        except UndefinedMapException:
            continue
        for bottom in _mapped_bottoms(top.fn):
            if bottom not in maps:
                maps[bottom] = compose(maps[top], layer_map)
                frontier.append(bottom)
    return None


def crop(top_from: Top, top_to: Top) -> Top:
    """A Crop layer that cuts `top_from` so that it lies upon `top_to`.

    Asserts that both have the same scale and that the offset is a non-negative integer.
    """
    axis, a, b = coord_map_from_to(top_from, top_to)
    a, b = np.atleast_1d(a), np.atleast_1d(b)
    assert (a == 1).all(), f"scale mismatch on crop (a = {a})"
    assert (b <= 0).all(), f"cannot crop negative offset (b = {b})"
    assert (np.round(b) == b).all(), f"cannot crop noninteger offset (b = {b})"
    first_spatial = 2 if axis is None else axis + 1
    offset = [int(-offset) for offset in np.round(b)]
    return L.Crop(top_from, top_to, crop_param=dict(axis=first_spatial, offset=offset))
