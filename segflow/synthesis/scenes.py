"""Scenes: objects that move over a moving background, for clips of any length.

Every layer has a path (turn, size and place over time) and may swim: its picture is read with a
travelling wave. Frames, object numbers and the flow from each frame to the next are exact.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from segflow.synthesis.composites import blend, covered_window
from segflow.synthesis.outlines import random_outline
from segflow.synthesis.remap import View, remap
from segflow.synthesis.textures import random_texture

_STEPS = 12  # of the fixed-point iteration that inverts the wave


@dataclass(frozen=True)
class Path:
    """Where a layer is at frame t: each a polynomial and a sine.

    place: frame pixels (x, y) of the picture's middle, start + speed * t + swing * sine;
    angle in degrees clockwise; size: frame pixels per picture pixel, multiplied by growth a frame.
    """

    place: tuple[float, float]
    speed: tuple[float, float] = (0.0, 0.0)
    swing: tuple[float, float] = (0.0, 0.0)
    period: float = 40.0
    phase: float = 0.0
    angle_deg: float = 0.0
    spin_deg: float = 0.0
    rock_deg: float = 0.0
    size: float = 1.0
    growth: float = 1.0

    def view(self, t: float, frame_size: tuple[int, int], picture_size: tuple[int, int]) -> View:
        """Frame pixels -> picture pixels at time t."""
        wave = math.sin(2 * math.pi * t / self.period + self.phase)
        x = self.place[0] + self.speed[0] * t + self.swing[0] * wave
        y = self.place[1] + self.speed[1] * t + self.swing[1] * wave
        angle = self.angle_deg + self.spin_deg * t + self.rock_deg * wave
        scale = 1.0 / (self.size * self.growth**t)
        middle = ((picture_size[1] - 1) / 2, (picture_size[0] - 1) / 2)
        view = View.of_crop(frame_size, middle, scale, angle)
        shift = np.array([x - (frame_size[1] - 1) / 2, y - (frame_size[0] - 1) / 2])
        matrix = view.matrix.copy()
        matrix[:, 2] -= view.linear @ shift
        return View(matrix, frame_size)


@dataclass(frozen=True)
class Wave:
    """A travelling wave that bends a layer: p = q + push * sin(pull . q + speed * t + phase).

    Lengths are picture pixels. |push| |pull| must stay well below 1 (the map is inverted).
    """

    push: tuple[float, float] = (0.0, 0.0)
    pull: tuple[float, float] = (0.0, 0.0)
    speed: float = 0.0
    phase: float = 0.0

    def offset(self, x: np.ndarray, y: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
        """What is added to picture positions x, y at time t."""
        wave = np.sin(self.pull[0] * x + self.pull[1] * y + (self.speed * t + self.phase))
        return self.push[0] * wave, self.push[1] * wave

    def undo(self, x: np.ndarray, y: np.ndarray, t: float) -> tuple[np.ndarray, np.ndarray]:
        """The positions that the wave takes to x, y."""
        qx, qy = x, y
        for _ in range(_STEPS if any(self.push) else 0):
            dx, dy = self.offset(qx, qy, t)
            qx, qy = x - dx, y - dy
        return qx, qy


@dataclass(frozen=True)
class SceneLayer:
    """picture: (h, w, 3) uint8 RGB, or (h, w, 4) with cover; how it moves; and for objects the
    shadow (x, y in frame pixels, strength 0 to 1) that they throw on what lies below."""

    picture: np.ndarray
    path: Path
    wave: Wave = field(default_factory=Wave)
    shadow: tuple[float, float, float] | None = None

    def view(self, t: float, size: tuple[int, int]) -> View:
        return self.path.view(t, size, (self.picture.shape[0], self.picture.shape[1]))


@dataclass(frozen=True)
class Scene:
    """A background and objects, the last on top; size is (H, W) of the frames."""

    size: tuple[int, int]
    background: SceneLayer
    objects: Sequence[SceneLayer] = ()

    def frame(self, t: float) -> np.ndarray:
        """(H, W, 3) uint8 RGB at time t."""
        return self._render(t)[0]

    def labels(self, t: float) -> np.ndarray:
        """(H, W) uint8: number of the object that is seen, 0 the background."""
        return self._render(t)[1]

    def frame_and_labels(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        """Both, for the work of one."""
        return self._render(t)

    def flow(self, t: float, labels: np.ndarray | None = None) -> np.ndarray:
        """(H, W, 2) float32: the exact motion from t to t + 1 of what is seen at t."""
        labels = self.labels(t) if labels is None else labels
        flow = np.empty((*self.size, 2), np.float32)
        for number, layer in enumerate((self.background, *self.objects)):
            rows, columns = np.nonzero(labels == number)
            if rows.size:
                moved = _next_place(layer, columns, rows, t, self.size)
                flow[rows, columns] = moved - np.stack([columns, rows], axis=1)
        return flow

    def _render(self, t: float) -> tuple[np.ndarray, np.ndarray]:
        frame = remap(self.background.picture, *_positions(self.background, t, self.size))
        labels = np.zeros(self.size, np.uint8)
        for number, layer in enumerate(self.objects, 1):
            if layer.shadow is not None:
                frame = _shaded(frame, layer, t)
            view = layer.view(t, self.size)
            reach = math.hypot(*layer.wave.push) / view.scale
            window = covered_window(layer.picture, view, reach)
            if window is not None:
                positions = _positions(layer, t, self.size, window)
                seen = remap(layer.picture, *positions, border="zero")
                labels[window][blend(frame[window], seen)] = number
        return frame, labels


def random_scene(
    rng: np.random.Generator,
    size: tuple[int, int],
    texture: Callable[[np.random.Generator, tuple[int, int]], np.ndarray] = random_texture,
    speed_px: float = 4.0,
) -> Scene:
    """A scene of one to three objects. texture(rng, size) gives the pictures; speed_px: the
    usual motion a frame."""
    height, width = size
    large = (round(height * 1.4), round(width * 1.4))
    background = SceneLayer(
        texture(rng, large),
        Path(
            place=((width - 1) / 2, (height - 1) / 2),
            speed=_pair(rng.normal(0, speed_px / 2, 2)),
            spin_deg=rng.normal(0, 0.4),
            size=rng.uniform(1.0, 1.3),
            growth=1 + rng.normal(0, 0.004),
        ),
    )
    count = int(rng.choice((1, 2, 3), p=(0.5, 0.3, 0.2)))
    objects = [_random_object(rng, size, texture, speed_px) for _ in range(count)]
    return Scene(size, background, objects)


def _random_object(
    rng: np.random.Generator,
    size: tuple[int, int],
    texture: Callable[[np.random.Generator, tuple[int, int]], np.ndarray],
    speed_px: float,
) -> SceneLayer:
    height, width = size
    extent = height * math.exp(rng.uniform(math.log(0.25), math.log(0.8)))
    shape = (max(12, round(extent * rng.uniform(0.6, 1.0))), max(12, round(extent)))
    picture = np.dstack([texture(rng, shape), random_outline(rng, shape)])
    turn = rng.uniform(0, 2 * math.pi)
    length = rng.uniform(0.6, 1.2) * extent
    pull = (2 * math.pi / length * math.cos(turn), 2 * math.pi / length * math.sin(turn))
    strength = rng.uniform(0, 0.03) * length
    return SceneLayer(
        picture,
        Path(
            place=(rng.uniform(0.15, 0.85) * width, rng.uniform(0.2, 0.8) * height),
            speed=_pair(rng.normal(0, speed_px, 2)),
            swing=_pair(rng.normal(0, 2 * speed_px, 2)),
            period=rng.uniform(15, 50),
            phase=rng.uniform(0, 2 * math.pi),
            angle_deg=rng.uniform(-180, 180),
            spin_deg=rng.normal(0, 2.0),
            growth=1 + rng.normal(0, 0.01),
        ),
        Wave((-strength * math.sin(turn), strength * math.cos(turn)), pull, rng.uniform(-0.6, 0.6)),
    )


def _positions(
    layer: SceneLayer,
    t: float,
    size: tuple[int, int],
    window: tuple[slice, slice] | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Picture positions of the frame's pixels, of all or of a window."""
    x, y = layer.view(t, size).positions(window=window)
    if not any(layer.wave.push):
        return x, y
    dx, dy = layer.wave.offset(x, y, t)
    return (x + dx).astype(np.float32), (y + dy).astype(np.float32)


