"""Scenes: consistent clips with exact flow and masks; textures and outlines."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tiny_sets import texture

from segflow.synthesis.outlines import random_outline
from segflow.synthesis.scenes import Path, Scene, SceneLayer, Wave, random_scene
from segflow.synthesis.textures import (
    cells,
    clouds,
    photograph,
    photograph_names,
    random_texture,
    spots,
    stripes,
)

SIZE = (60, 100)


def smooth_texture(rng: np.random.Generator, size: tuple[int, int]) -> np.ndarray:
    return texture(int(rng.integers(1000)), *size)


def scene(seed: int) -> Scene:
    return random_scene(np.random.default_rng(seed), SIZE, smooth_texture, speed_px=1.5)


@pytest.mark.parametrize("seed, t", [(0, 0), (1, 5), (2, 11), (3, 2)])
def test_next_frame_read_along_the_flow_is_this_frame(seed, t):
    made = scene(seed)
    (frame, labels), (after, labels_after) = made.frame_and_labels(t), made.frame_and_labels(t + 1)
    flow = made.flow(t)
    ys, xs = np.indices(SIZE)
    x, y = xs + flow[..., 0], ys + flow[..., 1]
    near = map_coordinates(labels_after, [y.round(), x.round()], order=0, cval=99)
    same = (near == labels) & (x > 1) & (x < 98) & (y > 1) & (y < 58)
    for axis in (0, 1):  # off the outlines, where two layers are mixed
        for step in (-1, 1):
            same &= np.roll(labels, step, axis) == labels
            same &= (
                map_coordinates(
                    np.roll(labels_after, step, axis), [y.round(), x.round()], order=0, cval=99
                )
                == labels
            )
    assert same.mean() > 0.5
    back = [map_coordinates(after[..., c].astype(float), [y, x], order=3) for c in range(3)]
    difference = np.abs(np.stack(back, -1) - frame)[same]
    unmoved = np.abs(after.astype(float) - frame)[same]
    assert difference.mean() < 1.2 and unmoved.mean() > 3 * difference.mean()


def test_flow_of_a_translation_is_its_speed_and_of_a_turn_is_across_the_radius():
    picture = texture(1, 120, 160)
    moving = Scene(SIZE, SceneLayer(picture, Path(place=(50, 30), speed=(2.5, -1))))
    np.testing.assert_allclose(moving.flow(3), np.broadcast_to((2.5, -1), (*SIZE, 2)), atol=1e-4)
    turning = Scene(SIZE, SceneLayer(picture, Path(place=(50, 30), spin_deg=90)))
    flow = turning.flow(0)
    np.testing.assert_allclose(flow[30, 60], (-10, 10), atol=1e-4)  # three to six o'clock
    np.testing.assert_allclose(flow[30, 50], (0, 0), atol=1e-4)


def test_growing_objects_get_larger():
    solid = np.full((20, 20, 4), 255, np.uint8)
    background = SceneLayer(texture(1, 100, 140), Path(place=(50, 30)))
    growing = SceneLayer(solid, Path(place=(49.5, 29.5), growth=1.1))
    made = Scene(SIZE, background, [growing])
    areas = [int(made.labels(t).sum()) for t in (0, 2)]
    assert areas[0] == 400 and areas[1] == pytest.approx(400 * 1.1**4, rel=0.05)


def test_wave_is_undone():
    wave = Wave(push=(2.0, -1.0), pull=(0.1, 0.2), speed=0.4, phase=1)
    rng = np.random.default_rng(0)
    x, y = rng.uniform(0, 50, (2, 200))
    dx, dy = wave.offset(x, y, 3)
    back = wave.undo(x + dx, y + dy, 3)
    np.testing.assert_allclose(back, (x, y), atol=1e-5)


def test_flow_of_a_swimming_layer_leads_to_the_same_point_of_its_picture():
    push, pull, speed = (2.5, -1.5), (0.08, 0.12), 0.9
    picture = texture(1, 120, 160)
    layer = SceneLayer(picture, Path(place=(50, 30), speed=(1, 2)), Wave(push, pull, speed))
    flow = Scene(SIZE, layer).flow(4)
    ys, xs = np.indices(SIZE)

    def shown(x, y, t):  # the picture's middle (79.5, 59.5) is at place + speed t
        qx, qy = x - 50 - t + 79.5, y - 30 - 2 * t + 59.5
        wave = np.sin(pull[0] * qx + pull[1] * qy + speed * t)
        return qx + push[0] * wave, qy + push[1] * wave

    now = shown(xs, ys, 4)
    then = shown(xs + flow[..., 0], ys + flow[..., 1], 5)
    np.testing.assert_allclose(then, now, atol=1e-3)


def test_objects_number_from_1_and_hide_each_other_in_order():
    solid = np.full((20, 20, 4), 255, np.uint8)
    background = SceneLayer(texture(1, 100, 140), Path(place=(50, 30)))
    left, right = (SceneLayer(solid, Path(place=(x, 30))) for x in (45, 55))
    labels = Scene(SIZE, background, [left, right]).labels(0)
    assert labels[30, 37] == 1 and labels[30, 50] == 2 and labels[30, 63] == 2
    assert labels[5, 5] == 0


def test_shadow_darkens_what_lies_below_and_moves_no_mask():
    solid = np.full((20, 20, 4), 255, np.uint8)
    background = SceneLayer(texture(1, 100, 140), Path(place=(50, 30)))
    plain = Scene(SIZE, background, [SceneLayer(solid, Path(place=(50, 30)))])
    shaded = Scene(SIZE, background, [SceneLayer(solid, Path(place=(50, 30)), shadow=(9, 9, 0.6))])
    np.testing.assert_array_equal(plain.labels(0), shaded.labels(0))
    lost = plain.frame(0).astype(int) - shaded.frame(0)
    assert (lost >= 0).all() and lost[44, 64].min() > 10 and not lost[30, 50].any()


def test_scene_is_a_function_of_its_seed():
    np.testing.assert_array_equal(scene(4).frame(3), scene(4).frame(3))
    assert (scene(4).frame(3) != scene(5).frame(3)).any()


@pytest.mark.parametrize("make", [clouds, stripes, spots, cells, random_texture])
def test_textures_have_the_wanted_size_and_some_contrast(make):
    for seed in range(3):
        picture = make(np.random.default_rng(seed), (40, 66))
        assert picture.shape == (40, 66, 3) and picture.dtype == np.uint8
        assert picture.astype(float).std(axis=(0, 1)).max() > 3


def test_photographs_of_scikit_image_are_there():
    assert "coffee.png" in photograph_names()
    image = photograph("retina.jpg")
    assert max(image.shape) == 800 and image.shape[2] == 3


def test_outlines_are_one_piece_inside_their_box():
    from scipy.ndimage import label

    for seed in range(10):
        cover = random_outline(np.random.default_rng(seed), (50, 70))
        assert label(cover > 127)[1] == 1
        edges = (cover[0], cover[-1], cover[:, 0], cover[:, -1])
        assert not any(edge.any() for edge in edges)
        assert 0.2 < (cover > 127).mean() < 0.9
