"""Shapes of blobs and parameters, and the arithmetic, of a net's text, by the layers' rules."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from net_text import Message, NetLayer

Shape = tuple[int, ...]


@dataclass
class Walk:
    """What a walk over a net finds."""

    tops: list[tuple[str, str, Shape]] = field(default_factory=list)  # layer, top, shape
    blobs: dict[str, Shape] = field(default_factory=dict)
    params: list[tuple[str, int, Shape]] = field(default_factory=list)  # layer, index, shape
    multiply_adds: int = 0

    @property
    def param_count(self) -> int:
        return sum(math.prod(shape) for _, _, shape in self.params)


def walk(layers: list[NetLayer], inputs: dict[str, Shape] | None = None) -> Walk:
    """`inputs`: shapes of a data layer's tops, where the text does not give them."""
    result = Walk()
    given = inputs or {}
    for layer in layers:
        bottoms = [result.blobs[name] for name in layer.bottoms]
        shapes = _top_shapes(layer, bottoms, given)
        assert len(shapes) == len(layer.tops), layer.name
        for name, shape in zip(layer.tops, shapes, strict=True):
            assert min(shape, default=1) > 0, f"{layer.name}: {name} would be {shape}"
            result.blobs[name] = shape
            result.tops.append((layer.name, name, shape))
        params = _param_shapes(layer, bottoms, shapes)
        result.params += [(layer.name, index, shape) for index, shape in enumerate(params)]
        result.multiply_adds += _multiply_adds(layer, bottoms, shapes, params)
    return result


def geometry(settings: Message) -> tuple[int, int, int]:
    """Size that the kernel covers, stride, pad; square ones only."""
    covers = settings.one("dilation", 1) * (settings.one("kernel_size") - 1) + 1
    return covers, settings.one("stride", 1), settings.one("pad", 0)


def _top_shapes(layer: NetLayer, bottoms: list[Shape], given: dict[str, Shape]) -> list[Shape]:
    if layer.type == "Input":
        return [tuple(layer.settings("input_param").sub("shape")["dim"])]
    if layer.type == "Python":
        return [given[name] for name in layer.tops]
    if layer.type == "Silence":
        return []
    if "Loss" in layer.type or layer.type == "Accuracy":
        return [()]
    rule = _RULES.get(layer.type)
    return rule(layer, bottoms) if rule else [bottoms[0]]


