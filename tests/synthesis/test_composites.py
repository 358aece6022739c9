"""Composites: flow and masks are exact."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates
from tiny_sets import disc, texture

from segflow.synthesis.composites import Layer, bounding_box, compose, cut_out, place_object
from segflow.synthesis.fields import motion_field
from segflow.synthesis.remap import View, cut_view

SIZE = (72, 120)


def layers(seed: int, count: int = 2) -> tuple[Layer, list[Layer]]:
    rng = np.random.default_rng(seed)
    view = View.of_crop(SIZE, (100, 70), 1.1, 10)
    background = Layer(texture(seed, 140, 200), view, motion_field(rng, SIZE, gain=0.8))
    objects = []
    for number in range(count):
        picture = cut_out(texture(seed + number + 1, 60, 70), disc(60, 70, (35, 30), 22))
        objects.append(Layer(picture, place_object(rng, picture, SIZE), motion_field(rng, SIZE)))
    return background, objects


@pytest.mark.parametrize("seed", range(4))
def test_frame_2_read_along_the_flow_is_frame_1_where_both_show_the_same_layer(seed):
    pair = compose(*layers(seed))
    ys, xs = np.indices(SIZE)
    x, y = xs + pair.flow[..., 0], ys + pair.flow[..., 1]
    inside = (x > 1) & (x < SIZE[1] - 2) & (y > 1) & (y < SIZE[0] - 2)
    same = inside.copy()  # all four pixels that are read belong to the layer of frame 1
    for dy in (0, 1):
        for dx in (0, 1):
            row = np.clip(np.floor(y).astype(int) + dy, 0, SIZE[0] - 1)
            column = np.clip(np.floor(x).astype(int) + dx, 0, SIZE[1] - 1)
            same &= pair.index2[row, column] == pair.index1
    for number in range(3):  # a pixel off the outlines, where two layers are mixed
        inner = pair.index1 == number
        for axis in (0, 1):
            for step in (1, -1):
                same &= ~inner | (np.roll(pair.index1, step, axis) == number)
    assert same.mean() > 0.3
    back = np.stack(
        [
            map_coordinates(pair.frame2[..., c].astype(float), [y, x], order=3, mode="nearest")
            for c in range(3)
        ],
        axis=-1,
    )
    difference = np.abs(back - pair.frame1)[same]
    assert np.percentile(difference, 95) < 3 and difference.mean() < 1
    wrong = np.abs(pair.frame2.astype(float) - pair.frame1)[same]
    assert wrong.mean() > 5 * difference.mean()


def test_flow_is_the_field_of_the_layer_on_top():
    background, objects = layers(0)
    pair = compose(background, objects)
    assert set(np.unique(pair.index1)) == {0, 1, 2}
    fields = [background.field, objects[0].field, objects[1].field]
    for number, field in enumerate(fields):
        on_top = pair.index1 == number
        np.testing.assert_array_equal(pair.flow[on_top], field[on_top])


def test_object_covers_what_lies_below_in_both_frames():
    background, (below, _) = layers(3)
    white = np.full((40, 40, 4), 255, np.uint8)
    view = View.of_crop(SIZE, (19.5, 19.5), 1.0)
    above = Layer(white, view, np.zeros((*SIZE, 2), np.float32))
    pair = compose(background, [below, above])
    rows, columns = slice(18, 54), slice(42, 78)
    for frame, index in ((pair.frame1, pair.index1), (pair.frame2, pair.index2)):
        assert (frame[rows, columns] == 255).all() and (index[rows, columns] == 2).all()


def test_object_outside_the_frame_changes_nothing():
    background, (layer, _) = layers(1)
    far = View.of_crop(SIZE, (900.0, 900.0), 1.0)
    pair = compose(background, [Layer(layer.picture, far, layer.field)])
    alone = compose(background)
    np.testing.assert_array_equal(pair.frame1, alone.frame1)
    assert not pair.index1.any() and not pair.index2.any()


def test_moved_object_is_drawn_beyond_its_place_in_frame_2():
    background, (layer, _) = layers(2)
    field = np.zeros((*SIZE, 2), np.float32)
    field[..., 0] = -25  # frame 1 reads 25 pixels further left: the object is right by 25
    view = View.of_crop(SIZE, (60.0, 22.0), 1.0)
    pair = compose(background, [Layer(layer.picture, view, field)])
    box1, box2 = bounding_box(pair.index1), bounding_box(pair.index2)
    assert box1 is not None and box2 is not None
    assert box1[2] - box2[2] == 25 and box1[:2] == box2[:2]


def test_cut_out_keeps_the_object_and_clears_the_rest():
    image, mask = texture(4, 50, 60), disc(50, 60, (30, 20), 8)
    picture = cut_out(image, mask, margin=3)
    assert picture.shape == (23, 23, 4)
    np.testing.assert_array_equal(picture[..., 3] > 0, mask[9:32, 19:42] > 0)
    np.testing.assert_array_equal(picture[..., :3], image[9:32, 19:42])


def test_empty_mask_is_refused_by_cut_out():
    with pytest.raises(ValueError, match="mask is empty"):
        cut_out(texture(1, 9, 9), np.zeros((9, 9), np.uint8))


def test_placed_objects_are_mostly_in_the_frame_and_of_the_wanted_size():
    rng = np.random.default_rng(11)
    solid = np.full((30, 50, 4), 255, np.uint8)
    shares = []
    for _ in range(60):
        seen = cut_view(solid, place_object(rng, solid, SIZE, (0.1, 0.2)), "zero")[..., 3] > 127
        shares.append(seen.mean())
    assert 0.03 < min(shares) and max(shares) < 0.21
