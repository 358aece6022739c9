"""Smooth outlines of made objects."""

from __future__ import annotations

import math

import cv2
import numpy as np


def random_outline(
    rng: np.random.Generator, size: tuple[int, int], roughness: float = 0.25
) -> np.ndarray:
    """A smooth closed outline, filled: (H, W) uint8, 0 outside, 255 inside, soft by a pixel.

    The distance from the middle is a few sines over the angle; the outline touches the size's
    border nowhere.
    """
    angle = np.linspace(0, 2 * math.pi, 240, endpoint=False)
    radius = np.ones_like(angle)
    for order in range(2, 7):
        strength = roughness * rng.normal() / order**0.7
        radius += strength * np.cos(order * angle + rng.uniform(0, 2 * math.pi))
    radius = np.maximum(radius, 0.25)
    points = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([size[1] - 7, size[0] - 7])
    points = (points - low) / (high - low) * room + 3
    return fill_outline(points, size)


def fill_outline(points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The polygon through points (N, 2) as (x, y), filled: (H, W) uint8, soft by a pixel."""
    cover = np.zeros(size, np.uint8)
    fixed = np.round(points * 16).astype(np.int32)
    cv2.fillPoly(cover, [fixed], 255, cv2.LINE_AA, 4)
    return cover
