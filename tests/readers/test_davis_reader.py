"""DAVIS 2016 and 2017 layouts, whole and with parts missing."""

import numpy as np
import pytest
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.readers.davis import Davis

LABELS = np.array([[0, 1, 1], [2, 2, 0]], np.uint8)


def write_sequence(root, name, frames, labels=None, resolution="480p"):
    """Small frames whose value is their number, and masks: 0/255, or palette given labels."""
    for kind in ("JPEGImages", "Annotations"):
        (root / kind / resolution / name).mkdir(parents=True)
    for i in range(frames):
        image = Image.fromarray(np.full((2, 3, 3), 10 * i, np.uint8))
        image.save(root / "JPEGImages" / resolution / name / f"{i:05d}.jpg")
        if labels is None:
            mask = Image.fromarray(np.array([[255, 0, 0], [0, 0, 255]], np.uint8))
        else:
            mask = Image.fromarray(labels, "P")
            mask.putpalette([0, 0, 0, 128, 0, 0, 0, 128, 0])
        mask.save(root / "Annotations" / resolution / name / f"{i:05d}.png")


def write_list_2016(root, split, sequences, end=" \n"):
    folder = root / "ImageSets" / "480p"
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        f"/JPEGImages/480p/{name}/{i:05d}.jpg /Annotations/480p/{name}/{i:05d}.png"
        for name, frames in sequences
        for i in range(frames)
    ]
    (folder / f"{split}.txt").write_text("".join(line + end for line in lines))


@pytest.fixture
def davis2016(tmp_path):
    for name, frames in (("dog", 4), ("camel", 3), ("bear", 2)):
        write_sequence(tmp_path, name, frames)
    write_list_2016(tmp_path, "train", [("bear", 2)])
    write_list_2016(tmp_path, "val", [("dog", 4), ("camel", 3)])
    return tmp_path


def test_split_has_the_sequences_of_the_list_in_its_order(davis2016):
    split = Davis(davis2016).split("val")
    assert [(s.name, len(s), s.frame_count) for s in split.sequences] == [
        ("dog", 4, 4),
        ("camel", 3, 3),
    ]


def test_frames_and_masks_belong_together(davis2016):
    dog = Davis(davis2016).sequence("dog")
    assert [frame.name for frame in dog] == ["00000", "00001", "00002", "00003"]
    assert dog.image(2).shape == (2, 3, 3) and dog.image(2).mean() == pytest.approx(20, abs=2)
    np.testing.assert_array_equal(dog.mask(2), [[1, 0, 0], [0, 0, 1]])


@pytest.mark.parametrize("end", [" \n", "\n", "\r\n", "\t\r\n\r\n"])
def test_list_lines_are_split_on_white_space(davis2016, end):
    write_list_2016(davis2016, "val", [("dog", 4)], end)
    (dog,) = Davis(davis2016).split("val").sequences
    assert len(dog) == 4 and dog.mask_files[3].name == "00003.png"


def test_what_is_missing_is_named_and_the_rest_is_read(davis2016):
    write_list_2016(davis2016, "val", [("dog", 4), ("camel", 3), ("blackswan", 5)])
    (davis2016 / "JPEGImages/480p/dog/00001.jpg").unlink()
    (davis2016 / "Annotations/480p/dog/00002.png").unlink()
    split = Davis(davis2016).split("val")
    dog, camel = split.sequences
    assert {"blackswan", "dog/00001.jpg", "dog/00002.png"} <= set(split.missing)
    assert [dog.frame_name(i) for i in range(len(dog))] == ["00000", "00002", "00003"]
    assert dog.mask_files[1] is None and len(camel) == 3
    with pytest.raises(MissingDataError, match="dog: frame 00002 has no mask"):
        dog.mask(1)


def test_official_sequences_that_a_shortened_list_leaves_out_are_named(davis2016):
    missing = Davis(davis2016).split("val").missing
    assert len(missing) == 18 and "soapbox" in missing and "dog" not in missing


def test_lists_of_other_data_are_not_measured_by_the_official_names(tmp_path):
    write_sequence(tmp_path, "mine", 2)
    write_list_2016(tmp_path, "val", [("mine", 2)])
    assert Davis(tmp_path).split("val").missing == ()


