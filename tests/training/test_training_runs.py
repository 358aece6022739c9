"""tools/train_iterative.py as a person runs it, on a tiny network."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from segflow.training.metrics_log import read_metrics

caffe = pytest.importorskip("caffe")

TOOL = Path(__file__).resolve().parents[2] / "tools" / "train_iterative.py"
SHORT = ("--mode", "joint", "--joint-iters", 6, "--eval-every", 0)


def params(path):
    """{layer: [arrays]} of a caffemodel."""
    from caffe.proto import caffe_pb2

    net = caffe_pb2.NetParameter()
    net.ParseFromString(path.read_bytes())
    return {
        layer.name: [np.array(blob.data, np.float32) for blob in layer.blobs]
        for layer in net.layer
        if layer.blobs
    }


def assert_same_weights(one, other):
    one, other = params(one), params(other)
    assert one.keys() == other.keys()
    for name in one:
        for a, b in zip(one[name], other[name], strict=True):
            np.testing.assert_array_equal(a, b, err_msg=name)


def iterations(folder):
    return [
        (r["stage"], r["iteration"], r["loss"], r["lr"])
        for r in read_metrics(folder / "metrics.jsonl")
        if "event" not in r
    ]


def ok(result):
    assert result.returncode == 0, result.stdout + result.stderr
    return result


def test_a_training_writes_weights_metrics_and_pictures(run_tool, tmp_path):
    result = ok(run_tool("out", "--rounds", 1, "--eval-every", 3))
    out = tmp_path / "out"
    assert set(params(out / "tiny.caffemodel")) == {"mask_conv", "flow_conv"}
    assert params(out / "best.caffemodel").keys() == params(out / "tiny.caffemodel").keys()
    assert [(s, i) for s, i, _, _ in iterations(out)] == [
        (s, i) for s in (0, 1) for i in range(1, 7)
    ]
    evaluations = [r for r in read_metrics(out / "metrics.jsonl") if r.get("event")]
    assert [(r["kind"], r["iteration"]) for r in evaluations] == [
        ("segmentation", 3), ("segmentation", 6), ("flow", 3), ("flow", 6),
    ]  # fmt: skip
    assert all(0 <= r["J"] <= 1 and r["EPE"] > 0 for r in evaluations)
    first = next(read_metrics(out / "metrics.jsonl"))
    assert first["kind"] == "segmentation" and first["mask_loss"] > 0
    assert first["flow_loss"] is None and first["losses"]["mask_loss"] == first["mask_loss"]
    assert first["seconds"] > 0 and first["memory_mb"] > 10
    for picture in (out / "curves.png", *(out / "predictions").glob("*.png")):
        assert Image.open(picture).size[0] > 100
    assert len(list((out / "predictions").iterdir())) == 4
    for words in ("no davis", "made scenes", "1 layers learn", "1 are frozen", "J 0.", "EPE ",
                  "ends: its 6 iterations are done", "data "):  # fmt: skip
        assert words in result.stdout, words


def test_both_branches_learn_and_only_theirs(run_tool, tmp_path):
    out = tmp_path / "out"
    ok(run_tool("out", "--rounds", 1, "--seg-iters", 20, "--flow-iters", 20, "--eval-every", 0,
                "--weight-average", 0))  # fmt: skip
    of_seg = params(out / "weights" / "stage00_segmentation.caffemodel")
    of_flow = params(out / "weights" / "stage01_flow.caffemodel")
    np.testing.assert_array_equal(of_seg["mask_conv"][0], of_flow["mask_conv"][0])
    assert not np.array_equal(of_seg["flow_conv"][0], of_flow["flow_conv"][0])
    by_stage = {stage: [r[2] for r in iterations(out) if r[0] == stage] for stage in (0, 1)}
    for losses in by_stage.values():
        assert np.mean(losses[-5:]) < 0.8 * np.mean(losses[:5])
    assert_same_weights(out / "tiny.caffemodel", out / "weights" / "stage01_flow.caffemodel")


def test_rates_follow_the_length_of_the_stage(run_tool, tmp_path):
    ok(run_tool("out", "--mode", "joint", "--joint-iters", 40, "--eval-every", 0, "--lr", 0.1,
                "--warm-up", 3))  # fmt: skip
    rates = [rate for _, _, _, rate in iterations(tmp_path / "out")]
    assert rates[:3] == pytest.approx([0.025, 0.05, 0.075])
    assert rates[3] == pytest.approx(0.1) and rates[-1] < 0.003
    assert rates[3:] == sorted(rates[3:], reverse=True)


def test_a_training_that_was_stopped_and_resumed_equals_one_that_was_not(run_tool, tmp_path):
    arguments = ("--rounds", 2, "--seg-iters", 5, "--flow-iters", 4, "--eval-every", 0)
    ok(run_tool("whole", *arguments))
    result = run_tool("parts", *arguments, environment={"TINY_INTERRUPT_AT": "2"})
    for _ in range(4):
        assert result.returncode == 130 and "--resume goes on" in result.stdout, result.stdout
        if len(iterations(tmp_path / "parts")) >= 3 + 5 + 3:
            break
        result = run_tool("parts", resume=True, environment={"TINY_INTERRUPT_AT": "2"})
    ok(run_tool("parts", resume=True))
    assert iterations(tmp_path / "parts") == iterations(tmp_path / "whole")
    assert_same_weights(tmp_path / "parts/tiny.caffemodel", tmp_path / "whole/tiny.caffemodel")


@pytest.fixture
def start_tool(tiny_arguments):
    """Start the command as a process of its own."""

    def start(out, *arguments, resume=False):
        words = ["--resume", "--eval-scenes", "1"] if resume else tiny_arguments
        command = [sys.executable, TOOL, "--output", out, *words, *arguments]
        return subprocess.Popen(
            [str(word) for word in command], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
        )  # fmt: skip

    return start


def test_kills_at_any_moment_leave_something_to_resume(start_tool, tmp_path):
    """With a snapshot every iteration most of the time goes into writing them."""
    arguments = ("--mode", "joint", "--joint-iters", 120, "--eval-every", 0)
    whole = start_tool(tmp_path / "whole", *arguments)
    assert whole.wait(60) == 0
    out = tmp_path / "killed"
    chance = random.Random(3)
    for _ in range(3):
        resumes = (out / "training.json").exists()
        every = ("--snapshot-every", 1)
        process = start_tool(out, *(() if resumes else arguments), *every, resume=resumes)
        wait_for_iterations(out, 1 + len(iterations(out)) if out.exists() else 1, process)
        time.sleep(chance.uniform(0, 0.15))
        process.kill()
        process.communicate()
    state = json.loads((out / "training.json").read_text())
    assert 0 < state["iteration"] <= 120
    assert start_tool(out, resume=True).wait(60) == 0
    assert iterations(out) == iterations(tmp_path / "whole")
    assert_same_weights(out / "tiny.caffemodel", tmp_path / "whole/tiny.caffemodel")


def wait_for_iterations(out, count, process):
    """Until the metrics hold so many iterations, or the process has ended."""
    while process.poll() is None:
        if (out / "metrics.jsonl").exists() and len(iterations(out)) >= count:
            return
        time.sleep(0.01)


def test_the_time_budget_ends_a_training_with_a_snapshot(run_tool, tmp_path):
    result = ok(run_tool("out", "--mode", "joint", "--joint-iters", 1000000, "--eval-every", 0,
                         "--time-budget", 1.5))  # fmt: skip
    assert "the time budget of 1.5 s is used up" in result.stdout
    state = json.loads((tmp_path / "out/training.json").read_text())
    assert 0 < state["iteration"] < 1000000 and not state["finished"]
    assert (tmp_path / "out" / state["solverstate"]).exists()
    assert (tmp_path / "out/tiny.caffemodel").exists()


def test_a_termination_is_a_clean_end(start_tool, tmp_path):
    out = tmp_path / "out"
    process = start_tool(out, "--mode", "joint", "--joint-iters", 1000000)
    wait_for_iterations(out, 2, process)
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=60)
    assert process.returncode == 130 and "stopped: terminated" in said and not errors
    assert json.loads((out / "training.json").read_text())["iteration"] >= 2


def test_old_snapshots_are_removed(run_tool, tmp_path):
    ok(run_tool("out", "--mode", "joint", "--joint-iters", 30, "--eval-every", 0,
                "--snapshot-every", 4, "--time-budget", 1000))  # fmt: skip
    left = list((tmp_path / "out/snapshots").glob("*.solverstate"))
    assert len(left) <= 2


def test_a_loss_that_is_not_finite_stops_with_iteration_and_blob(run_tool, tmp_path):
    result = run_tool("out", *SHORT, "--snapshot-every", 2, environment={"TINY_NAN_AT": "4"})
    assert result.returncode == 1
    for words in ("Iteration 4", "'data'", "item 4", "joint_iter_4.solverstate"):
        assert words in result.stderr, result.stderr
    assert result.stderr.count("\n") == 1
    ok(run_tool("out", resume=True))
    assert [i for _, i, _, _ in iterations(tmp_path / "out")] == [1, 2, 3, 4, 5, 6]


def test_a_longer_training_can_be_resumed_from_a_finished_one(run_tool, tmp_path):
    ok(run_tool("out", "--mode", "joint", "--joint-iters", 4, "--rounds", 1, "--eval-every", 0))
    result = ok(run_tool("out", "--rounds", 2, resume=True))
    assert "--rounds 2 in place of 1" in result.stdout
    assert [(s, i) for s, i, _, _ in iterations(tmp_path / "out")] == [
        (s, i) for s in (0, 1) for i in (1, 2, 3, 4)
    ]


@pytest.mark.parametrize(
    "arguments, status, words",
    [
        (("--lr", "fast"), 2, "invalid float value"),
        (("--size", "64"), 2, "want HEIGHTxWIDTH"),
        (("--davis", "/nowhere"), 1, "--davis /nowhere: no such folder"),
        (("--weights", "/nowhere.caffemodel"), 1, "/nowhere.caffemodel: no such file"),
        (("--rounds", "-3"), 2, "--rounds -3: want 0 or more"),
        (("--time-budget", "0"), 2, "--time-budget 0: want seconds above 0"),
        (("--net", "segnet"), 1, "bundled are "),
    ],
)
def test_what_cannot_be_trained_is_one_line(run_tool, tmp_path, arguments, status, words):
    result = run_tool("out", *arguments)
    assert (result.returncode, words in result.stderr) == (status, True), result.stderr
    assert "Traceback" not in result.stderr and not (tmp_path / "out/training.json").exists()


def test_a_folder_with_a_training_is_not_overwritten_and_no_other_recipe_is_mixed_in(run_tool):
    ok(run_tool("out", *SHORT))
    again = run_tool("out", *SHORT)
    assert again.returncode == 2 and "--resume goes on with it" in again.stderr
    other = run_tool("out", "--lr", 0.5, resume=True)
    assert other.returncode == 2 and "--lr 0.5: the training to resume has None" in other.stderr
    nothing = run_tool("empty", resume=True)
    assert nothing.returncode == 1 and "no training to resume" in nothing.stderr
