"""What the bundled weights are good for: known motion is measured, the bundled object is found."""

import cv2
import numpy as np
import pytest

from segflow.flow_io import read_flow
from segflow.inference.arguments import BUNDLED_CLIPS
from segflow.inference.networks import DEFAULT_WEIGHTS
from segflow.metrics.region import region_similarity
from segflow.readers.davis import Davis


@pytest.fixture(scope="module")
def segmenter():
    pytest.importorskip("caffe", exc_type=ImportError)
    if not DEFAULT_WEIGHTS["segflow_lite"].exists():
        pytest.skip("models/segflow_lite.caffemodel is not here")
    from segflow import VideoSegmenter

    return VideoSegmenter()


def shifted_pair(size, shift):
    """Two cuts out of a texture, coarse and fine, the second's content moved by shift = (u, v)."""
    rng = np.random.default_rng(5)
    height, width = size
    canvas = np.zeros((height + 40, width + 40, 3), np.float32)
    for grain in (48, 16, 6):
        knots = rng.uniform(0, 255, (canvas.shape[0] // grain + 2, canvas.shape[1] // grain + 2, 3))
        canvas += cv2.resize(knots.astype(np.float32), canvas.shape[1::-1]) / 3
    image = canvas.astype(np.uint8)
    u, v = shift
    return (
        image[20 : 20 + height, 20 : 20 + width],
        image[20 - v : 20 - v + height, 20 - u : 20 - u + width],
    )


@pytest.mark.parametrize("size", [(480, 854), (97, 131)])
def test_a_known_shift_is_measured_in_pixels_of_the_frame(segmenter, size):
    flow = segmenter.pair(*shifted_pair(size, (4, -2))).flow
    assert np.median(flow[..., 0]) == pytest.approx(4, abs=1)
    assert np.median(flow[..., 1]) == pytest.approx(-2, abs=1)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (63, 65)])
def test_tiny_frames_give_finite_results(segmenter, size):
    image = np.random.default_rng(0).integers(0, 255, (*size, 3), np.uint8)
    result = segmenter.pair(image, image)
    assert np.isfinite(result.flow).all() and np.isfinite(result.probability).all()


def test_the_bundled_object_is_found_and_its_motion_beats_no_motion(segmenter):
    davis = Davis(BUNDLED_CLIPS)
    clip = davis.sequence("flying-saucer")
    j, error, zero = [], [], []
    for index in range(8, 48, 16):
        result = segmenter.pair(clip.image(index), clip.image(index + 1))
        j.append(region_similarity(result.mask, clip.mask(index)))
        truth = read_flow(BUNDLED_CLIPS / "Flow/flying-saucer" / f"{index:05d}.png")
        error.append(np.nanmean(np.hypot(*(result.flow - truth).transpose(2, 0, 1))))
        zero.append(np.nanmean(np.hypot(*truth.transpose(2, 0, 1))))
    assert np.mean(j) > 0.5
    assert np.mean(error) < 0.6 * np.mean(zero)
