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
    u, v = flow[:, :, 0], flow[:, :, 1]
    length = np.hypot(u, v)
    unknown = ~np.isfinite(length)
    if unknown.any():
        length[unknown] = 0
        u, v = np.where(unknown, 0, u), np.where(unknown, 0, v)
    if max_length is None:
        max_length = float(length.max(initial=0))
    length /= max(max_length, 1e-6)

    table = _fine_wheel()
    hue = np.arctan2(-v, -u)  # -pi..pi, red at both ends
    hue += np.float32(np.pi)
    hue *= np.float32((len(table) - 1) / (2 * np.pi))
    full = np.take(table, np.rint(hue).astype(np.int32), axis=0, mode="clip")
    too_long = length > 1
    color = 255 - length[:, :, None] * (255 - full)
    if too_long.any():
        color[too_long] = 0.75 * full[too_long]
    color[unknown] = 0
    return color.astype(np.uint8)


@cache
def _fine_wheel(steps: int = 256) -> np.ndarray:
    """(54 * steps + 1, 3) float32, 0..255: the wheel with the hues between its hues.

    Looking a hue up here instead of interpolating is off by a fraction of a grey level and
    several times as fast.
    """
    wheel = 255 * color_wheel()
    nodes = np.arange(len(wheel))
    between = np.linspace(0, len(wheel) - 1, (len(wheel) - 1) * steps + 1)
    return np.stack([np.interp(between, nodes, channel) for channel in wheel.T], 1).astype("f4")
