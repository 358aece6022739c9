"""DAVIS pairs exactly as SegFlow's published data layer draws, transforms and weighs them.

segflow.md section 3. Kept: the order of the draws (with the random numbers as Python 2 made
integers of them), the shift, turn and crop with their nearest-neighbour rounding, and that a
negative scale only costs resolution. differs: one sample a forward pass whatever reshapes happen
between, and a generator of our own in place of Python's global one.
"""

from __future__ import annotations

import random
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.readers.image import read_image, read_mask

SIZE = (480, 854)
_FILTERS = {"nearest": Image.Resampling.NEAREST, "bilinear": Image.Resampling.BILINEAR}


@dataclass(frozen=True)
class Change:
    """One augmentation: scale - 1, degrees counter-clockwise, shift in pixels, mirroring."""

    scale: float
    angle_deg: float
    shift: tuple[int, int]
    flip: bool


@dataclass(frozen=True)
class Choice:
    """Numbers of the two list lines, and the augmentation (None: as they are)."""

    first: int
    second: int
    change: Change | None


@dataclass(frozen=True)
class DrawRules:
    """What the published layer's keys say: aug_params is (aug_num, largest scale - 1, largest
    degrees, largest shifts as shares of width and height, flip > 0)."""

    seed: int
    randomize: bool = True
    with_augmentation: bool = True
    aug_params: tuple = (1000, 0.05, 5, 0.05, 0.05, 1)


class Schedule:
    """Choice number i of the sequence of draws of a seed; number 0 is drawn while the net is
    set up and never seen. Any thread may ask, in about rising order."""

    def __init__(self, clips: list[str], rules: DrawRules):
        if len(clips) < 2:
            raise DataError(f"a list with {len(clips)} frames has no pair")
        if len(rules.aug_params) != 6:
            raise DataError(
                "aug_params: want (aug_num, max_scale, max_rotate, max_transW, max_transH, flip), "
                f"got {rules.aug_params!r}"
            )
        self._clips = clips
        self._rules = rules
        self._lock = threading.Lock()
        self._restart()

    def choice(self, number: int) -> Choice:
        with self._lock:
            if number not in self._recent and number < self._drawn:
                self._restart()
            while self._drawn <= number:
                self._recent[self._drawn] = self._draw()
                self._recent.pop(self._drawn - 256, None)
                self._drawn += 1
            return self._recent[number]

    def _restart(self) -> None:
        self._random = random.Random(self._rules.seed)
        self._index = -1
        self._drawn = 0
        self._recent: dict[int, Choice] = {}
        if self._rules.randomize:
            self._integer(0, len(self._clips) - 1)

    def _integer(self, low: int, high: int) -> int:
        """random.randint as Python 2 had it, whose draws the released training used."""
        return low + int(self._random.random() * (high - low + 1))

    def _draw(self) -> Choice:
        last = len(self._clips) - 1
        while True:
            if self._rules.randomize:
                self._index = self._integer(0, last)
            else:
                self._index = (self._index + 1) % (last + 1)
            if self._index != last:
                break
        first, second = self._index, self._index + 1
        if second == last or self._clips[second] != self._clips[first]:
            second = first
        return Choice(first, second, self._change())

    def _change(self) -> Change | None:
        count, scale, angle, shift_w, shift_h, flip = self._rules.aug_params
        if not self._rules.with_augmentation or self._integer(0, int(count)) == 0:
            return None
        drawn = [2 * self._random.random() - 1 for _ in range(4)]
        return Change(
            drawn[0] * scale,
            drawn[1] * angle,
            (int(drawn[2] * shift_w * SIZE[1]), int(drawn[3] * shift_h * SIZE[0])),
            flip > 0 and self._integer(0, 1) > 0,
        )


