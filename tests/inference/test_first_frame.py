"""Training views of a first frame and its mask."""

from dataclasses import replace

import numpy as np
import pytest
from tiny_sets import disc, object_picture

from segflow.errors import DataError
from segflow.inference.first_frame import FirstFrame, ViewSpec, check_first_mask, paint_over
from segflow.synthesis.augment import MEAN_BGR, NO_PHOTOMETRY

MASK = disc(60, 104, (40, 30), 14)
FRAMES = [object_picture(1, MASK), object_picture(1, np.roll(MASK, 3, axis=1))]
PLAIN = replace(ViewSpec(), light=NO_PHOTOMETRY)


def brightness(frame):
    """(h, w): mean of the colours of planes (3, h, w), mean added again."""
    return (frame + np.array(MEAN_BGR)[:, None, None]).mean(axis=0)


def source(composites, size=(48, 83), **changes):
    return FirstFrame(FRAMES, MASK, size, replace(PLAIN, composites=composites, **changes))


@pytest.mark.parametrize("composites", [0.0, 1.0])
def test_the_label_lies_on_the_object_in_every_view(composites):
    views = source(composites)
    for index in range(30):
        view = views.view(index)
        assert view.frame1.shape == view.frame2.shape == (3, 48, 83)
        assert view.frame1.dtype == view.label.dtype == np.float32
        assert view.label.shape == (48, 83) and 0 <= view.label.min() <= view.label.max() <= 1
        bright = brightness(view.frame1) > 128
        sure = np.abs(view.label - 0.5) > 0.4
        agree = (bright == (view.label > 0.5))[sure].mean()
        assert agree > 0.97, (index, agree)


def test_views_differ_and_depend_on_seed_and_index_only():
    first, again = source(0.5), source(0.5)
    other = FirstFrame(FRAMES, MASK, (48, 83), replace(PLAIN, composites=0.5), seed=2)
    for index in (0, 7):
        np.testing.assert_array_equal(first.view(index).frame1, again.view(index).frame1)
        assert (first.view(index).frame1 != other.view(index).frame1).any()
    assert (first.view(0).label != first.view(1).label).any()
    assert (first.view(3).frame1 == again.view(3).frame1).all(), "in any order"


def test_both_frames_are_turned_alike():
    """The object of the second frame stays 3 px (2.4 of the view) from the first one's."""
    views = source(0.0, angle_deg=0.0, log_scale=(0.0, 0.0), shift=0.0)
    for index in range(6):
        view = views.view(index)
        xs = np.arange(83)
        centres = [
            ((brightness(f) > 128).sum(axis=0) * xs).sum() / (brightness(f) > 128).sum()
            for f in (view.frame1, view.frame2)
        ]
        assert abs(abs(centres[1] - centres[0]) - 2.4) < 0.5


def test_composites_show_the_object_elsewhere_and_not_where_it_was():
    views = source(1.0)
    places = []
    for index in range(12):
        label = views.view(index).label
        ys, xs = np.nonzero(label > 0.5)
        places.append((xs.mean(), ys.mean()))
    assert np.std([x for x, _ in places]) > 8


def test_held_back_views_are_not_among_the_training_views():
    views = source(0.5)
    held_back = views.held_back(4)
    assert len(held_back) == 4
    for view in held_back:
        assert view.label.max() > 0.5
        assert not any((views.view(i).label == view.label).all() for i in range(50))


def test_painting_over_takes_the_object_away_and_leaves_the_rest():
    painted = paint_over(FRAMES[0], MASK)
    assert painted.shape == FRAMES[0].shape and painted.dtype == np.uint8
    assert FRAMES[0][MASK > 0].mean() > 160 and painted[MASK > 0].mean() < 90
    far = disc(60, 104, (40, 30), 24) == 0
    np.testing.assert_array_equal(painted[far], FRAMES[0][far])


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((20, 30), np.uint8), "mask of 30x20, its frame has 104x60"),
        (np.zeros((60, 104), np.uint8), "empty"),
        (np.ones((60, 104), np.uint8), "whole frame"),
        (np.ones((60, 104, 3), np.uint8), r"\(H, W\)"),
    ],
)
def test_masks_that_do_not_fit_are_refused(mask, words):
    with pytest.raises(DataError, match=words):
        check_first_mask(FRAMES[0], mask, "first.png")


def test_an_object_that_vanishes_at_the_working_size_is_refused():
    mask = np.zeros((600, 1040), np.uint8)
    mask[100, 100] = 1
    with pytest.raises(DataError, match="too small"):
        FirstFrame([np.zeros((600, 1040, 3), np.uint8)], mask, (48, 83))
