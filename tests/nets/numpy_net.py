"""Runs a net's text in NumPy, layer by layer: the bundled nets without the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy_layers as formulas
from net_text import NetLayer

Array = np.ndarray
Weights = Mapping[str, Sequence[Array]]


def run(
    layers: list[NetLayer],
    weights: Weights,
    inputs: Mapping[str, Array],
    *,
    keep: Sequence[str] = (),
    on_blob: Callable[[str, Array], None] | None = None,
) -> dict[str, Array]:
    """All blobs of a forward pass in the dtype of the inputs.

    With `keep`, blobs that no later layer reads are dropped unless named there. `on_blob` sees
    every top as its layer leaves it.
    """
    blobs: dict[str, Array] = {}
    dtype = next(iter(inputs.values())).dtype
    last_reader = {name: i for i, layer in enumerate(layers) for name in layer.bottoms}
    for index, layer in enumerate(layers):
        if layer.type == "Input":
            blobs[layer.tops[0]] = inputs[layer.tops[0]]
            continue
        bottoms = [blobs[name] for name in layer.bottoms]
        params = [blob.astype(dtype) for blob in weights.get(layer.name, [])]
        tops = _forward(layer, bottoms, params)
        for name, top in zip(layer.tops, tops, strict=True):
            assert top.dtype == dtype, layer.name
            blobs[name] = top
            if on_blob:
                on_blob(name, top)
        if keep:
            for name in set(layer.bottoms) | set(layer.tops):
                if last_reader.get(name, 0) <= index and name not in keep:
                    blobs.pop(name, None)
    return blobs


def _forward(layer: NetLayer, bottoms: list[Array], params: list[Array]) -> list[Array]:
    if layer.type == "Silence":
        return []
    if layer.type == "Slice":
        assert layer.settings("slice_param").one("axis") == 0
        return list(np.split(bottoms[0], len(layer.tops)))
    if layer.type == "Convolution":
        return [_convolution(layer, [bottom], params) for bottom in bottoms]
    return [_FORWARD[layer.type](layer, bottoms, params)]


def _convolution(layer: NetLayer, bottoms: list[Array], params: list[Array]) -> Array:
    settings = layer.settings("convolution_param")
    return formulas.convolution(
        bottoms[0],
        *params,
        stride=settings.one("stride", 1),
        pad=settings.one("pad", 0),
        group=settings.one("group", 1),
        dilation=settings.one("dilation", 1),
    )


def _deconvolution(layer: NetLayer, bottoms: list[Array], params: list[Array]) -> Array:
    settings = layer.settings("convolution_param")
    stride, pad, group = settings.one("stride"), settings.one("pad", 0), settings.one("group", 1)
    assert group == 1 or len(params) == 1, "biases of groups are not written here"
    parts = [
        formulas.deconvolution(x, weights, *params[1:], stride=stride, pad=pad)
        for x, weights in zip(
            np.split(bottoms[0], group, axis=1), np.split(params[0], group), strict=True
        )
    ]
    return np.concatenate(parts, axis=1)


def _batch_norm(layer: NetLayer, bottoms: list[Array], params: list[Array]) -> Array:
    settings = layer.settings("batch_norm_param")
    assert settings.one("use_global_stats") is True
    return formulas.batch_norm(bottoms[0], *params, epsilon=settings.one("eps", 1e-5))


def _relu(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    return formulas.relu(bottoms[0], layer.settings("relu_param").one("negative_slope", 0.0))


def _clip(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("clip_param")
    return np.clip(bottoms[0], settings.one("min"), settings.one("max"))


def _pooling(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("pooling_param")
    if settings.one("global_pooling", False):
        assert settings.one("pool") == "AVE"
        return formulas.global_mean(bottoms[0])
    assert settings.one("pool") == "MAX"
    kernel, stride = settings.one("kernel_size"), settings.one("stride")
    return formulas.max_pool(bottoms[0], kernel=kernel, stride=stride)


def _eltwise(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("eltwise_param")
    assert settings.one("operation", "SUM") == "SUM"
    factors = settings.get("coeff", [1.0] * len(bottoms))
    total = factors[0] * bottoms[0]
    for factor, blob in zip(factors[1:], bottoms[1:], strict=True):
        total = total + factor * blob
    return total


def _power(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("power_param")
    assert set(settings) == {"scale"}
    return bottoms[0] * settings.one("scale")


def _concat(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    return np.concatenate(bottoms, layer.settings("concat_param").one("axis", 1))


def _crop(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    return formulas.crop(*bottoms, layer.settings("crop_param").one("offset", 0))


def _resample(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("resample_param")
    height, width = settings.one("height"), settings.one("width")
    if len(bottoms) == 2:
        height, width = bottoms[1].shape[2:]
    if settings.one("type") == "NEAREST":
        return formulas.resample_nearest(bottoms[0], height, width)
    antialias = settings.one("antialias")
    return formulas.resample_linear(bottoms[0], height, width, antialias=antialias)


def _data_augmentation(layer: NetLayer, bottoms: list[Array], params: list[Array]) -> Array:
    settings = layer.settings("augmentation_param")
    assert params[0].item() >= settings.one("recompute_mean"), "the mean is settled"
    if "crop_height" not in settings:
        return bottoms[0] - params[2]
    assert bottoms[0].shape[2:] == (settings.one("crop_height"), settings.one("crop_width"))
    return formulas.data_augmentation(bottoms[0], params[2])


def _pad(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("pad_param")
    assert settings.one("mode", "EDGE") == "EDGE"
    return formulas.pad_to_multiple(bottoms[0], settings.one("multiple_of"))


def _normalize(layer: NetLayer, bottoms: list[Array], params: list[Array]) -> Array:
    settings = layer.settings("norm_param")
    assert settings.one("across_spatial") is False and settings.one("channel_shared") is True
    return formulas.normalize(bottoms[0], params[0], epsilon=settings.one("eps"))


def _correlation(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("correlation_param")
    assert settings.one("pad") == settings.one("max_displacement")
    displacement, every = settings.one("max_displacement"), settings.one("stride_2", 1)
    return formulas.correlation(*bottoms, displacement, every)


def _mean(layer: NetLayer, bottoms: list[Array], _: list[Array]) -> Array:
    settings = layer.settings("mean_param")
    assert settings.one("operation") == "SUBTRACT"
    values = np.array(settings["value"], bottoms[0].dtype)[:, None, None]
    return settings.one("input_scale") * bottoms[0] - values


_FORWARD = {
    "Deconvolution": _deconvolution,
    "BatchNorm": _batch_norm,
    "Scale": lambda _, bottoms, params: formulas.scale(bottoms[0], *params),
    "ReLU": _relu,
    "Clip": _clip,
    "Pooling": _pooling,
    "Eltwise": _eltwise,
    "Power": _power,
    "Concat": _concat,
    "Crop": _crop,
    "Resample": _resample,
    "DataAugmentation": _data_augmentation,
    "Pad": _pad,
    "Normalize": _normalize,
    "Correlation": _correlation,
    "FlowWarp": lambda _, bottoms, __: formulas.flow_warp(*bottoms),
    "Warp": lambda _, bottoms, __: formulas.flow_warp(*bottoms, past_centre=False),
    "FlowScale": lambda _, bottoms, __: formulas.flow_scale(*bottoms),
    "Mean": _mean,
}