class PublishedPairs:
    """Samples of the published layer: arrays for data, data2, label and weight.

    davis_dir, split: the list {davis_dir}/ImageSets/480p/{split}.txt, whose lines may begin with
    a slash; mean: B, G, R; image_filter: how images are resized, "nearest" as published, or
    "bilinear"; true_scale: shrink where the scale is below 1 and fill with black.
    """

    def __init__(
        self,
        davis_dir: str | Path,
        split: str,
        mean: tuple[float, ...],
        rules: DrawRules,
        *,
        image_filter: str = "nearest",
        true_scale: bool = False,
    ):
        if image_filter not in _FILTERS:
            raise DataError(f"image_filter {image_filter!r}: want one of {', '.join(_FILTERS)}")
        if len(mean) != 3:
            raise DataError(f"mean: want the three values of B, G and R, got {mean!r}")
        self.lines = read_pair_list(Path(davis_dir), split)
        self.schedule = Schedule([image.parent.name for image, _ in self.lines], rules)
        self.mean = np.asarray(mean, np.float32)
        self._filter = _FILTERS[image_filter]
        self._true_scale = true_scale

    def arrays(self, number: int) -> tuple[np.ndarray, ...]:
        """(data, data2, label, weight): (1, 3, H, W) twice, (1, H, W) twice, float32."""
        choice = self.schedule.choice(number)
        image, label = self.lines[choice.first]
        frames = [
            self._frame(path, choice.change) for path in (image, self.lines[choice.second][0])
        ]
        mask = Image.fromarray(read_mask(label))
        nearest = Image.Resampling.NEAREST
        shown = np.asarray(changed(mask, choice.change, nearest, self._true_scale))
        return frames[0][None], frames[1][None], shown[None], balance_weight(shown)[None]

    def _frame(self, path: Path, change: Change | None) -> np.ndarray:
        picture = Image.fromarray(read_image(path))
        shown = np.asarray(changed(picture, change, self._filter, self._true_scale))
        values = shown[..., ::-1].astype(np.float32) - self.mean
        return np.ascontiguousarray(values.transpose(2, 0, 1))


def changed(
    picture: Image.Image, change: Change | None, resample: Image.Resampling, true_scale: bool
) -> Image.Image:
    """The picture at 854x480 under the change (segflow.md 3.3)."""
    height, width = SIZE
    if change is None:
        return _resized(picture, (width, height), resample)
    size = (int(width * (1 + change.scale)), int(height * (1 + change.scale)))
    picture = _shifted(_resized(picture, size, resample), *change.shift)
    picture = picture.rotate(change.angle_deg, Image.Resampling.NEAREST)
    if change.flip:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if change.scale > 0 or true_scale:
        left, top = int((size[0] - width) / 2), int((size[1] - height) / 2)
        return picture.crop((left, top, left + width, top + height))
    return _resized(picture, (width, height), resample)


def balance_weight(label: np.ndarray) -> np.ndarray:
    """At the pixels of each class 1 - its share of all pixels; float32 of the label's shape."""
    counts = np.bincount(label.ravel(), minlength=1)
    return (1.0 - counts / label.size).astype(np.float32)[label]


def read_pair_list(davis_dir: Path, split: str) -> list[tuple[Path, Path]]:
    """(image, mask) of each line of a DAVIS 2016 list."""
    listing = davis_dir / "ImageSets" / "480p" / f"{split}.txt"
    if not listing.is_file():
        raise MissingDataError(
            f"{listing}: no such list; {davis_dir} should be a DAVIS 2016 folder"
        )
    pairs = []
    for number, line in enumerate(listing.read_text(encoding="utf-8").splitlines(), 1):
        parts = line.split()
        if parts:
            if len(parts) != 2:
                raise DataError(f"{listing}:{number}: want an image and a mask, got {line!r}")
            pairs.append((davis_dir / parts[0].lstrip("/"), davis_dir / parts[1].lstrip("/")))
    return pairs


def _resized(
    picture: Image.Image, size: tuple[int, int], resample: Image.Resampling
) -> Image.Image:
    return picture if picture.size == size else picture.resize(size, resample)


def _shifted(picture: Image.Image, dx: int, dy: int) -> Image.Image:
    """out(x, y) = in(x + dx, y + dy), black where that is outside."""
    width, height = picture.size
    return picture.crop((dx, dy, dx + width, dy + height))
