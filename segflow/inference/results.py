"""The folder of results: masks, flow, pictures and a video of each clip.

masks/<clip>/<frame>.png       0 and 255, a results folder as the DAVIS tools take it
flow/<clip>/<frame>.flo        pixels of the frame, motion to the next one
flow_color/<clip>/<frame>.png  the same in colours
overlay/<clip>/<frame>.jpg     the mask drawn over the frame
<clip>.mp4                     frame, overlay and flow side by side
"""

from __future__ import annotations

from pathlib import Path
from types import TracebackType

import cv2
import numpy as np

from segflow.errors import DataError
from segflow.flow_color import flow_to_color
from segflow.flow_io import write_flo
from segflow.inference.segmenter import FrameResult
from segflow.overlay import overlay_mask, side_by_side
from segflow.readers.image import write_image, write_mask
from segflow.readers.video import VideoWriter

#: Panels of the video are at most this high; three 4K panels side by side play nowhere.
_PANEL_HEIGHT = 480
_SHORTEST_SCALE_PX = 2.0


class ClipResults:
    """Writes the results of one clip; a context manager. An unfinished video leaves no file.

    Raises DataError where the output is not a folder.
    """

    def __init__(self, output: Path, clip: str, frame_rate: float | None = None):
        self.output = Path(output)
        self.clip = clip
        self._colors = FlowColors()
        if self.output.exists() and not self.output.is_dir():
            raise DataError(f"{self.output}: a file, not a folder to write results to")
        self.output.mkdir(parents=True, exist_ok=True)
        self._video = VideoWriter(self.output / f"{clip}.mp4", frame_rate or 24.0)

    def __enter__(self) -> ClipResults:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._video.__exit__(kind, error, trace)

    def write(self, name: str, result: FrameResult) -> None:
        """Everything of one frame."""
        panels = [result.image]
        if result.mask is not None:
            write_mask(self._file("masks", name, ".png"), result.mask)
            panels.append(overlay_mask(result.image, result.mask))
            write_image(self._file("overlay", name, ".jpg"), panels[-1])
        if result.flow is not None:
            write_flo(self._file("flow", name, ".flo"), result.flow)
            panels.append(self._colors.picture(result.flow))
            write_image(self._file("flow_color", name, ".png"), panels[-1])
        self._video.write(side_by_side([_at_most_high(panel) for panel in panels], gap=4))

    def _file(self, kind: str, name: str, suffix: str) -> Path:
        folder = self.output / kind / self.clip
        if not folder.is_dir():
            folder.mkdir(parents=True)
        return folder / f"{name}{suffix}"


class FlowColors:
    """Flow in colours, one scale for a whole clip: it rises at once and falls slowly, so that
    the colours do not flicker. Its full colour is a little above what all but a few pixels have."""

    def __init__(self) -> None:
        self.full_px = _SHORTEST_SCALE_PX

    def picture(self, flow: np.ndarray) -> np.ndarray:
        """(H, W, 3) uint8 of a flow (H, W, 2) in pixels."""
        sparse = flow[::4, ::4]
        length = np.hypot(sparse[..., 0], sparse[..., 1])
        length = length[np.isfinite(length)]
        fast = 1.1 * float(np.percentile(length, 99.5)) if length.size else 0.0
        self.full_px = max(fast, 0.97 * self.full_px, _SHORTEST_SCALE_PX)
        return flow_to_color(flow, self.full_px)


def _at_most_high(picture: np.ndarray) -> np.ndarray:
    height, width = picture.shape[:2]
    if height <= _PANEL_HEIGHT:
        return picture
    size = (max(1, round(width * _PANEL_HEIGHT / height)), _PANEL_HEIGHT)
    return cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
