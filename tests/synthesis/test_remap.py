"""Views and remapping against plain NumPy."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tiny_sets import texture

from segflow.synthesis.remap import View, cut_view, remap


def test_view_shows_its_centre_in_the_middle():
    view = View.of_crop((21, 31), (12.0, 40.0), scale=1.7, angle_deg=25, mirror=True)
    x, y = view.positions()
    assert x[10, 15] == pytest.approx(12.0, abs=1e-4)
    assert y[10, 15] == pytest.approx(40.0, abs=1e-4)
    assert view.scale == pytest.approx(1.7)


def test_positive_angle_turns_the_picture_clockwise():
    picture = np.zeros((41, 41), np.uint8)
    picture[20, 32] = 255  # three o'clock
    turned = cut_view(picture, View.of_crop((41, 41), (20, 20), 1.0, angle_deg=90), "zero")
    assert np.unravel_index(turned.argmax(), turned.shape) == (32, 20)  # six o'clock


def test_mirror_swaps_left_and_right():
    picture = texture(1, 20, 30)
    seen = cut_view(picture, View.of_crop((20, 30), (14.5, 9.5), 1.0, mirror=True))
    np.testing.assert_array_equal(seen, picture[:, ::-1])


def test_to_output_undoes_positions():
    view = View.of_crop((11, 17), (30.0, 20.0), 0.8, 33, True)
    x, y = view.positions()
    back = view.to_output(np.stack([x.ravel(), y.ravel()], axis=1))
    ys, xs = np.indices((11, 17))
    np.testing.assert_allclose(back, np.stack([xs.ravel(), ys.ravel()], 1), atol=1e-4)


def test_window_of_positions_is_a_part_of_all():
    view = View.of_crop((20, 30), (40.0, 25.0), 1.3, 10)
    field = np.random.default_rng(0).normal(size=(20, 30, 2)).astype(np.float32)
    window = (slice(3, 9), slice(11, 30))
    for part, whole in zip(view.positions(field, window), view.positions(field), strict=True):
        np.testing.assert_array_equal(part, whole[window])


@pytest.mark.parametrize("border, mode", [("mirror", "mirror"), ("zero", "constant")])
def test_remap_is_bilinear_at_the_exact_position(border, mode):
    rng = np.random.default_rng(3)
    image = rng.uniform(0, 255, (23, 37)).astype(np.float32)
    x = rng.uniform(-8, 44, (40, 50)).astype(np.float32)
    y = rng.uniform(-8, 30, (40, 50)).astype(np.float32)
    if border == "zero":  # scipy cuts at the border pixel, OpenCV fades over one pixel
        x, y = x.clip(0, 36), y.clip(0, 22)
    want = map_coordinates(image.astype(np.float64), [y, x], order=1, mode=mode)
    np.testing.assert_allclose(remap(image, x, y, border), want, atol=2e-3)