def test_sequences_are_read_from_folders_without_lists_and_without_resolution(tmp_path):
    write_sequence(tmp_path, "b10", 2, resolution=".")
    write_sequence(tmp_path, "b9", 3, resolution=".")
    davis = Davis(tmp_path)
    assert davis.sequence_names() == ["b9", "b10"]
    assert [len(s) for s in davis.split("all").sequences] == [3, 2]


def test_names_that_a_user_types_are_sequences_val_or_all(davis2016):
    davis = Davis(davis2016)
    assert davis.chosen_names("dog, bear") == ["dog", "bear"]
    assert davis.chosen_names("val") == ["dog", "camel"]
    assert davis.chosen_names("all") == ["bear", "camel", "dog"]
    assert davis.chosen_names("train") == ["train"], "train is a sequence of DAVIS"


@pytest.fixture
def davis2017(tmp_path):
    write_sequence(tmp_path, "pair", 2, LABELS)
    (tmp_path / "ImageSets/2017").mkdir(parents=True)
    (tmp_path / "ImageSets/2017/val.txt").write_text("pair\nabsent\n")
    return tmp_path


def test_2017_lists_name_sequences(davis2017):
    split = Davis(davis2017).split("val")
    assert [s.name for s in split.sequences] == ["pair"] and split.missing == ("absent",)


def test_2017_objects_are_merged_or_chosen(davis2017):
    davis = Davis(davis2017, year=2017)
    merged = davis.sequence("pair")
    assert merged.object_numbers() == [1, 2]
    np.testing.assert_array_equal(merged.mask(0), LABELS > 0)
    np.testing.assert_array_equal(merged.labels(0), LABELS)
    np.testing.assert_array_equal(davis.sequence("pair", object_number=2).mask(1), LABELS == 2)
    with pytest.raises(DataError, match="no object 3.*1, 2"):
        davis.sequence("pair", object_number=3)


def test_frames_without_masks_are_still_a_clip(davis2017):
    for file in (davis2017 / "Annotations/480p/pair").iterdir():
        file.unlink()
    pair = Davis(davis2017).sequence("pair")
    assert len(list(pair)) == 2 and pair.object_numbers() == []


def test_wrong_roots_lists_and_names_are_refused_in_words(davis2016, tmp_path_factory):
    davis = Davis(davis2016)
    with pytest.raises(MissingDataError, match="no such folder"):
        Davis(davis2016 / "nowhere")
    with pytest.raises(MissingDataError, match="not a DAVIS folder"):
        Davis(tmp_path_factory.mktemp("empty"))
    with pytest.raises(MissingDataError, match="no list 'test'.*train, val"):
        davis.split("test")
    with pytest.raises(MissingDataError, match="no sequence 'cat'; here are: bear, camel, dog"):
        davis.sequence("cat")
    (davis2016 / "ImageSets/480p/val.txt").write_text("/JPEGImages/a/0.jpg /A/a/0.png 7\n")
    with pytest.raises(DataError, match=r"val\.txt:1: more than an image and a mask"):
        Davis(davis2016).split("val")


def test_shared_davis_is_read_whole(shared):
    davis = Davis(shared("data/davis"))
    train, val = davis.split("train"), davis.split("val")
    assert len(train.sequences) == 30 and sum(map(len, train.sequences)) == 2079
    assert len(val.sequences) == 7 and sum(map(len, val.sequences)) == 454
    assert train.missing == () and len(val.missing) == 13
    for sequence, size in ((train.sequences[0], (240, 427)), (val.sequences[0], (480, 854))):
        assert sequence.image(0).shape == (*size, 3) and sequence.mask(0).shape == size
    assert davis.sequence("surf").mask(54).max() == 0, "the object is out of view"


def test_shared_davis_2017_sequence_is_read(shared):
    schoolgirls = Davis(shared("data/video_masks/DAVIS2017")).sequence("schoolgirls")
    shares = [schoolgirls.mask(i).mean() for i in range(0, 80, 16)]
    assert len(schoolgirls) == 80 and 0.07 < min(shares) and max(shares) < 0.13
