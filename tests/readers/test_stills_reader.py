"""Sets of still images with masks."""

import numpy as np
import pytest
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.readers.stills import open_stills


def write_set(root, name, stems, suffix="jpg"):
    for kind in ("images", "masks"):
        (root / name / kind).mkdir(parents=True)
    for stem in stems:
        image = Image.fromarray(np.full((4, 6, 3), 60, np.uint8))
        image.save(root / name / "images" / f"{stem}.{suffix}")
        mask = np.zeros((4, 6), np.uint8)
        mask[1:3] = 255
        Image.fromarray(mask).convert("1").save(root / name / "masks" / f"{stem}.png")


def test_sets_below_a_root_are_read_one_after_the_other(tmp_path):
    write_set(tmp_path, "B", ["x2", "x10"], "webp")
    write_set(tmp_path, "A", ["y"])
    stills = open_stills(tmp_path)
    assert [still.name for still in stills.pairs] == ["A/y", "B/x2", "B/x10"]
    image, mask = stills.pairs[1].read()
    assert image.shape == (4, 6, 3)
    np.testing.assert_array_equal(mask.sum(axis=1), [0, 6, 6, 0])


def test_one_set_or_chosen_sets_can_be_read(tmp_path):
    write_set(tmp_path, "A", ["a"])
    write_set(tmp_path, "B", ["b"])
    assert [still.name for still in open_stills(tmp_path / "A").pairs] == ["A/a"]
    assert [still.name for still in open_stills(tmp_path, ["B"]).pairs] == ["B/b"]
    with pytest.raises(MissingDataError, match="no set C; here are: A, B"):
        open_stills(tmp_path, ["C"])


def test_half_pairs_are_named_and_left_out(tmp_path):
    write_set(tmp_path, "A", ["a", "b", "c"])
    (tmp_path / "A/masks/a.png").unlink()
    (tmp_path / "A/images/c.jpg").unlink()
    stills = open_stills(tmp_path)
    assert [still.name for still in stills.pairs] == ["A/b"]
    assert stills.missing == ("A/masks/a", "A/images/c")


def test_mask_of_another_size_and_folder_without_sets_are_refused(tmp_path):
    write_set(tmp_path, "A", ["a"])
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(tmp_path / "A/masks/a.png")
    with pytest.raises(DataError, match=r"a\.png: mask of 5x4, its image has 6x4"):
        open_stills(tmp_path).pairs[0].read()
    with pytest.raises(DataError, match="no folders images/ and masks/"):
        open_stills(tmp_path / "A/images")


def test_shared_stills_are_read_whole(shared):
    stills = open_stills(shared("data/saliency"))
    assert len(stills.pairs) == 12180 and stills.missing == ()
    for still in stills.pairs[::1500]:
        image, mask = still.read()
        assert image.shape[:2] == mask.shape and 0 < mask.mean() < 0.9
