"""Pictures for people: a mask drawn over its frame, and panels side by side."""

from collections.abc import Sequence

import numpy as np

# One colour an object, far apart in hue and readable over dark and bright frames.
OBJECT_COLORS = np.array(
    [[255, 64, 48], [48, 176, 255], [96, 224, 64], [255, 200, 32], [216, 80, 255], [32, 224, 208]],
    np.uint8,
)


def overlay_mask(image: np.ndarray, mask: np.ndarray, opacity: float = 0.45) -> np.ndarray:
    """Draw a mask over a frame: objects tinted, their borders in full colour.

    image: (H, W, 3) uint8 RGB, left as it is. mask: (H, W), 0 background, else object number.
    Returns (H, W, 3) uint8.
    """
    if image.shape[:2] != mask.shape:
        raise ValueError(f"mask of shape {mask.shape} over an image of shape {image.shape}")
    result = image.copy()
    inside = mask > 0
    numbers = mask[inside].astype(np.intp)
    shares = (OBJECT_COLORS * opacity + 0.5).astype(np.float32)
    tinted = image[inside] * np.float32(1 - opacity)
    result[inside] = (tinted + shares[(numbers - 1) % len(shares)]).astype(np.uint8)
    border = inside & _touches_another(mask)
    result[border] = OBJECT_COLORS[(mask[border].astype(np.intp) - 1) % len(OBJECT_COLORS)]
    return result


def side_by_side(images: Sequence[np.ndarray], gap: int = 0) -> np.ndarray:
    """Join (H, W, 3) uint8 pictures of one height from left to right, with black gaps."""
    heights = {image.shape[0] for image in images}
    if len(heights) != 1:
        raise ValueError(f"pictures of different heights side by side: {sorted(heights)}")
    if not gap:
        return np.concatenate(images, axis=1)
    stripe = np.zeros((heights.pop(), gap, 3), np.uint8)
    parts = [part for image in images for part in (stripe, image)]
    return np.concatenate(parts[1:], axis=1)


def _touches_another(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: one of the four neighbours has another number."""
    touches = np.zeros(mask.shape, bool)
    down = mask[1:] != mask[:-1]
    right = mask[:, 1:] != mask[:, :-1]
    touches[1:] |= down
    touches[:-1] |= down
    touches[:, 1:] |= right
    touches[:, :-1] |= right
    return touches
