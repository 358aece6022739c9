"""Small data sets written to disk for tests: DAVIS, stills and flow pairs in their layouts.

In every picture with a mask the object is bright (above 140) and the rest dark (below 90), so
that a test can tell from a frame where its mask must be.
"""

from pathlib import Path

import numpy as np
from PIL import Image

from segflow.flow_io import write_flo

SEQUENCES = {"alpha": 5, "beta": 4}


def texture(seed: int, height: int, width: int) -> np.ndarray:
    """A smooth texture (height, width, 3) uint8 between 60 and 200."""
    rng = np.random.default_rng(seed)
    ys, xs = np.mgrid[:height, :width]
    planes = []
    for _ in range(3):
        a, b, c, d = rng.uniform(0.1, 0.25, 4)
        planes.append(130 + 35 * np.sin(a * xs + b * ys) + 35 * np.cos(c * xs - d * ys))
    return np.stack(planes, axis=-1).round().astype(np.uint8)


def disc(height: int, width: int, centre: tuple[float, float], radius: float) -> np.ndarray:
    """(height, width) uint8, 1 in a disc round (x, y)."""
    ys, xs = np.mgrid[:height, :width]
    inside = (xs - centre[0]) ** 2 + (ys - centre[1]) ** 2 <= radius**2
    return inside.astype(np.uint8)


def object_picture(seed: int, mask: np.ndarray) -> np.ndarray:
    """A picture whose object is bright and whose background is dark."""
    grey = texture(seed, *mask.shape) // 10
    return np.where(mask[..., None] > 0, 170 + grey, 50 + grey).astype(np.uint8)


def write_davis(root: Path, height: int = 60, width: int = 104) -> Path:
    """Two sequences "alpha" and "beta" in the list "train", frames as PNG (without loss)."""
    lines = []
    for number, (name, count) in enumerate(SEQUENCES.items()):
        for kind in ("JPEGImages", "Annotations"):
            (root / kind / "480p" / name).mkdir(parents=True)
        for t in range(count):
            mask = disc(height, width, (30 + 9 * t, 30), 16)
            image = f"/JPEGImages/480p/{name}/{t:05d}.png"
            label = f"/Annotations/480p/{name}/{t:05d}.png"
            Image.fromarray(object_picture(10 * number + t, mask)).save(root / image[1:])
            Image.fromarray(mask * np.uint8(255)).save(root / label[1:])
            lines.append(f"{image} {label} ")
    (root / "ImageSets" / "480p").mkdir(parents=True)
    (root / "ImageSets" / "480p" / "train.txt").write_text("\n".join(lines) + "\n")
    return root


def write_stills(root: Path, count: int = 4, height: int = 80, width: int = 96) -> Path:
    """A set of stills: images/NAME.png and 1-bit masks/NAME.png."""
    for kind in ("images", "masks"):
        (root / "Toy" / kind).mkdir(parents=True)
    for number in range(count):
        mask = disc(height, width, (48 + 3 * number, 40), 20)
        Image.fromarray(object_picture(50 + number, mask)).save(root / f"Toy/images/s{number}.png")
        Image.fromarray(mask * np.uint8(255)).convert("1").save(root / f"Toy/masks/s{number}.png")
    return root


def write_flow(root: Path, count: int = 2, height: int = 90, width: int = 140) -> Path:
    """Flow pairs: a texture moved by a whole number of pixels, (5, -3) and (-4, 2) in turn."""
    for number in range(count):
        u, v = ((5, -3), (-4, 2))[number % 2]
        large = texture(90 + number, height + 20, width + 20)
        folder = root / "toy" / f"pair{number}"
        folder.mkdir(parents=True)
        Image.fromarray(large[10 : 10 + height, 10 : 10 + width]).save(folder / "img0.png")
        second = large[10 - v : 10 - v + height, 10 - u : 10 - u + width]
        Image.fromarray(second).save(folder / "img1.png")
        flow = np.empty((height, width, 2), np.float32)
        flow[...] = (u, v)
        flow[: height // 6, : width // 6] = np.nan
        write_flo(folder / "flow.flo", flow)
    return root
