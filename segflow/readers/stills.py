"""Still images with a mask of the main object (saliency sets).

A set is a folder with `images/` and `masks/`; a file of the one belongs to the file of the other
with the same stem, whatever their suffixes. A folder of sets is read as one, set after set.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.readers.frames import list_images, natural_key, size_text
from segflow.readers.image import read_image, read_mask


@dataclass(frozen=True, slots=True)
class Still:
    """One image with its mask; both are read when asked for."""

    set_name: str
    image_file: Path
    mask_file: Path

    @property
    def name(self) -> str:
        return f"{self.set_name}/{self.image_file.stem}"

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Image (H, W, 3) uint8 RGB and mask (H, W) uint8 0/1. DataError if sizes differ."""
        image, mask = read_image(self.image_file), read_mask(self.mask_file, soft=True)
        if image.shape[:2] != mask.shape:
            raise DataError(
                f"{self.mask_file}: mask of {size_text(mask)}, its image has {size_text(image)}"
            )
        return image, mask


@dataclass(frozen=True)
class Stills:
    """All pairs of a root, and the images without a mask or masks without an image, by name."""

    pairs: tuple[Still, ...]
    missing: tuple[str, ...]


def open_stills(root: str | Path, sets: list[str] | None = None) -> Stills:
    """List the pairs below a root; nothing is decoded yet.

    root: one set, or a folder of sets. sets: names of those to take, None for all.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingDataError(f"{root}: no such folder")
    if _is_set(root):
        folders = [root]
    else:
        children = sorted(root.iterdir(), key=lambda child: natural_key(child.name))
        folders = [child for child in children if _is_set(child)]
    if not folders:
        raise DataError(f"{root}: no folders images/ and masks/, neither here nor one level down")
    if sets is not None:
        by_name = {folder.name: folder for folder in folders}
        unknown = [name for name in sets if name not in by_name]
        if unknown:
            raise MissingDataError(
                f"{root}: no set {', '.join(unknown)}; here are: {', '.join(by_name)}"
            )
        folders = [by_name[name] for name in sets]
    pairs: list[Still] = []
    missing: list[str] = []
    for folder in folders:
        _add_set(folder, pairs, missing)
    return Stills(tuple(pairs), tuple(missing))


def _is_set(folder: Path) -> bool:
    return (folder / "images").is_dir() and (folder / "masks").is_dir()


def _add_set(folder: Path, pairs: list[Still], missing: list[str]) -> None:
    masks = {file.stem: file for file in list_images(folder / "masks")}
    for image in list_images(folder / "images"):
        mask = masks.pop(image.stem, None)
        if mask is None:
            missing.append(f"{folder.name}/masks/{image.stem}")
        else:
            pairs.append(Still(folder.name, image, mask))
    missing.extend(f"{folder.name}/images/{stem}" for stem in masks)
