"""Frames to planes, and results back: sizes, mirroring, units."""

import numpy as np
import pytest

from segflow.inference import passes


@pytest.mark.parametrize(
    ("frame", "height", "expected"),
    [
        ((480, 854), 320, (320, 569)),
        ((854, 480), 320, (569, 320)),
        ((240, 427), 320, (320, 569)),
        ((2160, 3840), 240, (240, 427)),
        ((100, 100), 240, (240, 240)),
        ((1, 1), 240, (240, 240)),
        ((10, 4000), None, (10, 4000)),
    ],
)
def test_the_shorter_side_becomes_the_height(frame, height, expected):
    assert passes.working_size(frame, height) == expected


@pytest.mark.parametrize("frame", [(10, 4000), (4000, 10), (1, 300)])
def test_long_frames_cost_no_more_than_wide_ones(frame):
    height, width = passes.working_size(frame, 240)
    assert height * width <= 2.5 * 240 * 240 and min(height, width) >= 1


def test_planes_are_bgr_minus_mean():
    image = np.zeros((4, 6, 3), np.uint8)
    image[1, 2] = (30, 20, 10)  # R, G, B
    planes = passes.frame_planes(image, (4, 6))
    assert planes.shape == (1, 3, 4, 6) and planes.dtype == np.float32
    expected = np.array([10 - 104.00698793, 20 - 116.66876762, 30 - 122.67891434])
    np.testing.assert_allclose(planes[0, :, 1, 2], expected, rtol=1e-6)
    mirrored = passes.frame_planes(image, (4, 6), mirrored=True)
    np.testing.assert_array_equal(mirrored, planes[..., ::-1])
    raw = passes.frame_planes(image, (4, 6), mean_bgr=(0, 0, 0))
    np.testing.assert_array_equal(raw[0, :, 1, 2], (10, 20, 30))


def test_the_logit_of_two_channels_is_their_difference():
    score = np.random.default_rng(0).normal(size=(1, 2, 5, 7)).astype(np.float32)
    logit = passes.logit_at_frame(score, (5, 7), mirrored=False)
    softmax = np.exp(score[0, 1]) / np.exp(score[0]).sum(axis=0)
    np.testing.assert_allclose(passes.probability_of(logit), softmax, rtol=1e-5)


def test_probabilities_of_large_logits_do_not_overflow():
    with np.errstate(all="raise"):
        seen = passes.probability_of(np.array([-1000, 0, 1000], np.float32))
    np.testing.assert_array_equal(seen, [0, 0.5, 1])


def test_flow_comes_back_in_pixels_of_the_frame():
    blob = np.empty((1, 2, 10, 20), np.float32)
    blob[0, 0], blob[0, 1] = 2, -1
    flow = passes.flow_at_frame(blob, (30, 80), mirrored=False)
    assert flow.shape == (30, 80, 2) and flow.dtype == np.float32
    np.testing.assert_allclose(flow, np.broadcast_to([8.0, -3.0], flow.shape), rtol=1e-6)


def test_mirroring_turns_the_flow_and_its_direction_back():
    blob = np.zeros((1, 2, 4, 6), np.float32)
    blob[0, :, 1, 0] = (5, 7)
    flow = passes.flow_at_frame(blob, (4, 6), mirrored=True)
    assert tuple(flow[1, 5]) == (-5, 7) and np.count_nonzero(flow) == 2


def test_resizing_there_and_back_keeps_the_place_of_things():
    """Pixel centres agree: the middle of mass of a blob does not move."""
    image = np.zeros((60, 90), np.float32)
    image[20:30, 50:70] = 1
    back = passes.resize(passes.resize(image, (37, 61)), (60, 90))
    ys, xs = np.mgrid[:60, :90]
    assert (ys * back).sum() / back.sum() == pytest.approx(24.5, abs=0.1)
    assert (xs * back).sum() / back.sum() == pytest.approx(59.5, abs=0.1)
