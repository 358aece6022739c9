"""Shares of a job, without starting processes: samples, and a folder's videos."""

from pathlib import Path

import numpy as np
import pytest

from segflow.errors import DataError
from segflow.readers import open_clips
from segflow.readers.image import write_image
from segflow.readers.video import VideoWriter
from segflow.samples.feed import SampleFeed


class Top:
    """A blob of one number."""

    def __init__(self):
        self.data = np.zeros(1)


def feed(rank: int, processes: int, start: int = 0) -> SampleFeed:
    made = SampleFeed(
        "numbers", {"x": (1,)}, lambda i: [np.array([i])], identity={"seed": 3}, start=start
    )
    made.share(rank, processes)
    return made


def taken(one: SampleFeed, count: int) -> list[float]:
    top = Top()
    items = []
    for _ in range(count):
        one.fill([top])
        items.append(float(top.data[0]))
    return items


@pytest.mark.parametrize("start", [0, 1])
def test_processes_deal_the_items_of_one_sequence(start):
    shares = [taken(feed(rank, 3, start), 4) for rank in range(3)]
    assert np.array(shares).T.ravel().tolist() == [start + i for i in range(12)]


def test_the_state_of_a_share_goes_on_and_is_the_same_on_all_ranks():
    first, second = feed(0, 2), feed(1, 2)
    taken(first, 3)
    taken(second, 3)
    assert first.get_state() == second.get_state()
    resumed = feed(1, 2)
    resumed.set_state(first.get_state())
    assert taken(resumed, 2) == [7, 9]
    with pytest.raises(DataError, match="in as many processes"):
        feed(0, 1).set_state(first.get_state())


def picture(folder: Path, name: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    write_image(folder / name, np.zeros((8, 8, 3), np.uint8))


def test_a_folder_of_videos_and_folders_opens_in_natural_order(tmp_path):
    for name in ("10", "9", "nested/deep"):
        picture(tmp_path / name, "0.png")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / "notes.txt").write_text("no clip")
    for name in ("b.MP4", "9.mp4"):
        with VideoWriter(tmp_path / "made.mp4", 10) as writer:
            writer.write(np.zeros((16, 16, 3), np.uint8))
        (tmp_path / "made.mp4").rename(tmp_path / name)
    assert [clip.name for clip in open_clips(tmp_path)] == ["9", "9.mp4", "10", "b"]


def test_a_folder_of_frames_stays_one_clip(tmp_path):
    picture(tmp_path / "clip", "0.png")
    picture(tmp_path / "clip/more", "0.png")
    assert [clip.name for clip in open_clips(tmp_path / "clip")] == ["clip"]


def test_a_folder_without_clips_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no images in this folder, no videos"):
        open_clips(tmp_path)
