"""A folder of frames, in natural order (frame2 before frame10)."""

import os
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.readers.clip import Clip, Frame
from segflow.readers.image import IMAGE_SUFFIXES, read_image


class FolderClip(Clip):
    """Image files as a clip, with random access by `image(index)`.

    FolderClip.open(folder) takes all images of a folder; the constructor takes files as given.
    """

    def __init__(self, name: str, frame_files: Sequence[Path], frame_rate: float | None = None):
        self.name = name
        self.frame_files = tuple(frame_files)
        self.frame_count = len(self.frame_files)
        self.frame_rate = frame_rate

    @classmethod
    def open(cls, folder: str | Path, frame_rate: float | None = None) -> "FolderClip":
        folder = Path(folder)
        files = list_images(folder)
        if not files:
            raise DataError(f"{folder}: no images in this folder{_hint_of_subfolders(folder)}")
        return cls(folder.resolve().name, files, frame_rate)

    def __len__(self) -> int:
        return len(self.frame_files)

    def frame_name(self, index: int) -> str:
        return self.frame_files[index].stem

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB of one frame."""
        return read_image(self.frame_files[index])

    def __iter__(self) -> Iterator[Frame]:
        first_shape = None
        for file in self.frame_files:
            image = read_image(file)
            first_shape = first_shape or image.shape
            if image.shape != first_shape:
                raise DataError(
                    f"{file}: frame of {size_text(image)}, but {self.frame_files[0].name} has "
                    f"{first_shape[1]}x{first_shape[0]}; all frames of a clip must have one size"
                )
            yield Frame(file.stem, image)


def list_images(folder: str | Path) -> list[Path]:
    """Image files directly in a folder, by suffix, hidden files left out, in natural order."""
    folder = Path(folder)
    try:
        names = [entry.name for entry in os.scandir(folder) if entry.is_file()]
    except FileNotFoundError:
        raise MissingDataError(f"{folder}: no such folder") from None
    except NotADirectoryError:
        raise DataError(f"{folder}: a file, not a folder") from None
    images = [
        name
        for name in names
        if not name.startswith(".") and os.path.splitext(name)[1].lower() in IMAGE_SUFFIXES
    ]
    return [folder / name for name in sorted(images, key=natural_key)]


def natural_key(name: str) -> tuple:
    """Sort key under which numbers inside names count as numbers."""
    parts = re.split(r"(\d+)", name.casefold())
    return tuple(int(part) if index % 2 else part for index, part in enumerate(parts)), name


def size_text(image: np.ndarray) -> str:
    """Size of an image or mask as people write it: width x height."""
    return f"{image.shape[1]}x{image.shape[0]}"


def _hint_of_subfolders(folder: Path) -> str:
    names = sorted((entry.name for entry in os.scandir(folder) if entry.is_dir()), key=natural_key)
    if not names:
        return f" (known suffixes: {' '.join(sorted(IMAGE_SUFFIXES))})"
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"; give one of its folders: {', '.join(names[:4])}{more}"
