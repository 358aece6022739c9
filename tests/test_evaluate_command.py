"""tools/evaluate.py as a person runs it."""

import csv
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from segflow.flow_io import write_flo
from segflow.readers.image import write_image, write_mask

TOOL = Path(__file__).resolve().parents[1] / "tools" / "evaluate.py"
SCORES = ["J_mean", "J_recall", "J_decay", "F_mean", "F_recall", "F_decay"]


def run(*arguments, cwd=None):
    command = [sys.executable, str(TOOL), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd)


def square(left):
    mask = np.zeros((40, 60), np.uint8)
    mask[10:30, left : left + 20] = 1
    return mask


@pytest.fixture
def davis(tmp_path):
    """Two sequences of six frames with a square that moves by 2 px a frame."""
    root = tmp_path / "a davis folder"
    lines = []
    for name in ("one", "two"):
        frames, masks = root / "JPEGImages/480p" / name, root / "Annotations/480p" / name
        frames.mkdir(parents=True)
        masks.mkdir(parents=True)
        for i in range(6):
            write_image(frames / f"{i:05d}.jpg", np.zeros((40, 60, 3), np.uint8))
            write_mask(masks / f"{i:05d}.png", square(10 + 2 * i))
            lines.append(
                f"/JPEGImages/480p/{name}/{i:05d}.jpg /Annotations/480p/{name}/{i:05d}.png"
            )
    (root / "ImageSets/480p").mkdir(parents=True)
    (root / "ImageSets/480p/val.txt").write_text(" \n".join(lines) + " \n")
    return root


def write_results(folder, name, shift=0, frames=range(6)):
    (folder / name).mkdir(parents=True)
    for i in frames:
        write_mask(folder / name / f"{i:05d}.png", square(10 + 2 * i + shift))


