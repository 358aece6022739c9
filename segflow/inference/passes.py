"""Passes of a network over a frame: at which sizes, mirrored or not, and there and back.

A frame (H, W, 3) uint8 RGB becomes planes (1, 3, h, w) float32 BGR minus mean; a logit map comes
back as (H, W), a flow as (H, W, 2) in pixels of the frame.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from segflow.synthesis.augment import MEAN_BGR

#: A pass takes at most this many times the pixels of a square of its height: strips of any shape
#: cost what a wide video costs.
_WIDEST = 2.4


@dataclass(frozen=True)
class Pass:
    """height: the shorter side of the frame as the net sees it, None: the frame's own; mirrored:
    left for right."""

    height: int | None
    mirrored: bool = False


#: Quality -> passes whose results are averaged.
QUALITIES: dict[str, tuple[Pass, ...]] = {
    "fast": (Pass(240),),
    "normal": (Pass(320),),
    "best": (Pass(320), Pass(320, True), Pass(448), Pass(448, True)),
}
#: The same for networks that see frames at full size.
FULL_SIZE_QUALITIES: dict[str, tuple[Pass, ...]] = {
    "fast": (Pass(320),),
    "normal": (Pass(None),),
    "best": (Pass(None), Pass(None, True)),
}


def working_size(frame_size: tuple[int, int], height: int | None) -> tuple[int, int]:
    """(h, w) of a frame (H, W) at a pass: the shorter side becomes `height`, shape kept.

    None leaves it as it is. Very long frames become smaller than that, so that no pass costs much
    more than others.
    """
    if height is None:
        return frame_size
    frame_height, frame_width = frame_size
    scale = height / min(frame_size)
    scale = min(scale, math.sqrt(_WIDEST * height * height / (frame_height * frame_width)))
    return max(1, round(frame_height * scale)), max(1, round(frame_width * scale))


def resize(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """An image or map (H, W[, C]) at another size: areas averaged down, bilinear up."""
    height, width = size
    if values.shape[:2] == size:
        return values
    shrinks = height * width < values.shape[0] * values.shape[1]
    how = cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR
    return cv2.resize(values, (width, height), interpolation=how)


def frame_planes(
    image: np.ndarray,
    size: tuple[int, int],
    mirrored: bool = False,
    mean_bgr: tuple[float, float, float] = MEAN_BGR,
) -> np.ndarray:
    """A frame (H, W, 3) uint8 RGB as (1, 3, h, w) float32, BGR minus mean."""
    small = resize(image, size)
    if mirrored:
        small = small[:, ::-1]
    planes = small.transpose(2, 0, 1)[::-1].astype(np.float32)
    planes -= np.array(mean_bgr, np.float32)[:, None, None]
    return planes[None]


def logit_at_frame(score: np.ndarray, size: tuple[int, int], mirrored: bool) -> np.ndarray:
    """The object's logit (H, W) float32 of a score blob (1, 1 or 2, h, w).

    Of two channels, background and object, it is their difference: its sigmoid is the softmax.
    """
    logit = score[0, 0] if score.shape[1] == 1 else score[0, 1] - score[0, 0]
    if mirrored:
        logit = logit[:, ::-1]
    return resize(np.ascontiguousarray(logit), size)


def flow_at_frame(blob: np.ndarray, size: tuple[int, int], mirrored: bool) -> np.ndarray:
    """The flow (H, W, 2) in pixels of the frame, of a blob (1, 2, h, w) in pixels of the pass."""
    height, width = size
    flow = blob[0].transpose(1, 2, 0)
    if mirrored:
        flow = flow[:, ::-1]
    result = resize(np.ascontiguousarray(flow), size)
    sign = -1.0 if mirrored else 1.0
    factors = (sign * width / blob.shape[3], height / blob.shape[2])
    return result * np.array(factors, np.float32)


def probability_of(logit: np.ndarray) -> np.ndarray:
    """The sigmoid of float32 logits, without overflow."""
    return (0.5 * np.tanh(0.5 * logit) + 0.5).astype(np.float32, copy=False)
