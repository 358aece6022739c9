"""Flow in colours: hue is direction, saturation is length (the Middlebury colour code).

Source: Baker, Scharstein, Lewis, Roth, Black, Szeliski, "A Database and Evaluation Methodology
for Optical Flow", IJCV 2011, with the wheel of 55 hues that its evaluation uses: six segments
between red, yellow, green, cyan, blue and magenta, longer where the eye tells hues apart better.
"""

from functools import cache

import numpy as np

# Hues from one colour to the next, the channel that moves (R, G, B), and whether it rises.
_SEGMENTS = (
    (15, 1, True),
    (6, 0, False),
    (4, 2, True),
    (11, 1, False),
    (13, 0, True),
    (6, 2, False),
)


@cache
def color_wheel() -> np.ndarray:
    """(55, 3) float32 in 0..1: red, to yellow, green, cyan, blue, magenta, and back towards red."""
    color = np.array([1.0, 0.0, 0.0])
    rows = []
    for count, channel, rises in _SEGMENTS:
        # The evaluation's code has whole numbers 0..255 here, cut and not rounded.
        ramp = np.floor(255.0 * np.arange(count) / count) / 255.0
        segment = np.tile(color, (count, 1))
        segment[:, channel] = ramp if rises else 1.0 - ramp
        rows.append(segment)
        color[channel] = 1.0 if rises else 0.0
    wheel = np.concatenate(rows).astype(np.float32)
    wheel.flags.writeable = False
    return wheel


def flow_to_color(flow: np.ndarray, max_length: float | None = None) -> np.ndarray:
    """Colour a flow (H, W, 2) in pixels as (H, W, 3) uint8 RGB.

    max_length: length in pixels that gets the full colour; longer vectors are darkened. None
    takes the longest of this flow; give one value for all frames of a video, or it flickers.
    No motion is white; unknown flow (NaN) is black.
    """
    flow = np.asarray(flow, np.float32)
    known = np.isfinite(flow).all(axis=2)
    u = np.where(known, flow[:, :, 0], 0)
    v = np.where(known, flow[:, :, 1], 0)
    length = np.hypot(u, v)
    if max_length is None:
        max_length = float(length.max(initial=0))
    length /= max(max_length, 1e-6)

    wheel = color_wheel()
    hue = (np.arctan2(-v, -u) / np.float32(np.pi) + 1) / 2 * (len(wheel) - 1)
    lower = np.clip(hue.astype(np.int32), 0, len(wheel) - 1)
    upper = (lower + 1) % len(wheel)
    share = (hue - lower)[:, :, None]
    full = wheel[lower] * (1 - share) + wheel[upper] * share
    length = length[:, :, None]
    color = np.where(length <= 1, 1 - length * (1 - full), full * 0.75)
    color[~known] = 0
    return (255 * color).astype(np.uint8)
