"""The clip that comes with the repository: a saucer flies over a lawn.

Both pictures ship inside scikit-image under CC0: the cup on its saucer (`coffee`, by Rachel
Michetti) is cut out along a line drawn by hand, the lawn (`grass`, by linolafett on DeviantArt) is
grey there and coloured here.
"""

from __future__ import annotations

from pathlib import Path as FilePath

import cv2
import numpy as np
from PIL import Image

from segflow.readers.image import write_mask
from segflow.synthesis.outlines import fill_outline
from segflow.synthesis.scenes import Path, Scene, SceneLayer
from segflow.synthesis.textures import photograph

NAME = "flying-saucer"
SIZE = (360, 640)
FRAMES = 48
FLOW_EVERY = 8

# The outline of cup, spoon and saucer in coffee.png (600x400), clockwise from the top.
_OUTLINE = np.array(
    [
        (288, 18), (315, 19), (340, 25), (361, 34), (377, 46), (390, 60), (398, 68), (404, 67),
        (412, 66), (421, 69), (424, 77), (421, 90), (417, 105), (432, 117), (447, 135), (459, 157),
        (470, 184), (477, 213), (479, 238), (475, 264), (465, 292), (450, 316), (430, 338),
        (405, 357), (375, 374), (340, 385), (305, 390), (270, 390), (233, 385), (203, 376),
        (170, 360), (140, 338), (115, 312), (97, 285), (84, 255), (77, 225), (77, 205), (82, 180),
        (92, 152), (105, 130), (122, 110), (140, 94), (160, 81), (180, 71), (187, 61), (199, 49),
        (217, 36), (240, 26), (265, 20),
    ],
    np.float64,
)  # fmt: skip
_PICTURE_SCALE = 0.6
# What grey values 0, 90, 160 and 255 of the lawn become.
_GREENS = ((0, 90, 160, 255), ((12, 22, 10), (58, 84, 34), (122, 148, 62), (226, 226, 168)))


def flying_saucer() -> Scene:
    """The scene of the clip; the same whenever it is made from the same photographs."""
    lawn = SceneLayer(
        _lawn(),
        Path(place=(400, 175), speed=(-3.1, 0.5), spin_deg=0.12, size=1.7, growth=0.999),
    )
    saucer = SceneLayer(
        _saucer(),
        Path(
            place=(120, 130),
            speed=(8.2, 1.6),
            swing=(6, -30),
            rock_deg=9,
            period=30,
            angle_deg=-6,
            size=0.58,
            growth=1.012,
        ),
        shadow=(34, 52, 0.6),
    )
    return Scene(SIZE, lawn, [saucer])


def write_clip(root: FilePath, quality: int = 60) -> None:
    """Write the clip below root in DAVIS's layout: JPEGImages/, Annotations/ and Flow/NAME/.

    Frames as JPEG, masks as PNG (0 and 255), the exact flow of every eighth frame to its next
    as KITTI PNG (rounded to 1/64 pixel).
    """
    folders = [root / kind / NAME for kind in ("JPEGImages", "Annotations", "Flow")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    scene = flying_saucer()
    for t in range(FRAMES):
        frame, labels = scene.frame_and_labels(t)
        picture = Image.fromarray(frame)
        picture.save(folders[0] / f"{t:05d}.jpg", quality=quality, optimize=True)
        write_mask(folders[1] / f"{t:05d}.png", labels)
        if t % FLOW_EVERY == 0:
            _write_kitti(folders[2] / f"{t:05d}.png", scene.flow(t, labels))


def _saucer() -> np.ndarray:
    """The cut-out as (h, w, 4) uint8, its rim soft."""
    picture = photograph("coffee.png")
    cover = cv2.GaussianBlur(fill_outline(_OUTLINE, picture.shape[:2]), (0, 0), 1.0)
    (left, top), (right, bottom) = _OUTLINE.min(0).astype(int), _OUTLINE.max(0).astype(int)
    both = np.dstack([picture, cover])[top - 6 : bottom + 6, left - 6 : right + 6]
    size = (round(both.shape[1] * _PICTURE_SCALE), round(both.shape[0] * _PICTURE_SCALE))
    return cv2.resize(both, size, interpolation=cv2.INTER_AREA)


def _lawn() -> np.ndarray:
    grey = photograph("grass.png")[..., 0]
    at, colours = _GREENS
    table = np.stack(
        [np.interp(np.arange(256), at, channel) for channel in zip(*colours, strict=True)], 1
    )
    return cv2.GaussianBlur(table[grey].astype(np.uint8), (0, 0), 0.9)


def _write_kitti(path: FilePath, flow: np.ndarray) -> None:
    """16-bit PNG: R = 64 u + 2^15, G = 64 v + 2^15, B = 1 (known)."""
    encoded = np.ones((*flow.shape[:2], 3), np.uint16)
    encoded[..., 2] = np.round(64 * flow[..., 0] + 32768)  # OpenCV writes B, G, R
    encoded[..., 1] = np.round(64 * flow[..., 1] + 32768)
    if not cv2.imwrite(str(path), encoded, [cv2.IMWRITE_PNG_COMPRESSION, 9]):
        raise OSError(f"{path}: could not be written")