def _convolution(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("convolution_param")
    kernel, stride, pad = geometry(settings)
    assert len({shape[1] for shape in bottoms}) == 1, f"{layer.name}: {bottoms}"
    channels = settings.one("num_output")
    return [
        (n, channels, *((s + 2 * pad - kernel) // stride + 1 for s in size))
        for n, _, *size in bottoms
    ]


def _deconvolution(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("convolution_param")
    kernel, stride, pad = geometry(settings)
    n, _, *size = bottoms[0]
    return [(n, settings.one("num_output"), *(stride * (s - 1) + kernel - 2 * pad for s in size))]


def _pooling(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("pooling_param")
    n, channels, *size = bottoms[0]
    if settings.one("global_pooling", False):
        return [(n, channels, 1, 1)]
    kernel, stride, pad = geometry(settings)
    assert pad == 0, "the rule for padded pooling is not written here"
    return [(n, channels, *(math.ceil((s - kernel) / stride) + 1 for s in size))]


def _concat(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    axis = layer.settings("concat_param").one("axis", 1)
    for shape in bottoms:
        differing = [i for i, side in enumerate(shape) if side != bottoms[0][i]]
        assert set(differing) <= {axis}, f"{layer.name}: {bottoms}"
    joined = list(bottoms[0])
    joined[axis] = sum(shape[axis] for shape in bottoms)
    return [tuple(joined)]


def _slice(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    axis, parts = layer.settings("slice_param").one("axis", 1), len(layer.tops)
    shape = list(bottoms[0])
    assert shape[axis] % parts == 0
    shape[axis] //= parts
    return [tuple(shape)] * parts


def _crop(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("crop_param")
    assert settings.one("axis") == 2
    offset = settings.one("offset", 0)
    for have, want in zip(bottoms[0][2:], bottoms[1][2:], strict=True):
        assert have - offset >= want, f"{layer.name}: {have} - {offset} < {want}"
    return [bottoms[0][:2] + bottoms[1][2:]]


def _eltwise(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    assert len(set(bottoms)) == 1, f"{layer.name}: {bottoms}"
    return [bottoms[0]]


def _downsample(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    values, reference = bottoms
    return [values[:2] + reference[2:]]


def _flow_scale(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    assert len(bottoms) == 3 and bottoms[0][1] == 2, layer.name
    return [bottoms[0]]


def _resample(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("resample_param")
    if len(bottoms) == 2:
        return [bottoms[0][:2] + bottoms[1][2:]]
    return [(*bottoms[0][:2], settings.one("height"), settings.one("width"))]


def _data_augmentation(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("augmentation_param")
    height, width = settings.one("crop_height"), settings.one("crop_width")
    return [(*bottoms[0][:2], height, width) if height and width else bottoms[0]]


def _pad(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    multiple = layer.settings("pad_param").one("multiple_of", 1)
    n, channels, *size = bottoms[0]
    return [(n, channels, *(-(-s // multiple) * multiple for s in size))]


def _flow_warp(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    image, flow = bottoms
    assert flow == (image[0], 2, *image[2:]), layer.name
    return [image]


def _correlation(layer: NetLayer, bottoms: list[Shape]) -> list[Shape]:
    settings = layer.settings("correlation_param")
    assert bottoms[0] == bottoms[1], layer.name
    assert settings.one("stride_1", 1) == 1
    reach = settings.one("max_displacement") + (settings.one("kernel_size") - 1) // 2
    n, _, *size = bottoms[0]
    steps = settings.one("max_displacement") // settings.one("stride_2", 1)
    displacements = (2 * steps + 1) ** 2
    return [(n, displacements, *(s + 2 * settings.one("pad", 0) - 2 * reach for s in size))]


_RULES = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "Pooling": _pooling,
    "Concat": _concat,
    "Slice": _slice,
    "Crop": _crop,
    "Eltwise": _eltwise,
    "Resample": _resample,
    "DataAugmentation": _data_augmentation,
    "Pad": _pad,
    "Downsample": _downsample,
    "FlowScale": _flow_scale,
    "FlowWarp": _flow_warp,
    "Warp": _flow_warp,
    "Correlation": _correlation,
}


def _param_shapes(layer: NetLayer, bottoms: list[Shape], tops: list[Shape]) -> list[Shape]:
    channels = bottoms[0][1] if bottoms and len(bottoms[0]) > 1 else 0
    if layer.type in ("Convolution", "Deconvolution"):
        settings = layer.settings("convolution_param")
        kernel, outputs = settings.one("kernel_size"), settings.one("num_output")
        group = settings.one("group", 1)
        first, second = (outputs, channels) if layer.type == "Convolution" else (channels, outputs)
        weights = (first, second // group, kernel, kernel)
        return [weights, (outputs,)] if settings.one("bias_term", True) else [weights]
    if layer.type == "BatchNorm":
        return [(channels,), (channels,), (1,)]
    if layer.type == "Scale":
        bias = layer.settings("scale_param").one("bias_term", False)
        return [(channels,)] * (2 if bias else 1)
    if layer.type == "DataAugmentation":
        return [(1, 1, 1, 1), (1, *tops[0][1:]), (1, channels, 1, 1)]
    if layer.type == "Normalize":
        return [() if layer.settings("norm_param").one("channel_shared", True) else (channels,)]
    return []


def _multiply_adds(
    layer: NetLayer, bottoms: list[Shape], tops: list[Shape], params: list[Shape]
) -> int:
    if layer.type == "Correlation":
        return math.prod(tops[0]) * bottoms[0][1]
    if layer.type not in ("Convolution", "Deconvolution"):
        return 0
    grids = tops if layer.type == "Convolution" else bottoms
    return sum(grid[0] * math.prod(params[0]) * math.prod(grid[2:]) for grid in grids)
