"""Reading and writing single images and masks."""

import numpy as np
import pytest
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.readers.image import read_image, read_labels, read_mask, write_image, write_mask

RGB = np.arange(5 * 7 * 3, dtype=np.uint8).reshape(5, 7, 3)
LABELS = np.array([[0, 1, 2, 0], [3, 0, 2, 2], [0, 0, 0, 1]], np.uint8)


def save(path, array, mode=None):
    image = Image.fromarray(array)
    (image.convert(mode) if mode else image).save(path)
    return path


def save_palette(path, labels):
    image = Image.fromarray(labels, "P")
    image.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0, 128, 128, 0])
    image.save(path)
    return path


def test_colour_image_comes_as_rgb(tmp_path):
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", RGB)), RGB)


def test_alpha_channel_is_dropped(tmp_path):
    rgba = np.dstack([RGB, np.full((5, 7), 9, np.uint8)])
    np.testing.assert_array_equal(read_image(save(tmp_path / "a.png", rgba)), RGB)


@pytest.mark.parametrize("dtype, scale", [(np.uint8, 1), (np.uint16, 256)])
def test_grey_image_of_8_or_16_bits_becomes_three_equal_channels(tmp_path, dtype, scale):
    grey = RGB[:, :, 0].astype(dtype) * scale
    image = read_image(save(tmp_path / "a.png", grey))
    assert image.dtype == np.uint8
    np.testing.assert_array_equal(image, np.repeat(RGB[:, :, :1], 3, axis=2))


def test_palette_image_comes_in_its_colours(tmp_path):
    image = read_image(save_palette(tmp_path / "a.png", LABELS))
    assert tuple(image[0, 1]) == (128, 0, 0) and tuple(image[1, 0]) == (128, 128, 0)


def test_webp_image_is_read(tmp_path):
    save(tmp_path / "a.webp", np.full((6, 4, 3), 200, np.uint8))
    assert read_image(tmp_path / "a.webp").shape == (6, 4, 3)


@pytest.mark.parametrize("mode", ["1", "L"])
def test_mask_of_one_object_is_0_and_1(tmp_path, mode):
    expected = (LABELS > 0).astype(np.uint8)
    path = save(tmp_path / "m.png", expected * 255, mode)
    assert Image.open(path).mode == mode
    mask = read_mask(path)
    assert mask.dtype == np.uint8
    np.testing.assert_array_equal(mask, expected)
    np.testing.assert_array_equal(read_labels(path), expected)


def test_palette_mask_merges_objects_or_gives_one(tmp_path):
    path = save_palette(tmp_path / "m.png", LABELS)
    np.testing.assert_array_equal(read_labels(path), LABELS)
    np.testing.assert_array_equal(read_mask(path), LABELS > 0)
    np.testing.assert_array_equal(read_mask(path, object_number=2), LABELS == 2)


def test_grey_mask_of_object_numbers_keeps_them(tmp_path):
    path = save(tmp_path / "m.png", LABELS)
    np.testing.assert_array_equal(read_labels(path), LABELS)
    np.testing.assert_array_equal(read_mask(path, soft=True), LABELS > 0)


def test_coloured_mask_can_be_merged_but_has_no_numbers(tmp_path):
    path = save(tmp_path / "m.png", np.dstack([LABELS * 0, LABELS, LABELS * 0]))
    np.testing.assert_array_equal(read_mask(path), LABELS > 0)
    with pytest.raises(DataError, match="m.png.*mask in colours"):
        read_labels(path)


def test_soft_mask_is_cut_at_half(tmp_path):
    path = save(tmp_path / "m.png", np.array([[0, 1, 127, 128, 255]], np.uint8))
    np.testing.assert_array_equal(read_mask(path, soft=True), [[0, 0, 0, 1, 1]])
    np.testing.assert_array_equal(read_mask(path), [[0, 1, 1, 1, 1]])


def test_written_mask_is_8_bit_grey_0_and_255(tmp_path):
    write_mask(tmp_path / "m.png", LABELS)
    image = Image.open(tmp_path / "m.png")
    assert image.mode == "L"
    np.testing.assert_array_equal(np.asarray(image), (LABELS > 0) * 255)


def test_written_image_comes_back(tmp_path):
    write_image(tmp_path / "a.png", RGB)
    np.testing.assert_array_equal(read_image(tmp_path / "a.png"), RGB)


def test_what_cannot_be_read_is_named_with_its_reason(tmp_path):
    good = save(tmp_path / "good.png", np.random.default_rng(0).integers(0, 255, (40, 40, 3), "u1"))
    content = good.read_bytes()
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "empty.png").write_bytes(b"")
    (tmp_path / "short.png").write_bytes(content[: len(content) // 2])
    save(tmp_path / "float.tif", np.zeros((3, 3), np.float32))
    cases = {
        "absent.png": (MissingDataError, "no such file"),
        ".": (DataError, "a folder"),
        "text.png": (DataError, "not a readable image"),
        "empty.png": (DataError, "not a readable image"),
        "short.png": (DataError, "not a readable image"),
        "float.tif": (DataError, "8 or 16 bits"),
    }
    for name, (kind, words) in cases.items():
        with pytest.raises(kind, match=words) as caught:
            read_image(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert "\n" not in str(caught.value)
    assert read_image(good).shape == (40, 40, 3)
