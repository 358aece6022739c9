"""A clip: what the demo, the tools and the samples see of any source of frames."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np


class Frame(NamedTuple):
    """One frame of a clip."""

    name: str  # without suffix; outputs of this frame carry it
    image: np.ndarray  # (H, W, 3) uint8 RGB


class Clip(ABC):
    """Frames in order, read one by one: memory does not grow with the length of the clip.

    Iterating anew starts at the first frame. All frames of a clip have one size; a clip in which
    they differ raises DataError at the first frame that does.
    """

    name: str
    frame_count: int | None  # None where only reading to the end would tell
    frame_rate: float | None  # frames per second, None where the source does not say

    @abstractmethod
    def __iter__(self) -> Iterator[Frame]: ...
