"""Readers: files of all kinds in, NumPy arrays out."""

from pathlib import Path

from segflow.errors import DataError, MissingDataError
from segflow.readers.clip import Clip, Frame
from segflow.readers.frames import FolderClip, list_images, natural_key
from segflow.readers.image import IMAGE_SUFFIXES
from segflow.readers.video import VIDEO_SUFFIXES, VideoClip

__all__ = ["Clip", "FolderClip", "Frame", "VideoClip", "open_clip", "open_clips"]


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


def open_clips(source: str | Path) -> list[Clip]:
    """As open_clip; a folder without images gives its videos and sub-folders of frames as clips,
    in natural order. Where two would have one name, each carries its suffix too.

    Raises DataError for a folder with nothing of all that in it.
    """
    path = Path(source)
    if not path.is_dir() or list_images(path):
        return [open_clip(path)]
    entries = sorted(path.iterdir(), key=lambda entry: natural_key(entry.name))
    found = [entry for entry in entries if not entry.name.startswith(".") and _is_clip(entry)]
    if not found:
        raise DataError(
            f"{path}: no images in this folder, no videos ({' '.join(sorted(VIDEO_SUFFIXES))}) and "
            "no folders of images"
        )
    clips = [open_clip(entry) for entry in found]
    names = [clip.name for clip in clips]
    for entry, clip in zip(found, clips, strict=True):
        if names.count(clip.name) > 1:
            clip.name = entry.name
    return clips


def _is_clip(path: Path) -> bool:
    if path.is_dir():
        return bool(list_images(path))
    return path.suffix.lower() in VIDEO_SUFFIXES
