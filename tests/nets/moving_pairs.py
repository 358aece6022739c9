"""Two pairs of frames of moving textures, with their masks and flow, for nets to learn by heart."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import tiny_sets

SHIFTS = ((3.0, -2.0), (-4.0, 1.0))  # (u, v) of the two pairs, pixels
_MARGIN = 10


@dataclass(frozen=True)
class MovingPairs:
    """frame1, frame2: (2, 3, H, W) float32, 0 to 255; mask: (2, 1, H, W); flow: (2, 2, H, W)."""

    frame1: np.ndarray
    frame2: np.ndarray
    mask: np.ndarray
    flow: np.ndarray


def moving_pairs(height: int, width: int) -> MovingPairs:
    """The object, a bright disc, and the ground behind it move alike."""
    first, second, masks, flows = [], [], [], []
    for seed, (u, v) in enumerate(SHIFTS):
        size = (height + 2 * _MARGIN, width + 2 * _MARGIN)
        centre = (size[1] * (0.4 + 0.2 * seed), size[0] / 2)
        mask = tiny_sets.disc(*size, centre, min(height, width) / 4)
        picture = (0.7 * tiny_sets.texture(seed, *size) + 60 * mask[..., None]).transpose(2, 0, 1)
        for frames, (x, y) in ((first, (0, 0)), (second, (-int(u), -int(v)))):
            rows = slice(_MARGIN + y, _MARGIN + y + height)
            frames.append(picture[:, rows, _MARGIN + x : _MARGIN + x + width])
        masks.append(mask[None, _MARGIN:-_MARGIN, _MARGIN:-_MARGIN])
        flows.append(np.broadcast_to(np.array([u, v])[:, None, None], (2, height, width)))
    return MovingPairs(*(np.array(a, np.float32) for a in (first, second, masks, flows)))
