"""Clips: folders of frames, single images, videos, and the video writer."""

import itertools

import av
import numpy as np
import pytest
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.readers import open_clip
from segflow.readers.frames import natural_key
from segflow.readers.video import VideoWriter


def plain(value, size=(16, 24)):
    return np.full((*size, 3), value, np.uint8)


def write_frames(folder, names, size=(16, 24)):
    folder.mkdir(exist_ok=True)
    for value, name in enumerate(names):
        Image.fromarray(plain(10 * value, size)).save(folder / name)


def write_video(path, values, size=(32, 48)):
    with VideoWriter(path, frame_rate=25) as writer:
        for value in values:
            writer.write(plain(value, size))


def test_natural_order_counts_numbers_inside_names():
    names = ["a10", "a9", "a09", "b1", "A2", "10", "9"]
    assert sorted(names, key=natural_key) == ["9", "10", "A2", "a09", "a9", "a10", "b1"]


def test_folder_gives_frames_in_natural_order(tmp_path):
    write_frames(tmp_path / "clip", ["f10.png", "f2.png", "f1.png"])
    (tmp_path / "clip" / "notes.txt").write_text("not a frame")
    (tmp_path / "clip" / "._f1.png").write_text("not a frame either")
    clip = open_clip(tmp_path / "clip")
    assert (clip.name, clip.frame_count) == ("clip", 3)
    assert [(name, image[0, 0, 0]) for name, image in clip] == [("f1", 20), ("f2", 10), ("f10", 0)]
    assert [frame.name for frame in clip] == ["f1", "f2", "f10"], "a clip can be read twice"


def test_one_image_is_a_clip_of_one_frame(tmp_path):
    write_frames(tmp_path, ["photo.png"])
    (frame,) = open_clip(tmp_path / "photo.png")
    assert frame.name == "photo" and frame.image.shape == (16, 24, 3)


def test_folder_without_images_names_its_folders(tmp_path):
    (tmp_path / "dog").mkdir()
    with pytest.raises(DataError, match="no images in this folder; give one of its folders: dog"):
        open_clip(tmp_path)


def test_missing_source_is_named(tmp_path):
    with pytest.raises(MissingDataError, match="nowhere"):
        open_clip(tmp_path / "nowhere")


def test_frame_of_another_size_is_refused_by_name(tmp_path):
    write_frames(tmp_path, ["0.png", "1.png"])
    write_frames(tmp_path, ["2.png"], size=(16, 20))
    with pytest.raises(DataError, match=r"2\.png: frame of 20x16, but 0\.png has 24x16"):
        list(open_clip(tmp_path))


def test_video_comes_back_frame_by_frame(tmp_path):
    values = [20, 90, 160, 230]
    write_video(tmp_path / "v.mp4", values)
    clip = open_clip(tmp_path / "v.mp4")
    assert (clip.name, clip.frame_count, clip.frame_rate) == ("v", 4, 25.0)
    frames = list(clip)
    assert [frame.name for frame in frames] == ["00000", "00001", "00002", "00003"]
    for frame, value in zip(frames, values, strict=True):
        assert frame.image.shape == (32, 48, 3) and frame.image.dtype == np.uint8
        assert abs(frame.image.astype(int) - value).max() <= 4
    assert len(list(clip)) == 4, "a clip can be read twice"


def test_video_keeps_red_red(tmp_path):
    red = plain(0, (32, 32))
    red[:, :, 0] = 255
    with VideoWriter(tmp_path / "v.mp4") as writer:
        writer.write(red)
    (frame,) = open_clip(tmp_path / "v.mp4")
    mean = frame.image.mean(axis=(0, 1))
    assert mean[0] > 240 and mean[1] < 15 and mean[2] < 15


def test_video_can_be_left_after_some_frames(tmp_path):
    write_video(tmp_path / "v.mp4", range(30))
    assert len(list(itertools.islice(open_clip(tmp_path / "v.mp4"), 3))) == 3


def test_odd_frame_size_is_filled_up_to_even(tmp_path):
    write_video(tmp_path / "v.mp4", [50], size=(33, 47))
    (frame,) = open_clip(tmp_path / "v.mp4")
    assert frame.image.shape == (34, 48, 3)
    assert abs(frame.image.astype(int) - 50).max() <= 4


def test_writer_leaves_nothing_after_an_exception(tmp_path):
    with pytest.raises(KeyError), VideoWriter(tmp_path / "v.mp4") as writer:
        for value in range(120):  # more than the encoder holds back
            writer.write(plain(2 * value))
        assert [path.suffix for path in tmp_path.iterdir()] == [".part"]
        raise KeyError
    assert list(tmp_path.iterdir()) == []


def test_writer_refuses_a_frame_of_another_size(tmp_path):
    with pytest.raises(DataError, match="v.mp4"), VideoWriter(tmp_path / "v.mp4") as writer:
        writer.write(plain(0))
        writer.write(plain(0, (8, 8)))
    assert list(tmp_path.iterdir()) == []


def write_sound(path):
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=8000, layout="mono")
        samples = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), "fltp", "mono")
        samples.sample_rate = 8000
        container.mux(stream.encode(samples))
        container.mux(stream.encode(None))


def test_files_that_are_no_videos_are_refused_by_name(tmp_path):
    write_video(tmp_path / "whole.mp4", range(10))
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "cut.mp4").write_bytes((tmp_path / "whole.mp4").read_bytes()[:200])
    write_sound(tmp_path / "sound.mp4")
    for name, words in {
        "text.mp4": "not a readable video",
        "empty.mp4": "not a readable video",
        "cut.mp4": "not a readable video",
        "sound.mp4": "no video stream",
    }.items():
        with pytest.raises(DataError, match=f"{name}: {words}"):
            list(open_clip(tmp_path / name))
    assert len(list(open_clip(tmp_path / "whole.mp4"))) == 10


def test_video_whose_packets_are_damaged_is_refused_by_name(tmp_path):
    rng = np.random.default_rng(0)
    with VideoWriter(tmp_path / "v.mp4") as writer:
        for _ in range(8):
            writer.write(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    content = bytearray((tmp_path / "v.mp4").read_bytes())
    start = content.index(b"mdat") + 4
    content[start : start + 20000] = bytes(20000)
    (tmp_path / "damaged.mp4").write_bytes(content)
    with pytest.raises(DataError, match="damaged.mp4"):
        list(open_clip(tmp_path / "damaged.mp4"))


def test_video_of_a_phone_held_upright_is_turned(tmp_path):
    picture = plain(20, (32, 48))
    picture[:16] = 220  # bright above
    with VideoWriter(tmp_path / "v.mp4") as writer:
        writer.write(picture)
    content = bytearray((tmp_path / "v.mp4").read_bytes())
    # The track header's matrix, 16.16 fixed point: (x, y) -> (32 - y, x), a clockwise quarter turn.
    matrix = content.index(b"tkhd") + 4 + 40
    turn = np.array([0, 1, 0, -1, 0, 0, 32, 0, 2**14]) * 2**16
    content[matrix : matrix + 36] = turn.astype(">i4").tobytes()
    (tmp_path / "turned.mp4").write_bytes(content)
    (frame,) = open_clip(tmp_path / "turned.mp4")
    assert frame.image.shape == (48, 32, 3)
    assert frame.image[:, :14].max() < 60 < 180 < frame.image[:, 18:].min(), "bright at the right"