def test_segmentation_writes_table_json_and_csv(davis, tmp_path):
    write_results(tmp_path / "masks", "one")
    write_results(tmp_path / "masks", "two", shift=10)
    result = run(
        "segmentation", "--davis", davis, "--results", tmp_path / "masks",
        "--json", "scores.json", "--csv", "scores.csv", cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0 and result.stderr == ""
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert list(scores) == ["sequences", "overall"] and list(scores["sequences"]) == ["one", "two"]
    assert list(scores["sequences"]["one"]) == list(scores["overall"]) == SCORES
    assert scores["sequences"]["one"]["J_mean"] == scores["sequences"]["one"]["F_mean"] == 1
    assert scores["sequences"]["two"]["J_mean"] == pytest.approx(1 / 3)
    assert scores["overall"]["J_mean"] == pytest.approx(2 / 3)
    assert scores["overall"]["J_recall"] == 0.5
    with (tmp_path / "scores.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["sequence"] for row in rows] == ["one", "two", "overall"]
    assert list(rows[0]) == ["sequence", *SCORES] and float(rows[1]["J_mean"]) == 0.333333
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["sequence", *SCORES]
    assert lines[2].split()[:2] == ["two", "0.3333"] and lines[3].split()[0] == "overall"


def test_missing_sequences_and_frames_are_named_and_do_not_stop(davis, tmp_path):
    write_results(tmp_path / "masks", "two", frames=[0, 1, 2, 4, 5])
    result = run(
        "segmentation", "--davis", davis, "--results", tmp_path / "masks", "--json", "s.json",
        cwd=tmp_path,
    )  # fmt: skip
    assert result.returncode == 0
    assert "masks: one" in result.stderr and "two: no mask of 00003" in result.stderr
    scores = json.loads((tmp_path / "s.json").read_text())
    assert scores["sequences"]["two"]["J_mean"] == 0.75, "a missing mask is an empty one"
    assert scores["overall"] == scores["sequences"]["two"]


def test_masks_of_the_first_and_last_frame_are_not_needed(davis, tmp_path):
    write_results(tmp_path / "masks", "one", frames=range(1, 5))
    arguments = ("--davis", davis, "--results", tmp_path / "masks", "--sequences", "one")
    result = run("segmentation", *arguments)
    assert (result.returncode, result.stderr) == (0, "")


def test_annotations_alone_are_enough_and_a_missing_one_is_named(davis, tmp_path):
    for file in davis.glob("JPEGImages/480p/*/*.jpg"):
        file.unlink()
    (davis / "Annotations/480p/two/00002.png").unlink()
    write_results(tmp_path / "masks", "two")
    arguments = ("--davis", davis, "--results", tmp_path / "masks", "--sequences", "two")
    result = run("segmentation", *arguments)
    assert result.returncode == 0 and "two: no annotation of 00002" in result.stderr
    assert "1.0000" in result.stdout


@pytest.fixture
def flows(tmp_path):
    """Two true flows in both layouts; predictions are off by (3, 4) and by 1 px."""
    truth = np.random.default_rng(0).normal(0, 5, (6, 8, 2)).astype(np.float32)
    (tmp_path / "truth/set/a").mkdir(parents=True)
    write_flo(tmp_path / "truth/set/a/flow.flo", truth)
    write_flo(tmp_path / "truth/set/b_flow.flo", truth)
    (tmp_path / "pred/set/b").mkdir(parents=True)
    write_flo(tmp_path / "pred/a.flo", truth + np.float32([3, 4]))
    write_flo(tmp_path / "pred/set/b/flow.flo", truth + np.float32([0, 1]))
    return tmp_path


def test_flow_scores_both_layouts(flows):
    result = run("flow", "--pred", "pred", "--truth", "truth", "--json", "s.json", cwd=flows)
    assert (result.returncode, result.stderr) == (0, "")
    scores = json.loads((flows / "s.json").read_text())
    assert list(scores) == ["pairs", "overall"] and list(scores["pairs"]) == ["set/a", "set/b"]
    assert scores["pairs"]["set/a"] == {"EPE": pytest.approx(5, abs=1e-5), "Fl": 100}
    assert scores["overall"] == {"EPE": pytest.approx(3, abs=1e-5), "Fl": 50}
    assert result.stdout.splitlines()[-1].split() == ["overall", "3.000", "50.00"]


def test_flow_without_a_prediction_is_named_and_does_not_stop(flows):
    (flows / "pred/a.flo").unlink()
    result = run("flow", "--pred", "pred", "--truth", "truth", cwd=flows)
    assert result.returncode == 0 and "no prediction in pred: set/a" in result.stderr


def test_failures_are_one_line_on_stderr(davis, flows):
    write_results(flows / "out/masks", "one")
    write_results(flows / "small", "one")
    write_mask(flows / "small/one/00002.png", np.ones((20, 30)))
    write_results(flows / "broken", "one")
    (flows / "broken/one/00003.png").write_text("no image")
    (flows / "short").mkdir()
    (flows / "short/a.flo").write_bytes((flows / "pred/a.flo").read_bytes()[:50])
    (flows / "other").mkdir()
    write_flo(flows / "other/a.flo", np.zeros((6, 9, 2)))
    masks, flow = ("segmentation", "--davis", davis, "--results"), ("flow", "--truth", "truth")
    cases = [
        ((), 2, ["arguments are required"]),
        (("flow", "--pred", "x"), 2, ["--truth"]),
        (("motion",), 2, ["invalid choice"]),
        ((*masks, "nowhere"), 1, ["nowhere", "no such folder"]),
        ((*masks, "out"), 1, ["did you mean out/masks?"]),
        ((*masks, "out/masks", "--sequences", "two"), 1, ["no masks of two"]),
        (("segmentation", "--davis", "out", "--results", "out"), 1, ["not a DAVIS folder"]),
        ((*masks, "small"), 1, ["one/00002.png", "30x20", "60x40"]),
        ((*masks, "broken"), 1, ["one/00003.png", "not a readable image"]),
        ((*masks, "out/masks", "--json", "no/s.json"), 1, ["no/s.json"]),
        ((*flow, "--pred", "nowhere"), 1, ["nowhere", "no such folder"]),
        ((*flow, "--pred", "out"), 1, ["no prediction for any pair"]),
        ((*flow, "--pred", "short"), 1, ["a.flo", "truncated"]),
        ((*flow, "--pred", "other"), 1, ["a.flo", "9x6", "8x6"]),
        (("flow", "--pred", "pred", "--truth", "out"), 1, ["out", "no flow files"]),
    ]
    for arguments, status, words in cases:
        result = run(*arguments, cwd=flows)
        assert result.returncode == status, (arguments, result.stderr)
        last = result.stderr.splitlines()[-1]
        assert last.startswith("evaluate.py"), result.stderr
        assert "Traceback" not in result.stderr
        for word in words:
            assert word in last, (arguments, result.stderr)


def test_debug_shows_the_traceback(tmp_path):
    result = run("flow", "--pred", tmp_path / "no", "--truth", tmp_path / "no", "--debug")
    assert result.returncode == 1
    assert "Traceback" in result.stderr and "MissingDataError" in result.stderr


def test_every_command_explains_itself():
    for arguments in (("--help",), ("segmentation", "--help"), ("flow", "--help")):
        result = run(*arguments)
        assert result.returncode == 0 and "usage:" in result.stdout


def test_shared_masks_score_as_published(shared, tmp_path):
    result = run(
        "segmentation", "--davis", shared("data/davis"),
        "--results", shared("data/benchmarks/segflow_masks/semisupervised"),
        "--sequences", "dog,car-shadow", "--json", tmp_path / "s.json",
    )  # fmt: skip
    assert (result.returncode, result.stderr) == (0, "")
    scores = json.loads((tmp_path / "s.json").read_text())
    for name, j, f in (("dog", 0.9303, 0.9589), ("car-shadow", 0.9453, 0.9890)):
        assert scores["sequences"][name]["J_mean"] == pytest.approx(j, abs=5e-5)
        assert scores["sequences"][name]["F_mean"] == pytest.approx(f, abs=5e-5)
