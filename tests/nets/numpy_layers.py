"""Layers' forward formulas in NumPy, in the dtype of their input; blobs are (N, C, H, W).

Written from the formulas for clearness; slow and small: the reference of the engine's numbers.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

Array = np.ndarray


def convolution(
    x: Array,
    weights: Array,
    bias: Array | None = None,
    *,
    stride: int = 1,
    pad: int = 0,
    group: int = 1,
    dilation: int = 1,
) -> Array:
    """Cross-correlation, zero padding, floor division of the size."""
    covers = dilation * (weights.shape[2] - 1) + 1
    padded = np.pad(x, ((0, 0), (0, 0), (pad, pad), (pad, pad)))
    windows = sliding_window_view(padded, (covers, covers), axis=(2, 3))
    windows = windows[:, :, ::stride, ::stride, ::dilation, ::dilation]
    n, channels, height, width = windows.shape[:4]
    outputs = weights.shape[0]
    y = np.empty((n, outputs, height, width), x.dtype)
    if group == channels == outputs:
        y[:] = np.einsum("nchwij,cij->nchw", windows, weights[:, 0])
    else:
        assert group == 1, "only group 1 and depthwise are written here"
        matrix = weights.reshape(outputs, -1)
        for item in range(n):
            columns = windows[item].transpose(0, 3, 4, 1, 2).reshape(matrix.shape[1], -1)
            y[item] = (matrix @ columns).reshape(outputs, height, width)
    return y if bias is None else y + bias[:, None, None]


def deconvolution(
    x: Array, weights: Array, bias: Array | None = None, *, stride: int, pad: int = 0
) -> Array:
    """The adjoint of `convolution`; weights are (C, O, k, k)."""
    n, _, height, width = x.shape
    _, outputs, kernel, _ = weights.shape
    full = np.zeros(
        (n, outputs, stride * (height - 1) + kernel, stride * (width - 1) + kernel), x.dtype
    )
    for i in range(kernel):
        for j in range(kernel):
            rows = slice(i, i + stride * (height - 1) + 1, stride)
            columns = slice(j, j + stride * (width - 1) + 1, stride)
            full[:, :, rows, columns] += np.tensordot(weights[:, :, i, j], x, (0, 1)).swapaxes(0, 1)
    y = full[:, :, pad : full.shape[2] - pad, pad : full.shape[3] - pad]
    return y if bias is None else y + bias[:, None, None]


def batch_norm(x: Array, mean: Array, variance: Array, factor: Array, *, epsilon: float) -> Array:
    """With stored statistics, which are the blobs divided by their factor."""
    mean, variance = mean / factor, variance / factor
    return (x - mean[:, None, None]) / np.sqrt(variance + epsilon)[:, None, None]


def scale(x: Array, factor: Array, shift: Array | None = None) -> Array:
    y = x * factor[:, None, None]
    return y if shift is None else y + shift[:, None, None]


def relu(x: Array, negative_slope: float = 0.0) -> Array:
    return np.where(x > 0, x, negative_slope * x)


def max_pool(x: Array, *, kernel: int, stride: int) -> Array:
    """Without padding; the last window may hang over the edge (size by ceiling)."""
    sizes = [math.ceil((side - kernel) / stride) + 1 for side in x.shape[2:]]
    over = [
        (0, (size - 1) * stride + kernel - side)
        for size, side in zip(sizes, x.shape[2:], strict=True)
    ]
    padded = np.pad(x, ((0, 0), (0, 0), *over), constant_values=-np.inf)
    windows = sliding_window_view(padded, (kernel, kernel), axis=(2, 3))
    return windows[:, :, ::stride, ::stride].max((4, 5))


def global_mean(x: Array) -> Array:
    return x.mean((2, 3), keepdims=True)


def _linear_weights(target: int, source: int, *, antialias: bool) -> Array:
    """(target, source): tent weights at half-pixel centres, normalised within the image."""
    ratio = source / target
    narrowing = 1 / max(ratio, 1.0) if antialias else 1.0
    position = (np.arange(target) + 0.5) * ratio - 0.5
    distance = narrowing * np.abs(position[:, None] - np.arange(source))
    weights = np.maximum(0, 1 - distance)
    return weights / weights.sum(1, keepdims=True)


def resample_linear(x: Array, height: int, width: int, *, antialias: bool = False) -> Array:
    rows = _linear_weights(height, x.shape[2], antialias=antialias).astype(x.dtype)
    columns = _linear_weights(width, x.shape[3], antialias=antialias).astype(x.dtype)
    return rows @ x @ columns.T


def resample_nearest(x: Array, height: int, width: int) -> Array:
    def nearest(target: int, source: int) -> Array:
        position = (np.arange(target) + 0.5) * source / target - 0.5
        return np.clip(np.floor(position + 0.5).astype(int), 0, source - 1)

    return x[:, :, nearest(height, x.shape[2])][:, :, :, nearest(width, x.shape[3])]


def crop(x: Array, reference: Array, offset: int) -> Array:
    height, width = reference.shape[2:]
    return x[:, :, offset : offset + height, offset : offset + width]


def pad_to_multiple(x: Array, multiple: int) -> Array:
    """Rows below and columns at the right, the last one repeated."""
    over = [(0, -side % multiple) for side in x.shape[2:]]
    return np.pad(x, ((0, 0), (0, 0), *over), mode="edge")


def normalize(x: Array, length: Array, *, epsilon: float) -> Array:
    """Vectors over channels scaled to `length`."""
    return x / np.sqrt((x**2).sum(1, keepdims=True) + epsilon) * length


def correlation(a: Array, b: Array, displacement: int, every: int = 1) -> Array:
    """Mean over channels of the products of a with b displaced; dx runs fastest."""
    n, _, height, width = a.shape
    steps = displacement // every
    reach = range(-steps * every, steps * every + 1, every)
    ring = (displacement, displacement)
    padded = np.pad(b, ((0, 0), (0, 0), ring, ring))
    y = np.empty((n, len(reach) ** 2, height, width), a.dtype)
    for q, (dy, dx) in enumerate((dy, dx) for dy in reach for dx in reach):
        top, left = displacement + dy, displacement + dx
        y[:, q] = (a * padded[:, :, top : top + height, left : left + width]).mean(1)
    return y


def flow_warp(image: Array, flow: Array, *, past_centre: bool = True) -> Array:
    """image at (x + u, y + v), bilinear; 0 where that is outside 0 <= x < W, 0 <= y < H.

    PWC-Net's Warp takes nothing past the last pixel's centre: 0 <= x <= W - 1.
    """
    n, _, height, width = image.shape
    x = np.arange(width, dtype=flow.dtype) + flow[:, 0]
    y = np.arange(height, dtype=flow.dtype)[:, None] + flow[:, 1]
    inside = (x >= 0) & (y >= 0)
    if past_centre:
        inside &= (x < width) & (y < height)
    else:
        inside &= (x <= width - 1) & (y <= height - 1)
    x, y = np.where(inside, x, 0), np.where(inside, y, 0)
    left, top = x.astype(int), y.astype(int)
    right, bottom = np.minimum(left + 1, width - 1), np.minimum(top + 1, height - 1)
    a, b = (x - np.floor(x))[:, None], (y - np.floor(y))[:, None]
    item = np.arange(n)[:, None, None]
    channels_first = image.transpose(0, 2, 3, 1)

    def at(rows: Array, columns: Array) -> Array:
        return channels_first[item, rows, columns].transpose(0, 3, 1, 2)

    upper = (1 - a) * at(top, left) + a * at(top, right)
    lower = (1 - a) * at(bottom, left) + a * at(bottom, right)
    return np.where(inside[:, None], (1 - b) * upper + b * lower, 0)


def data_augmentation(x: Array, channel_mean: Array) -> Array:
    """The deploy nets' case: identity crop, then the stored channel means off.

    The crop samples at most at size - 1.05, so the last column and row blend in their neighbour.
    """
    y = x.copy()
    y[..., -1] = 0.05 * x[..., -2] + 0.95 * x[..., -1]
    x = y.copy()
    y[..., -1, :] = 0.05 * x[..., -2, :] + 0.95 * x[..., -1, :]
    return y - channel_mean


def flow_scale(flow: Array, from_grid: Array, to_grid: Array) -> Array:
    """Pixels of one grid as pixels of another."""
    v, u = (to_grid.shape[axis] / from_grid.shape[axis] for axis in (2, 3))
    return flow * np.array([u, v], flow.dtype)[:, None, None]


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))