def _next_place(
    layer: SceneLayer, columns: np.ndarray, rows: np.ndarray, t: float, size: tuple[int, int]
) -> np.ndarray:
    """(N, 2) float64: where at t + 1 the layer's points are that the pixels show at t."""
    now, then = layer.view(t, size), layer.view(t + 1, size)
    points = np.stack([columns, rows], axis=1) @ now.linear.T + now.matrix[:, 2]
    x, y = points[:, 0], points[:, 1]
    dx, dy = layer.wave.offset(x, y, t)
    qx, qy = layer.wave.undo(x + dx, y + dy, t + 1)
    return then.to_output(np.stack([qx, qy], axis=1))


def _shaded(frame: np.ndarray, layer: SceneLayer, t: float) -> np.ndarray:
    """The frame with the layer's soft shadow on it."""
    assert layer.shadow is not None
    dx, dy, strength = layer.shadow
    height, width = frame.shape[:2]
    view = layer.view(t, (height, width))
    matrix = view.matrix.copy()
    matrix[:, 2] -= view.linear @ np.array([dx, dy])
    cover = np.ascontiguousarray(layer.picture[..., 3])
    thrown = remap(cover, *View(matrix, (height, width)).positions(), border="zero")
    blurred = cv2.GaussianBlur(thrown.astype(np.float32), (0, 0), 0.02 * width) / 255
    return (frame * (1 - strength * blurred[..., None])).astype(np.uint8)


def _pair(values: np.ndarray) -> tuple[float, float]:
    return float(values[0]), float(values[1])
