"""Augmentation of frame pairs: random crops (geometry) and light, colour and noise (photometry).

The photometric part ends in a network's input, planes of BGR minus mean: lookup tables carry
gain, gamma, offset and mean in one step, and the noise is cut from one fixed table, because
drawing a frame's worth of normal numbers would take longer than all the rest.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import cv2
import numpy as np

from segflow.synthesis.remap import View

MEAN_BGR = (104.00698793, 116.66876762, 122.67891434)
_NOISE_LENGTH = 1 << 20


@dataclass(frozen=True)
class CropSpec:
    """How crops are drawn: zoom 1 shows as much as fits into the picture, 2 half of it.

    anchor: how often the crop is placed so that it shows a given box (the object's).
    """

    zoom: tuple[float, float] = (1.0, 2.0)
    angle_deg: float = 6.0
    mirror: bool = True
    anchor: float = 0.8


@dataclass(frozen=True)
class PhotometricSpec:
    """How light and colour are drawn (lite_network.md section 3); values 0 to 255.

    gain and gamma are e^N(0, sigma), the gain for each channel; offset is N(0, sigma); the same
    with `_between` is what differs between the two frames; noise: the largest sigma.
    """

    gain: float = 0.2
    gamma: float = 0.15
    offset: float = 15.0
    gain_between: float = 0.03
    gamma_between: float = 0.02
    offset_between: float = 2.0
    noise: float = 6.0


NO_PHOTOMETRY = PhotometricSpec(0, 0, 0, 0, 0, 0, 0)


def random_crop(
    rng: np.random.Generator,
    picture_size: tuple[int, int],
    size: tuple[int, int],
    spec: CropSpec,
    box: tuple[int, int, int, int] | None = None,
) -> View:
    """A random view of `size` of a picture of picture_size; box: (top, bottom, left, right)."""
    height, width = picture_size
    zoom = math.exp(rng.uniform(math.log(spec.zoom[0]), math.log(spec.zoom[1])))
    scale = min(height / size[0], width / size[1]) / zoom
    angle = rng.uniform(-spec.angle_deg, spec.angle_deg)
    mirror = bool(rng.integers(2)) and spec.mirror
    anchored = rng.random() < spec.anchor
    where, inside = rng.random(2), rng.uniform(-0.25, 0.25, 2)
    centre = []
    for axis, (length, extent) in enumerate(((width, size[1]), (height, size[0]))):
        half = extent * scale / 2
        low, high = min(half, length / 2), max(length - half, length / 2)
        if box is not None and anchored:
            start, stop = (box[2], box[3]) if axis == 0 else (box[0], box[1])
            point = (start + stop) / 2 + inside[axis] * (stop - start)
            low, high = (
                max(low, min(point - 0.8 * half, high)),
                min(high, max(point + 0.8 * half, low)),
            )
        centre.append(low + where[axis] * (high - low) - 0.5)
    return View.of_crop(size, (centre[0], centre[1]), scale, angle, mirror)


def full_view(picture_size: tuple[int, int], size: tuple[int, int]) -> View:
    """The whole picture stretched to `size` (pixel edges on pixel edges)."""
    sy, sx = picture_size[0] / size[0], picture_size[1] / size[1]
    matrix = np.array([[sx, 0.0, sx / 2 - 0.5], [0.0, sy, sy / 2 - 0.5]])
    return View(matrix, size)


def network_frames(
    frame1: np.ndarray,
    frame2: np.ndarray,
    rng: np.random.Generator | None = None,
    spec: PhotometricSpec | None = None,
    mean: tuple[float, float, float] = MEAN_BGR,
) -> tuple[np.ndarray, np.ndarray]:
    """Both frames (H, W, 3) uint8 RGB as (3, H, W) float32 BGR minus mean.

    With a generator their light, colour and noise are changed, nearly alike in both.
    """
    if rng is None:
        spec = NO_PHOTOMETRY
        rng = np.random.default_rng(0)
    spec = spec or PhotometricSpec()
    gain = rng.normal(0.0, spec.gain, 3)
    gamma = rng.normal(0.0, spec.gamma)
    offset = rng.normal(0.0, spec.offset)
    sigma = rng.uniform(0.0, spec.noise)
    frames = []
    for number, frame in enumerate((frame1, frame2)):
        tables = _tables(
            np.exp(gain + number * rng.normal(0.0, spec.gain_between, 3)),
            math.exp(gamma + number * rng.normal(0.0, spec.gamma_between)),
            offset + number * rng.normal(0.0, spec.offset_between),
            mean,
        )
        start = int(rng.integers(0, _NOISE_LENGTH))
        planes = np.empty((3, *frame.shape[:2]), np.float32)
        for channel in range(3):
            plane = np.ascontiguousarray(frame[..., 2 - channel])
            planes[channel] = cv2.LUT(plane, tables[channel])
        if sigma > 0:
            _add_noise(planes, np.float32(sigma), start)
        frames.append(planes)
    return frames[0], frames[1]


def _tables(
    gain: np.ndarray, gamma: float, offset: float, mean: tuple[float, float, float]
) -> np.ndarray:
    """(3, 256) float32: what a pixel value becomes in each channel (B, G, R), mean taken off."""
    curve = 255.0 * (np.arange(256) / 255.0) ** gamma
    values = np.clip(gain[:, None] * curve[None] + offset, 0.0, 255.0)
    return (values - np.asarray(mean)[:, None]).astype(np.float32)


@lru_cache(maxsize=1)
def _noise_table() -> np.ndarray:
    return np.random.default_rng(20170801).standard_normal(_NOISE_LENGTH, dtype=np.float32)


def _add_noise(planes: np.ndarray, sigma: np.float32, start: int) -> None:
    """Add normal noise to the planes (C, H, W), read from the table from `start` on, in a ring."""
    table, flat = _noise_table(), planes.reshape(-1)
    done = 0
    while done < flat.size:
        step = min(flat.size - done, _NOISE_LENGTH - start)
        flat[done : done + step] += table[start : start + step] * sigma
        done, start = done + step, 0
