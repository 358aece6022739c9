"""Solvers of two processes train as one would at twice the batch."""

import json
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).resolve().parent
TRAIN = HERE / "train_numbers.py"


def weights(folder: Path) -> dict[str, np.ndarray]:
    return dict(np.load(folder / "weights.npz"))


def losses(folder: Path) -> list[float]:
    return json.loads((folder / "losses.json").read_text())


def assert_same(one: Path, other: Path, **tolerance: float) -> None:
    a, b = weights(one), weights(other)
    assert a.keys() == b.keys()
    for name in a:
        np.testing.assert_allclose(a[name], b[name], err_msg=name, **tolerance)
    np.testing.assert_allclose(losses(one), losses(other), **tolerance)


@pytest.mark.parametrize("mode", ["cpu", "gpu"])
def test_two_processes_equal_one_at_twice_the_batch(run, tmp_path, mode):
    """With shared and frozen parameters, iter_size, clipping, decay. (gpu: the simulated one.)"""
    words = ["--gpu"] if mode == "gpu" else []
    device = {"CAFFE_DEVICE": "simulated"} if mode == "gpu" else {}
    run(2, TRAIN, tmp_path / "two", 3, 5, *words, **device)
    run(1, TRAIN, tmp_path / "one", 6, 5, *words, **device)
    assert_same(tmp_path / "two", tmp_path / "one", rtol=2e-5, atol=2e-6)
    run(1, TRAIN, tmp_path / "half", 3, 5, *words, **device)
    half, one = (weights(tmp_path / name)["last0"] for name in ("half", "one"))
    assert np.abs(half - one).max() > 1e-3, "the batch matters"


def test_a_resumed_training_is_bit_equal_on_every_rank(run, tmp_path):
    """Dropout draws other numbers in each process: its random state must come back too."""
    run(2, TRAIN, tmp_path / "whole", 2, 6, "--dropout")
    snapshots = sorted(path.name for path in (tmp_path / "whole").glob("run_iter_3*"))
    assert snapshots == [
        f"run_iter_3.{e}" for e in ("caffemodel", "solverstate", "solverstate.side")
    ]
    state = tmp_path / "whole/run_iter_3.solverstate"
    run(2, TRAIN, tmp_path / "resumed", 2, 6, "--dropout", "--restore", state)
    np.testing.assert_allclose(losses(tmp_path / "resumed"), losses(tmp_path / "whole")[3:], 1e-6)
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "resumed")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_a_rank_that_fails_ends_the_job_and_the_last_snapshot_resumes(run, tmp_path):
    result = run(2, TRAIN, tmp_path / "out", 2, 6, "--fail", 4, status=None)
    assert result.returncode != 0
    assert "process 1 of 2: ValueError: the disk is full of numbers" in result.stderr
    assert not (tmp_path / "out/weights.npz").exists()
    state = tmp_path / "out/run_iter_3.solverstate"
    run(2, TRAIN, tmp_path / "out", 2, 6, "--restore", state)
    run(2, TRAIN, tmp_path / "whole", 2, 6)
    a, b = weights(tmp_path / "whole"), weights(tmp_path / "out")
    for name in a:
        np.testing.assert_array_equal(a[name], b[name], err_msg=name)


def test_a_state_of_another_number_of_processes_is_refused(run, tmp_path):
    run(2, TRAIN, tmp_path / "out", 2, 3)
    state = tmp_path / "out/run_iter_3.solverstate"
    result = run(1, TRAIN, tmp_path / "one", 2, 4, "--restore", state, status=1)
    assert "in as many processes" in result.stderr
