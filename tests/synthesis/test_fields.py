"""Motion fields against their formula."""

import numpy as np

from segflow.synthesis.fields import MotionSpec, cubic_weights, motion_field

STILL = MotionSpec(angle_deg=0, scale=0, translation_px=((1.0, 0.0),), random_px=0)


def test_no_motion_is_a_field_of_zeros():
    assert not motion_field(np.random.default_rng(0), (9, 12), STILL).any()


def test_affine_part_is_a_similarity_about_the_centre():
    spec = MotionSpec(angle_deg=20, scale=0.2, translation_px=((1.0, 0.0),), random_px=0)
    field = motion_field(np.random.default_rng(5), (41, 61), spec, centre=(12, 30))
    np.testing.assert_allclose(field[30, 12], 0, atol=1e-5)
    # x + f(x) keeps all angles and lengths but for one factor: f = (sR - 1)(x - c).
    right, down = field[30, 22] / 10, field[40, 12] / 10
    np.testing.assert_allclose(right, (down[1], -down[0]), atol=1e-5)
    factor = np.hypot(1 + right[0], right[1])
    assert 0.8 <= factor <= 1.2 and abs(np.degrees(np.arctan2(right[1], 1 + right[0]))) <= 20
    ys, xs = np.mgrid[:41, :61]
    want = (xs - 12)[..., None] * right + (ys - 30)[..., None] * down
    np.testing.assert_allclose(field, want, atol=1e-4)


def test_translations_have_the_mixture_of_deviations():
    spec = MotionSpec(angle_deg=0, scale=0, random_px=0)
    rng = np.random.default_rng(1)
    shifts = np.array([motion_field(rng, (2, 2), spec)[0, 0] for _ in range(6000)])
    want = 0.6 * 3**2 + 0.3 * 10**2 + 0.1 * 28**2
    np.testing.assert_allclose((shifts**2).mean(axis=0), want, rtol=0.15)


def test_smooth_part_stays_near_its_knots_range_and_is_smooth():
    spec = MotionSpec(angle_deg=0, scale=0, translation_px=((1.0, 0.0),), random_px=1.5)
    field = motion_field(np.random.default_rng(2), (96, 160), spec)
    assert 0.2 < np.abs(field).max() < 1.5 * 1.6
    assert np.abs(np.diff(field, axis=1)).max() < 1.5 * 2 * 5 / 159 * 1.5


def test_gain_multiplies_the_whole_field():
    once = motion_field(np.random.default_rng(7), (30, 40))
    twice = motion_field(np.random.default_rng(7), (30, 40), gain=2.0)
    np.testing.assert_allclose(twice, 2 * once, rtol=1e-6)


def test_cubic_weights_hit_the_knots_and_keep_straight_lines():
    weights = cubic_weights(6, 51)
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(weights[::10], np.eye(6), atol=1e-6)
    line = weights @ np.arange(6)
    np.testing.assert_allclose(line[10:41], np.arange(10, 41) / 10, atol=1e-5)
