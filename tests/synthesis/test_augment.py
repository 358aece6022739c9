"""Crops and photometric augmentation."""

import numpy as np
import pytest
from tiny_sets import texture

from segflow.synthesis.augment import (
    MEAN_BGR,
    CropSpec,
    PhotometricSpec,
    full_view,
    network_frames,
    random_crop,
)
from segflow.synthesis.remap import cut_view


def test_without_a_generator_frames_are_bgr_minus_mean():
    rgb = texture(0, 7, 9)
    frame1, frame2 = network_frames(rgb, rgb[::-1])
    want = rgb[..., ::-1].transpose(2, 0, 1).astype(np.float64) - np.reshape(MEAN_BGR, (3, 1, 1))
    np.testing.assert_allclose(frame1, want, atol=1e-4)
    np.testing.assert_allclose(frame2, want[:, ::-1], atol=1e-4)
    assert frame1.dtype == np.float32


def test_light_and_colour_change_almost_alike_in_both_frames():
    rgb = texture(0, 24, 32)
    plain, _ = network_frames(rgb, rgb)
    spec = PhotometricSpec(noise=0)
    apart, changed = [], []
    for seed in range(30):
        frame1, frame2 = network_frames(rgb, rgb, np.random.default_rng(seed), spec)
        apart.append(np.abs(frame1 - frame2).mean())
        changed.append(np.abs(frame1 - plain).mean())
    assert 0 < np.mean(apart) < 0.4 * np.mean(changed)


def test_noise_has_at_most_the_given_deviation_and_differs_between_frames():
    rgb = np.full((64, 64, 3), 128, np.uint8)
    spec = PhotometricSpec(0, 0, 0, 0, 0, 0, noise=6)
    sigmas = []
    for seed in range(40):
        frame1, frame2 = network_frames(rgb, rgb, np.random.default_rng(seed), spec)
        sigmas.append(frame1.std(axis=(1, 2)).mean())
        assert (frame1 != frame2).mean() > 0.9 or sigmas[-1] < 0.01
    assert max(sigmas) < 6.3 and max(sigmas) > 4 and min(sigmas) < 1.5


def test_values_stay_between_black_and_white_before_noise():
    rgb = texture(2, 16, 16)
    for seed in range(20):
        spec = PhotometricSpec(gain=1, offset=80, noise=0)
        for frame in network_frames(rgb, rgb, np.random.default_rng(seed), spec):
            value = frame + np.reshape(MEAN_BGR, (3, 1, 1))
            assert value.min() > -1e-3 and value.max() < 255 + 1e-3


def test_zoom_1_shows_as_much_as_fits_and_zoom_2_half_of_it():
    rng = np.random.default_rng(0)
    for zoom, want in ((1.0, 2.0), (2.0, 1.0)):
        spec = CropSpec(zoom=(zoom, zoom), angle_deg=0)
        view = random_crop(rng, (100, 200), (50, 60), spec)
        assert view.scale == pytest.approx(want)


def test_crops_without_turning_stay_inside_the_picture():
    rng = np.random.default_rng(1)
    for _ in range(50):
        x, y = random_crop(rng, (100, 200), (50, 60), CropSpec(angle_deg=0)).positions()
        assert x.min() > -0.51 and x.max() < 199.51 and y.min() > -0.51 and y.max() < 99.51


def test_anchored_crops_show_the_box():
    spec = CropSpec(zoom=(2.0, 2.0), anchor=1.0)
    rng = np.random.default_rng(2)
    mask = np.zeros((100, 200), np.uint8)
    mask[70:90, 5:25] = 255
    for _ in range(50):
        assert cut_view(mask, random_crop(rng, mask.shape, (50, 60), spec, (70, 90, 5, 25))).any()


def test_half_of_the_crops_are_mirrored_and_none_where_that_is_off():
    rng = np.random.default_rng(3)
    signs = [random_crop(rng, (90, 90), (30, 30), CropSpec()).linear for _ in range(200)]
    assert 60 < sum(np.linalg.det(linear) < 0 for linear in signs) < 140
    unmirrored = [random_crop(rng, (90, 90), (30, 30), CropSpec(mirror=False)) for _ in range(20)]
    assert all(np.linalg.det(view.linear) > 0 for view in unmirrored)


def test_full_view_of_the_same_size_is_the_picture():
    picture = texture(5, 12, 17)
    np.testing.assert_array_equal(cut_view(picture, full_view((12, 17), (12, 17))), picture)
