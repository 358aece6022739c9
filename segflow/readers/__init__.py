"""Readers: files of all kinds in, NumPy arrays out."""

from pathlib import Path

from segflow.errors import MissingDataError
from segflow.readers.clip import Clip, Frame
from segflow.readers.frames import FolderClip
from segflow.readers.image import IMAGE_SUFFIXES
from segflow.readers.video import VideoClip

__all__ = ["Clip", "FolderClip", "Frame", "VideoClip", "open_clip"]


def open_clip(source: str | Path) -> Clip:
    """Open a video file, a folder of frames, or a single image as a clip of one frame.

    Raises MissingDataError where there is nothing, DataError where it cannot be read.
    """
    path = Path(source)
    if path.is_dir():
        return FolderClip.open(path)
    if not path.exists():
        raise MissingDataError(f"{path}: no such video file or folder of frames")
    if path.suffix.lower() in IMAGE_SUFFIXES:
        return FolderClip(path.stem, [path])
    return VideoClip(path)
