"""Later frames of a video as training samples: the network's own masks, where it is sure.

Fine-tuning to one frame forgets how the object may look later, when it has turned or come near.
The network as given knows something of that: its masks of later frames, made before fine-tuning,
are labels too, where it is sure of them (self-training). They are no better than that network, so
only those frames are used in which the network under training has lost the object; `are_trusted`
tells whether any are.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from segflow.inference.first_frame import FirstFrame, TrainingView, ViewSpec, turned
from segflow.synthesis.augment import network_frames
from segflow.synthesis.remap import cut_view

#: The network is sure of a pixel whose probability of being object is this near 0 or 1.
_UNSURE = 0.1
#: A mask with less sure object than this share of the first one's has probably lost it.
_LEAST_SHARE = 0.2
#: Below this J with its mask as given, the network under training has lost the object of a frame.
_LOST = 0.6
#: The least J, of the given network's masks on the first frame, for which later ones count.
_TRUSTED_ON_FIRST = 0.6
#: The least mean J of those of later frames with a tuned network's, for which they count.
_TRUSTED_BY_TUNED = 0.4

Item = TypeVar("Item")
Pair = tuple[np.ndarray, np.ndarray]  # a frame (H, W, 3) uint8 RGB and the one after it


def are_trusted(first_similarity: float, tuned_similarity: float) -> bool:
    """Whether the given network's masks of later frames are fit to learn from.

    first_similarity: J of its mask of the first frame, where the truth is known.
    tuned_similarity: mean J of its later masks with those of the network after some iterations
    on the first frame alone. Where the two see the same object, the given
    network was right about which it is, though the first frame may have been hard for it; a
    network that took something else for the object disagrees everywhere.
    """
    return first_similarity >= _TRUSTED_ON_FIRST or tuned_similarity >= _TRUSTED_BY_TUNED


class LaterFrames:
    """Pairs of frames of `size` (h, w), with labels where a network was sure of its mask."""

    def __init__(self, size: tuple[int, int], spec: ViewSpec | None = None, seed: int = 1):
        self.size = size
        self.spec = spec or ViewSpec()
        self.seed = seed
        self.pairs: list[Pair] = []
        self.masks: list[np.ndarray] = []  # (h, w) bool, those of the network
        self.lost: list[int] = []  # indices of pairs to learn from
        self._maps: list[np.ndarray] = []

    def __len__(self) -> int:
        return len(self.pairs)

    def add(self, pair: Pair, probability: np.ndarray, first_mask: np.ndarray) -> bool:
        """Take a pair with the probabilities (h, w) of its first frame, unless it lost the object.

        first_mask: (h, w), the first frame's, 0 to 1.
        """
        is_object = probability > 1 - _UNSURE
        if np.count_nonzero(is_object) < _LEAST_SHARE * first_mask.sum():
            return False
        is_sure = is_object | (probability < _UNSURE)
        self.pairs.append(pair)
        self.masks.append(probability > 0.5)
        self._maps.append(np.stack([is_object, is_sure], axis=-1).astype(np.float32))
        return True

    def find_lost(self, similarities: Sequence[float]) -> None:
        """Learn from now on from the pairs whose mask has become less similar than it should.

        similarities: J of the masks, as they are now, with `masks`. A pair once lost stays so.
        """
        for index, similarity in enumerate(similarities):
            if similarity < _LOST and index not in self.lost:
                self.lost.append(index)

    def view(self, index: int) -> TrainingView:
        """The lost pairs in turn, seen at random: a function of seed, index and `lost`."""
        rng = np.random.default_rng((self.seed, *b"later", index))
        which = self.lost[index % len(self.lost)]
        view = turned(rng, self.size, self.spec)
        seen = [cut_view(frame, view) for frame in self.pairs[which]]
        first, second = network_frames(seen[0], seen[1], rng, self.spec.light)
        label, sure = np.moveaxis(cut_view(self._maps[which], view), -1, 0)
        weight = (sure > 0.99).astype(np.float32)
        return TrainingView(first, second, np.ascontiguousarray(label), weight)


class OnlineSamples:
    """What is learnt from: views of the first frame, and of later ones that get lost."""

    def __init__(self, first: FirstFrame, later: LaterFrames, first_similarity: float):
        self.first = first
        self.later = later
        self._first_similarity = first_similarity
        self._is_trusted: bool | None = None

    @property
    def used(self) -> int:
        """The number of later frames in use."""
        return len(self.later.lost)

    def review(self, similarities: list[float]) -> None:
        """Take up later frames that are lost; the first time tells whether they are trusted."""
        if self._is_trusted is None and similarities:
            self._is_trusted = are_trusted(self._first_similarity, float(np.mean(similarities)))
        if self._is_trusted:
            self.later.find_lost(similarities)

    def view(self, iteration: int) -> TrainingView:
        if self.used and iteration % 2:
            return self.later.view(iteration // 2)
        return self.first.view(iteration)


def spread(items: Iterable[Item], count: int) -> list[Item]:
    """`count` to 2 x `count` items (fewer of fewer), evenly spread over all of them.

    How many there are need not be known, and no more than these are kept at a time.
    """
    kept: list[Item] = []
    stride = 1
    for index, item in enumerate(items):
        if index % stride == 0 and len(kept) == 2 * count:
            kept, stride = kept[::2], 2 * stride
        if index % stride == 0:
            kept.append(item)
    return kept


def pairs_of(frames: Iterable[np.ndarray]) -> Iterator[Pair]:
    """Each frame with the next."""
    last = None
    for frame in frames:
        if last is not None:
            yield last, frame
        last = frame


def in_time(frames: Iterable[np.ndarray], until: float) -> Iterator[np.ndarray]:
    """The frames that come before a time of time.monotonic()."""
    for frame in frames:
        if time.monotonic() > until:
            return
        yield frame
