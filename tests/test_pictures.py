"""Flow colours, overlays and panels."""

import numpy as np
import pytest

from segflow.flow_color import color_wheel, flow_to_color
from segflow.overlay import OBJECT_COLORS, overlay_mask, side_by_side


def color_of(u, v, max_length=1.0):
    return tuple(int(c) for c in flow_to_color(np.array([[[u, v]]]), max_length)[0, 0])


def reference_color(u, v):
    """One pixel of the published code, in plain floating point; u, v within the unit circle."""
    segments = [(15, "R+g"), (6, "-rG"), (4, "G+b"), (11, "-gB"), (13, "B+r"), (6, "-bR")]
    wheel = []
    for count, _ in segments:
        for i in range(count):
            up, down = int(255 * i / count), 255 - int(255 * i / count)
            wheel.append(
                {
                    15: (255, up, 0),
                    4: (0, 255, up),
                    11: (0, down, 255),
                    13: (up, 0, 255),
                    6: (down, 255, 0) if len(wheel) < 30 else (255, 0, down),
                }[count]
            )
    position = (np.arctan2(-v, -u) / np.pi + 1) / 2 * 54
    lower = int(position)
    share = position - lower
    pixel = []
    for channel in range(3):
        full = (1 - share) * wheel[lower][channel] + share * wheel[(lower + 1) % 55][channel]
        pixel.append(255 * (1 - np.hypot(u, v) * (1 - full / 255)))
    return pixel


def test_wheel_has_55_hues_and_starts_at_red():
    assert color_wheel().shape == (55, 3)
    np.testing.assert_array_equal(color_wheel()[[0, 15, 21, 25, 36, 49]], [
        [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1],
    ])  # fmt: skip


def test_colours_agree_with_the_published_formula_all_around():
    for angle in np.linspace(-3.1, 3.1, 41):
        for length in (0.2, 0.99):
            u, v = length * np.cos(angle), length * np.sin(angle)
            np.testing.assert_allclose(color_of(u, v), reference_color(u, v), atol=1.01)


def test_no_motion_is_white_right_is_red_left_is_cyan():
    assert color_of(0, 0) == (255, 255, 255)
    assert color_of(1, 0) == (255, 0, 0)
    red, green, blue = color_of(-1, 0)
    assert red < 20 and green > 150 and blue > 230


def test_longer_than_the_limit_is_darkened_and_unknown_is_black():
    assert color_of(5, 0) == (191, 0, 0)
    assert color_of(np.nan, 1) == (0, 0, 0)


def test_without_a_limit_the_longest_vector_has_the_full_colour():
    flow = np.array([[[8, 0], [4, 0], [np.nan, 900]]], np.float32)
    np.testing.assert_array_equal(flow_to_color(flow)[0], [[255, 0, 0], [255, 127, 127], [0, 0, 0]])
    assert (flow_to_color(np.zeros((2, 3, 2))) == 255).all()


def test_overlay_tints_the_object_and_leaves_the_rest():
    image = np.full((7, 7, 3), 100, np.uint8)
    mask = np.zeros((7, 7), np.uint8)
    mask[1:6, 1:6] = 1
    result = overlay_mask(image, mask, opacity=0.5)
    assert (image == 100).all(), "the frame itself is not drawn on"
    np.testing.assert_array_equal(result[0, 0], [100, 100, 100])
    np.testing.assert_array_equal(result[1, 3], OBJECT_COLORS[0])
    expected = (100 + OBJECT_COLORS[0].astype(float)) / 2
    np.testing.assert_allclose(result[3, 3], expected, atol=0.5)


def test_objects_have_different_colours_and_borders_between_them():
    mask = np.repeat(np.array([[1, 1, 1, 2, 2, 2]], np.uint8), 3, axis=0)
    result = overlay_mask(np.zeros((3, 6, 3), np.uint8), mask)
    np.testing.assert_array_equal(result[1, 2:4], OBJECT_COLORS[:2])
    assert (result[1, 0] != result[1, 5]).any()


def test_panel_joins_pictures_from_left_to_right():
    pictures = [np.full((2, 3, 3), value, np.uint8) for value in (10, 20, 30)]
    assert side_by_side(pictures).shape == (2, 9, 3)
    with_gaps = side_by_side(pictures, gap=2)
    assert with_gaps[0, :, 0].tolist() == [10] * 3 + [0] * 2 + [20] * 3 + [0] * 2 + [30] * 3


def test_pictures_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="mask of shape"):
        overlay_mask(np.zeros((2, 2, 3), np.uint8), np.zeros((2, 3), np.uint8))
    with pytest.raises(ValueError, match="different heights"):
        side_by_side([np.zeros((2, 2, 3), np.uint8), np.zeros((3, 2, 3), np.uint8)])
