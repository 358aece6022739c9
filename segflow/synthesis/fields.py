"""Random motion fields f: affine about a centre, a translation and a smooth random field.

A frame pair made with f (frame 2 = picture at x, frame 1 = picture at x + f(x)) has f as its
exact flow from frame 1 to frame 2, whatever f is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from segflow.synthesis.remap import pixel_grid


@dataclass(frozen=True)
class MotionSpec:
    """How motion fields are drawn. All lengths are pixels of the field.

    translation_px: (probability, standard deviation) pairs; grid: knots (rows, columns) of the
    smooth random field, whose knots are uniform in +-random_px.
    """

    angle_deg: float = 8.0
    scale: float = 0.06
    translation_px: tuple[tuple[float, float], ...] = ((0.6, 3.0), (0.3, 10.0), (0.1, 28.0))
    random_px: float = 1.5
    grid: tuple[int, int] = (4, 6)


def motion_field(
    rng: np.random.Generator,
    size: tuple[int, int],
    spec: MotionSpec | None = None,
    centre: tuple[float, float] | None = None,
    gain: float = 1.0,
) -> np.ndarray:
    """A random field (H, W, 2) float32 in pixels, u right and v down, times `gain`.

    centre: (x, y) about which the affine part turns and grows; the middle by default.
    """
    spec = spec or MotionSpec()
    height, width = size
    angle = math.radians(rng.uniform(-spec.angle_deg, spec.angle_deg))
    scale = 1.0 + rng.uniform(-spec.scale, spec.scale)
    chances = [chance for chance, _ in spec.translation_px]
    sigma = spec.translation_px[int(np.searchsorted(np.cumsum(chances)[:-1], rng.random()))][1]
    shift = rng.normal(0.0, sigma, 2)
    knots = rng.uniform(-spec.random_px, spec.random_px, (2, *spec.grid)).astype(np.float32)

    cos, sin = scale * math.cos(angle), scale * math.sin(angle)
    cx, cy = centre if centre is not None else ((width - 1) / 2, (height - 1) / 2)
    xs, ys = pixel_grid(size)
    dx, dy = xs - np.float32(cx), ys - np.float32(cy)
    field = np.empty((height, width, 2), np.float32)
    across, down = cubic_weights(spec.grid[1], width), cubic_weights(spec.grid[0], height)
    smooth = (down @ knots) @ across.T
    field[..., 0] = smooth[0]
    field[..., 0] += np.float32(cos - 1) * dx + np.float32(shift[0]) - np.float32(sin) * dy
    field[..., 1] = smooth[1]
    field[..., 1] += np.float32(sin) * dx + np.float32(shift[1]) + np.float32(cos - 1) * dy
    field *= np.float32(gain)
    return field


@lru_cache(maxsize=32)
def cubic_weights(knots: int, length: int) -> np.ndarray:
    """(length, knots) float32: bicubic (Catmull-Rom) weights of knots spread over `length`.

    The first knot lies on the first pixel and the last on the last; beyond them the end knots
    are repeated. Rows sum to 1.
    """
    position = np.linspace(0.0, knots - 1, length)
    base = np.minimum(np.floor(position).astype(int), max(knots - 2, 0))
    t = position - base
    taps = np.stack(
        [
            -0.5 * t**3 + t**2 - 0.5 * t,
            1.5 * t**3 - 2.5 * t**2 + 1.0,
            -1.5 * t**3 + 2.0 * t**2 + 0.5 * t,
            0.5 * t**3 - 0.5 * t**2,
        ]
    )
    weights = np.zeros((length, knots))
    rows = np.arange(length)
    for offset, tap in zip((-1, 0, 1, 2), taps, strict=True):
        np.add.at(weights, (rows, np.clip(base + offset, 0, knots - 1)), tap)
    return weights.astype(np.float32)
