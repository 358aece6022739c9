"""Later frames as training samples: which are taken, what they teach, when they are trusted."""

import numpy as np
import pytest
from tiny_sets import disc, object_picture

from segflow.inference.first_frame import TrainingView
from segflow.inference.later_frames import (
    LaterFrames,
    are_trusted,
    pairs_of,
    spread,
)

SIZE = (48, 80)
MASK = disc(*SIZE, (40, 24), 12)
PAIR = (object_picture(1, MASK), object_picture(1, MASK))


def probability(mask, doubtful=None):
    """0.98 in the mask, 0.02 outside, 0.6 where doubtful."""
    values = np.where(mask > 0, 0.98, 0.02)
    if doubtful is not None:
        values[doubtful > 0] = 0.6
    return values.astype(np.float32)


def test_views_carry_the_networks_mask_along_with_the_picture():
    frames = LaterFrames(SIZE)
    assert frames.add(PAIR, probability(MASK), MASK)
    frames.find_lost([0.0])
    for index in range(10):
        view = frames.view(index)
        assert isinstance(view, TrainingView)
        assert view.frame1.shape == view.frame2.shape == (3, *SIZE)
        sure = view.weight > 0
        bright = view.frame1.mean(axis=0) > 20
        assert (bright == (view.label > 0.5))[sure].mean() > 0.97
        assert sure.mean() > 0.8


def test_pixels_in_doubt_have_no_weight():
    doubtful = disc(*SIZE, (40, 24), 6)
    sure, unsure = LaterFrames(SIZE), LaterFrames(SIZE)
    sure.add(PAIR, probability(MASK), MASK)
    unsure.add(PAIR, probability(MASK, doubtful), MASK)
    sure.find_lost([0.0])
    unsure.find_lost([0.0])
    for index in range(5):
        with_doubt, without = unsure.view(index), sure.view(index)
        np.testing.assert_array_equal(with_doubt.frame1, without.frame1)
        away = (without.weight > 0) & (with_doubt.weight == 0)
        assert away.any() and (without.label[away] > 0.5).all()
        same = with_doubt.weight > 0
        np.testing.assert_allclose(with_doubt.label[same], without.label[same], atol=0.02)


def test_a_frame_whose_mask_lost_the_object_is_not_taken():
    frames = LaterFrames(SIZE)
    assert not frames.add(PAIR, probability(np.zeros(SIZE)), MASK)
    assert not frames.add(PAIR, probability(disc(*SIZE, (40, 24), 4)), MASK)
    assert not frames.add(PAIR, np.full(SIZE, 0.7, np.float32), MASK), "seen, but in doubt"
    assert len(frames) == 0
    assert frames.add(PAIR, probability(disc(*SIZE, (40, 24), 8)), MASK) and len(frames) == 1


def test_frames_come_in_turn_and_depend_on_seed_and_index_only():
    frames, other = LaterFrames(SIZE), LaterFrames(SIZE, seed=2)
    for every in (frames, other):
        every.add(PAIR, probability(MASK), MASK)
        every.add(PAIR, probability(1 - MASK), MASK)
        every.find_lost([0.0, 0.0])
    areas = [frames.view(index).label.mean() for index in range(6)]
    assert max(areas[0::2]) < 0.4 and min(areas[1::2]) > 0.6
    np.testing.assert_array_equal(frames.view(3).frame1, frames.view(3).frame1)
    assert (frames.view(3).frame1 != other.view(3).frame1).any()


def test_only_lost_frames_are_learnt_from_and_stay_so():
    frames = LaterFrames(SIZE)
    frames.add(PAIR, probability(MASK), MASK)
    frames.add(PAIR, probability(1 - MASK), MASK)
    frames.find_lost([0.9, 0.7])
    assert frames.lost == []
    frames.find_lost([0.9, 0.3])
    assert frames.lost == [1]
    frames.find_lost([0.9, 0.9])
    assert frames.lost == [1]
    assert min(frames.view(index).label.mean() for index in range(4)) > 0.6


@pytest.mark.parametrize(
    ("first", "tuned", "trusted"),
    [(0.9, 0.9, True), (0.9, 0.1, True), (0.2, 0.6, True), (0.2, 0.1, False)],
)
def test_masks_are_trusted_by_the_first_frame_or_by_the_tuned_network(first, tuned, trusted):
    assert are_trusted(first, tuned) is trusted


@pytest.mark.parametrize("length", [0, 1, 3, 4, 5, 8, 9, 16, 17, 100, 1000])
def test_items_are_spread_evenly_over_a_stream_of_any_length(length):
    kept = spread(iter(range(length)), 4)
    assert min(4, length) <= len(kept) <= 8
    steps = set(np.diff(kept))
    assert len(steps) <= 1
    if length:
        assert kept[0] == 0 and length - kept[-1] <= max(steps, default=1)


def test_a_stream_is_kept_no_longer_than_needed():
    alive = []

    class Item:
        def __init__(self):
            alive.append(1)

        def __del__(self):
            alive.pop()

    most = 0

    def stream():
        nonlocal most
        for _ in range(200):
            yield Item()
            most = max(most, len(alive))

    spread(stream(), 3)
    assert most <= 8


def test_pairs_are_of_neighbours():
    assert list(pairs_of(iter("abc"))) == [("a", "b"), ("b", "c")]
    assert list(pairs_of(iter("a"))) == []
