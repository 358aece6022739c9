"""Seeded weights and frames for the reference passes: the same on every machine and NumPy.

They come from `RandomState`, whose stream NumPy keeps fixed, one stream a layer by its name.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Iterable, Sequence

import numpy as np

Array = np.ndarray
Shape = tuple[int, ...]
#: BatchNorm blobs are stored times this factor, as a trained net stores them
STORED_FACTOR = 0.75


def blobs_of_layer(name: str, kind: str, shapes: Sequence[Shape]) -> list[Array]:
    """float32 parameter blobs of a layer, such that activations stay within some units.

    name, kind: the layer's name and type; shapes: its blobs' shapes in order.
    """
    draw = np.random.RandomState(zlib.crc32(name.encode()))
    values = _VALUES[kind](name, shapes, draw)
    return [
        np.ascontiguousarray(value, np.float32).reshape(shape)
        for value, shape in zip(values, shapes, strict=True)
    ]


def weights_of_net(layers: Iterable[tuple[str, str, Sequence[Shape]]]) -> dict[str, list[Array]]:
    """Layer name -> blobs, for (name, type, shapes) of every layer with parameters."""
    return {name: blobs_of_layer(name, kind, shapes) for name, kind, shapes in layers if shapes}


def frames(height: int, width: int, count: int = 1) -> tuple[Array, Array]:
    """Two batches (count, 3, H, W) float32 in the range of mean-subtracted images.

    Blocks of colour with fine noise; the second is the first moved by (3, 2) pixels.
    """
    draw = np.random.RandomState(zlib.crc32(b"frames"))
    coarse = draw.uniform(-110, 130, (count, 3, height // 8 + 2, width // 8 + 2))
    picture = np.kron(coarse, np.ones((8, 8))) + draw.uniform(
        -8, 8, (count, 3, 8 * (height // 8 + 2), 8 * (width // 8 + 2))
    )
    first = picture[:, :, 2 : 2 + height, 3 : 3 + width]
    second = picture[:, :, :height, :width]
    return first.astype(np.float32), second.astype(np.float32)


def _uniform(draw: np.random.RandomState, shape: Shape, deviation: float) -> Array:
    half = math.sqrt(3) * deviation
    return draw.uniform(-half, half, shape)


def _convolution(name: str, shapes: Sequence[Shape], draw: np.random.RandomState) -> list[Array]:
    fan_in = math.prod(shapes[0][1:])
    values = [_uniform(draw, shapes[0], math.sqrt(2 / fan_in))]
    if name.startswith(("flow_change", "flow5", "predict")):
        values[0] *= 0.3
    return values + [_uniform(draw, shape, 0.05) for shape in shapes[1:]]


def _deconvolution(_: str, shapes: Sequence[Shape], draw: np.random.RandomState) -> list[Array]:
    fan_in = 4 * shapes[0][0]  # kernels here are twice their stride
    values = [_uniform(draw, shapes[0], math.sqrt(2 / fan_in))]
    return values + [_uniform(draw, shape, 0.05) for shape in shapes[1:]]


def _batch_norm(name: str, shapes: Sequence[Shape], draw: np.random.RandomState) -> list[Array]:
    """The first ones see pixel values of some tens."""
    deviation = 80.0 if name in ("bn_conv1", "stem/bn") else 1.0
    mean = _uniform(draw, shapes[0], 0.1) * deviation
    variance = draw.uniform(0.8, 1.6, shapes[1]) * deviation**2
    factor = np.full(shapes[2], STORED_FACTOR)
    return [mean * STORED_FACTOR, variance * STORED_FACTOR, factor]


def _scale(name: str, shapes: Sequence[Shape], draw: np.random.RandomState) -> list[Array]:
    """Small at the end of a residual branch, so that sums over many blocks stay small."""
    if len(shapes) == 1:
        return [0.1 * draw.uniform(0.8, 1.2, shapes[0])]
    gain = 0.25 if name.endswith("branch2c") else 1.0
    return [gain * draw.uniform(0.8, 1.2, shapes[0]), _uniform(draw, shapes[1], 0.1)]


def _data_augmentation(_: str, shapes: Sequence[Shape], draw: np.random.RandomState) -> list[Array]:
    """Enough images seen for the stored channel means to be settled."""
    return [np.array(1000.0), np.full(shapes[1], 0.1), draw.uniform(-0.1, 0.1, shapes[2])]


def _normalize(_: str, shapes: Sequence[Shape], draw: np.random.RandomState) -> list[Array]:
    return [draw.uniform(5, 9, shapes[0])]


_VALUES = {
    "Convolution": _convolution,
    "Deconvolution": _deconvolution,
    "BatchNorm": _batch_norm,
    "Scale": _scale,
    "DataAugmentation": _data_augmentation,
    "Normalize": _normalize,
}
