"""Pictures that need no data set: photographs inside scikit-image, and procedural textures."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
import skimage

from segflow.readers.image import read_image

# Photographs that the scikit-image package carries, all without copyright or CC0 but the
# motorcycle (whose terms are not stated: it is used here, and never written into this repository).
COLOUR_PHOTOGRAPHS = (
    "astronaut.png",
    "chelsea.png",
    "coffee.png",
    "hubble_deep_field.jpg",
    "ihc.png",
    "motorcycle_left.png",
    "retina.jpg",
    "rocket.jpg",
)
GREY_PHOTOGRAPHS = ("brick.png", "grass.png", "gravel.png", "moon.png", "coins.png")


@lru_cache(maxsize=1)
def photograph_names() -> tuple[str, ...]:
    """Names of the photographs that this scikit-image carries (nothing is downloaded)."""
    names = (*COLOUR_PHOTOGRAPHS, *GREY_PHOTOGRAPHS)
    return tuple(name for name in names if (_folder() / name).is_file())


@lru_cache(maxsize=32)
def photograph(name: str) -> np.ndarray:
    """(h, w, 3) uint8 RGB, longer side at most 800, read-only."""
    image = read_image(_folder() / name)
    factor = 800 / max(image.shape[:2])
    if factor < 1:
        size = (round(image.shape[1] * factor), round(image.shape[0] * factor))
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    image = np.array(image)
    image.flags.writeable = False
    return image


def random_texture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """A random texture of `size` (H, W): a photograph's part or a procedure; (H, W, 3) uint8."""
    names = photograph_names()
    if names and rng.random() < 0.6:
        name = names[int(rng.integers(len(names)))]
        part = _part(rng, photograph(name), size)
        return _tinted(rng, part) if name in GREY_PHOTOGRAPHS else part
    kinds: tuple[Callable[..., np.ndarray], ...] = (clouds, stripes, spots, cells)
    return kinds[int(rng.integers(len(kinds)))](rng, size)


def clouds(rng: np.random.Generator, size: tuple[int, int], octaves: int = 6) -> np.ndarray:
    """Noise of several sizes between two colours."""
    return _coloured(rng, fractal_noise(rng, size, octaves))


def stripes(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Wavy stripes with a grain."""
    height, width = size
    ys, xs = np.mgrid[:height, :width].astype(np.float32)
    angle, period = rng.uniform(0, math.pi), rng.uniform(10, 40)
    along = math.cos(angle) * xs + math.sin(angle) * ys
    bend = 12 * fractal_noise(rng, size, 3)
    wave = 0.5 + 0.5 * np.sin((along + bend) * np.float32(2 * math.pi / period))
    return _coloured(rng, 0.8 * wave + 0.2 * fractal_noise(rng, size, 7))


def spots(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Discs of many sizes and colours on clouds."""
    picture = np.ascontiguousarray(clouds(rng, size))
    for _ in range(int(size[0] * size[1] / rng.uniform(400, 1500))):
        centre = (int(rng.integers(size[1])), int(rng.integers(size[0])))
        colour = tuple(int(value) for value in rng.integers(20, 240, 3))
        cv2.circle(picture, centre, int(rng.integers(2, 14)), colour, -1, cv2.LINE_AA)
    return picture


def cells(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    """Cells of random colours round random points, as cobbles have them."""
    from scipy.spatial import cKDTree

    height, width = size
    count = max(4, int(height * width / rng.uniform(300, 2000)))
    points = rng.uniform(0, 1, (count, 2)) * (height, width)
    ys, xs = np.mgrid[:height, :width]
    distances, nearest = cKDTree(points).query(np.stack([ys.ravel(), xs.ravel()], 1), 2)
    rim = (distances[:, 1] - distances[:, 0]).reshape(size).clip(0, 4)[..., None] / 4
    base = rng.uniform(40, 215, 3)
    colours = (base + rng.normal(0, 35, (count, 3))).clip(0, 255)[nearest[:, 0].reshape(size)]
    grain = 0.7 + 0.6 * fractal_noise(rng, size, 7)[..., None]
    return (colours * (0.3 + 0.7 * rim) * grain).clip(0, 255).astype(np.uint8)


def fractal_noise(rng: np.random.Generator, size: tuple[int, int], octaves: int) -> np.ndarray:
    """(H, W) float32 between 0 and 1: smooth noise of halving sizes and halving strength."""
    height, width = size
    total = np.zeros(size, np.float32)
    for octave in range(octaves):
        grid = (2 + height * 2**octave // max(size), 2 + width * 2**octave // max(size))
        knots = rng.standard_normal(grid).astype(np.float32)
        total += 0.6**octave * cv2.resize(knots, (width, height), interpolation=cv2.INTER_CUBIC)
    low, high = total.min(), total.max()
    return (total - low) / max(float(high - low), 1e-6)


def _folder() -> Path:
    return Path(skimage.__file__).parent / "data"


def _part(rng: np.random.Generator, image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A random part of the image, at least half of it, scaled to the size."""
    share = rng.uniform(0.5, 1.0)
    scale = share * min(image.shape[0] / size[0], image.shape[1] / size[1])
    height, width = round(size[0] * scale), round(size[1] * scale)
    top = int(rng.integers(image.shape[0] - height + 1))
    left = int(rng.integers(image.shape[1] - width + 1))
    part = image[top : top + height, left : left + width]
    if rng.random() < 0.5:
        part = part[:, ::-1]
    how = cv2.INTER_AREA if scale > 1 else cv2.INTER_LINEAR
    return cv2.resize(np.ascontiguousarray(part), size[::-1], interpolation=how)


def _tinted(rng: np.random.Generator, picture: np.ndarray) -> np.ndarray:
    tint = rng.uniform(0.5, 1.1, 3)
    return (picture * (tint / tint.mean())).clip(0, 255).astype(np.uint8)


def _coloured(rng: np.random.Generator, grey: np.ndarray) -> np.ndarray:
    """Grey values 0 to 1 between two colours that differ."""
    first = rng.uniform(0, 255, 3)
    second = (first + rng.choice((-1, 1), 3) * rng.uniform(60, 160, 3)) % 256
    colours = first + grey[..., None] * (second - first)
    return colours.clip(0, 255).astype(np.uint8)
