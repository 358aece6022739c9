"""Decoded pictures and masks, kept in memory up to a budget of bytes.

Decoding costs as much as all other work on a sample, and two cores are busy training; half-size
DAVIS train fits whole.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segflow.errors import DataError
from segflow.readers.frames import size_text
from segflow.readers.image import read_image, read_mask

DEFAULT_BUDGET_BYTES = 1_500_000_000


@dataclass(frozen=True)
class MaskedPicture:
    """image: (h, w, 3) uint8 RGB; mask: (h, w) uint8, 0 or 1; both read-only."""

    image: np.ndarray
    mask: np.ndarray


class PictureCache:
    """Reads pictures of the size that crops of `size` need, and keeps the last used ones.

    A picture at least 2.4 times as large as the crop is reduced by a whole factor while it is
    decoded: faster, smaller, and without the aliasing that a bilinear crop of it would have.
    """

    def __init__(self, size: tuple[int, int], budget_bytes: int = DEFAULT_BUDGET_BYTES):
        self.size = size
        self.budget_bytes = budget_bytes
        self.held_bytes = 0
        self._entries: OrderedDict[object, np.ndarray] = OrderedDict()
        self._lock = threading.Lock()

    def image(self, path: Path) -> np.ndarray:
        """(h, w, 3) uint8 RGB, read-only. Raises DataError that names the file."""
        return self._get(("image", path), lambda: self._decode_image(path))

    def masked(self, image_path: Path, mask_path: Path) -> MaskedPicture:
        """An image and its mask (any value above 0 is object) in one size, read-only.

        Raises DataError where their sizes in the files differ.
        """
        image = self.image(image_path)
        mask = self._get(("mask", mask_path), lambda: self._decode_mask(mask_path))
        if mask.shape != image.shape[:2]:
            raise DataError(
                f"{mask_path}: the mask is {size_text(mask)} where its picture {image_path} is "
                f"{size_text(image)} (as reduced for crops of {self.size[1]}x{self.size[0]})"
            )
        return MaskedPicture(image, mask)

    def keep(self, key: object, make: Callable[[], np.ndarray]) -> np.ndarray:
        """Any other array, made when it is not held; read-only."""
        return self._get(("other", key), make)

    def _get(self, key: object, make: Callable[[], np.ndarray]) -> np.ndarray:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]
        array = make()
        array.flags.writeable = False
        with self._lock:
            if key not in self._entries:
                self._entries[key] = array
                self.held_bytes += array.nbytes
                while self.held_bytes > self.budget_bytes and self._entries:
                    self.held_bytes -= self._entries.popitem(last=False)[1].nbytes
        return array

    def factor(self, height: int, width: int) -> int:
        """The whole number by which a picture of that size is reduced."""
        return max(1, int(min(height / self.size[0], width / self.size[1]) / 1.2))

    def _decode_image(self, path: Path) -> np.ndarray:
        reduced = self._decode_reduced(path)
        return np.array(read_image(path)) if reduced is None else reduced

    def _decode_reduced(self, path: Path) -> np.ndarray | None:
        """The picture made smaller while decoding; None where it need not or cannot be."""
        try:
            with Image.open(path) as picture:
                factor = self.factor(picture.height, picture.width)
                if factor == 1 or picture.mode not in ("RGB", "L"):
                    return None
                target = (-(-picture.width // factor), -(-picture.height // factor))
                picture.draft("RGB", target)
                return np.array(picture.convert("RGB").resize(target, Image.Resampling.BOX))
        except OSError:
            return None  # read_image says what is wrong with it

    def _decode_mask(self, path: Path) -> np.ndarray:
        mask = read_mask(path, soft=True)
        factor = self.factor(*mask.shape)
        if factor == 1:
            return np.array(mask)
        target = (-(-mask.shape[1] // factor), -(-mask.shape[0] // factor))
        return np.array(Image.fromarray(mask).resize(target, Image.Resampling.NEAREST))
