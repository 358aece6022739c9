"""tools/finetune_online.py as a person runs it."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_network
from tiny_sets import disc, object_picture, write_davis

from segflow.readers.image import write_image, write_mask

ROOT = Path(__file__).resolve().parents[1]
SIZE = (60, 104)


def run(*arguments, cwd=None, status=0):
    command = [sys.executable, str(ROOT / "tools/finetune_online.py"), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert result.returncode == status, result.stderr
    return result


@pytest.fixture
def tiny(tmp_path):
    """Arguments that choose a network which takes the object for background."""
    pytest.importorskip("caffe", exc_type=ImportError)
    deploy = tiny_network.write_network(tmp_path / "net")
    weights = tiny_network.write_weights(deploy, -0.02)
    return ("--net", deploy, "--weights", weights, "--height", 48)


def test_the_weights_that_it_writes_segment_the_video(tiny, tmp_path):
    from segflow import VideoSegmenter

    davis = write_davis(tmp_path / "davis")
    result = run(
        "--davis", davis, "--sequence", "alpha", *tiny, "--online-iters", 40,
        "--output", tmp_path / "alpha.caffemodel",
    )  # fmt: skip
    assert "40 iterations" in result.stdout and result.stderr == ""
    mask = disc(*SIZE, (50, 30), 16)
    image = object_picture(77, mask)
    for weights, good in ((tiny[3], False), (tmp_path / "alpha.caffemodel", True)):
        seen = VideoSegmenter(tiny[1], weights, "fast").pair(image, image).mask
        j = np.logical_and(seen, mask).sum() / np.logical_or(seen, mask).sum()
        assert (j > 0.8) == good, (weights, j)


def test_failures_are_one_line_on_stderr(tiny, tmp_path):
    clip = tmp_path / "clip"
    clip.mkdir()
    mask = disc(*SIZE, (30, 30), 16)
    write_image(clip / "0.png", object_picture(0, mask))
    write_mask(tmp_path / "mask.png", mask)
    write_mask(tmp_path / "small.png", np.ones((20, 30)))
    davis = write_davis(tmp_path / "davis")
    output = ("--output", "w.caffemodel")
    cases = [
        ((*tiny, *output), 2, ["--mask"]),
        ((clip, *tiny, *output), 2, ["--mask"]),
        ((clip, *tiny, "--mask", "mask.png"), 2, ["--output"]),
        ((clip, *tiny, "--mask", "small.png", *output), 1, ["small.png", "30x20", "104x60"]),
        ((clip, *tiny, "--mask", "mask.png", "--output", "clip"), 2, ["clip", "a folder"]),
        ((clip, *tiny, "--mask", "mask.png", "--output", "no/w"), 1, ["no/w"]),
        (("--davis", davis, "--sequence", "all", *tiny, *output), 2, ["one sequence"]),
    ]
    for arguments, status, words in cases:
        result = run(*arguments, cwd=tmp_path, status=status)
        last = result.stderr.splitlines()[-1]
        assert last.startswith("finetune_online.py") and "Traceback" not in result.stderr
        for word in words:
            assert word in last, (arguments, result.stderr)
