"""Video files through PyAV: a clip that decodes as it goes, and a writer for mp4."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import cast

import av
import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.readers.clip import Clip, Frame

#: by which a folder's videos are known
VIDEO_SUFFIXES = frozenset(
    ".3gp .avi .flv .m2ts .m4v .mkv .mov .mp4 .mpeg .mpg .mts .ogv .ts .webm .wmv".split()
)


class VideoClip(Clip):
    """A video file; frames are named 00000, 00001, ... and decoded one by one.

    The rotation that phones store beside the picture is applied. `frame_count` is what the
    container says, None where it does not.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self.name = self.path.stem
        with _open(self.path) as container:
            stream = container.streams.video[0]
            self.frame_count = stream.frames or None
            rate = stream.average_rate or stream.guessed_rate
            self.frame_rate = float(rate) if rate else None

    def __iter__(self) -> Iterator[Frame]:
        size = None
        index = 0
        with _open(self.path) as container:
            container.streams.video[0].thread_type = "AUTO"
            try:
                for frame in container.decode(video=0):
                    size = size or (frame.width, frame.height)
                    picture = frame.reformat(width=size[0], height=size[1], format="rgb24")
                    image = _upright(picture.to_ndarray(), frame.rotation)
                    yield Frame(f"{index:05d}", image)
                    index += 1
            except av.FFmpegError as error:
                raise DataError(
                    f"{self.path}: cannot be decoded beyond frame {index} ({error.strerror})"
                ) from error
        if index == 0:
            raise DataError(f"{self.path}: the video has no frames")


class VideoWriter:
    """Write (H, W, 3) uint8 RGB frames, all of one size, to an H.264 mp4 file.

    A context manager. The file gets its name only when it is complete; after an exception
    nothing is left. Odd sizes are filled up by repeating the last row or column, since H.264
    stores colour at half size.
    """

    def __init__(self, path: str | Path, frame_rate: float = 24.0):
        self.path = Path(path)
        self.frame_rate = Fraction(frame_rate).limit_denominator(1001)
        self._part = self.path.with_name(f".{self.path.name}.{os.getpid()}.part")
        self._output: _Output | None = None

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, exception_type, exception, traceback) -> None:
        if exception_type is None:
            self.close()
        else:
            self._discard()

    def write(self, image: np.ndarray) -> None:
        if self._output is None:
            self._output = self._open_output(image)
        if image.shape != self._output.shape:
            raise DataError(
                f"{self.path}: a frame of shape {image.shape} after frames of {self._output.shape}"
            )
        height, width = image.shape[:2]
        if height % 2 or width % 2:
            image = np.pad(image, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
        self._output.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(image), "rgb24"))

    def close(self) -> None:
        """Finish the file. Without any frame written there is no file."""
        if self._output is None:
            return
        self._output.encode(None)
        self._output.container.close()
        self._output = None
        self._part.replace(self.path)

    def _open_output(self, image: np.ndarray) -> "_Output":
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise DataError(
                f"{self.path}: frames must be (H, W, 3) uint8, got {image.shape} {image.dtype}"
            )
        container = av.open(str(self._part), "w", format="mp4")
        stream = cast(av.VideoStream, container.add_stream(_encoder(), rate=self.frame_rate))
        stream.width = image.shape[1] + image.shape[1] % 2
        stream.height = image.shape[0] + image.shape[0] % 2
        stream.pix_fmt = "yuv420p"
        if stream.codec.name == "libx264":
            stream.options = {"crf": "20", "preset": "superfast"}
        return _Output(container, stream, image.shape)

    def _discard(self) -> None:
        if self._output is not None:
            self._output.container.close()
            self._output = None
        self._part.unlink(missing_ok=True)


@dataclass(frozen=True)
class _Output:
    """What is open while frames are written."""

    container: av.container.OutputContainer
    stream: av.VideoStream
    shape: tuple[int, ...]

    def encode(self, frame: av.VideoFrame | None) -> None:
        self.container.mux(self.stream.encode(frame))


def _encoder() -> str:
    """H.264 where this build of PyAV has an encoder for it, else MPEG-4."""
    for name in ("libx264", "libopenh264"):
        if name in av.codecs_available:
            return name
    return "mpeg4"


def _open(path: Path):
    if not path.exists():
        raise MissingDataError(f"{path}: no such file")
    if path.is_dir():
        raise DataError(f"{path}: a folder, not a video file")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise DataError(f"{path}: not a readable video ({reason})") from error
    if not container.streams.video:
        container.close()
        raise DataError(f"{path}: no video stream in this file")
    return container


def _upright(image: np.ndarray, rotation: int) -> np.ndarray:
    """Turn by the counter-clockwise angle of the display matrix, in quarter turns."""
    quarter_turns = round(rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(image, quarter_turns)) if quarter_turns else image
