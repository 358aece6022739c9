"""What a training writes down: its state, metrics, curves."""

import json
import os
import signal

import numpy as np
import pytest
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.training.metrics_log import MetricsLog, read_metrics
from segflow.training.pictures import draw_curves
from segflow.training.recipe import Recipe
from segflow.training.state import STATE_FILE, TrainingState, prune_snapshots, snapshots
from segflow.training.stopping import StopRequests


def record(stage, iteration, **more):
    return {"stage": stage, "kind": "joint", "iteration": iteration, **more}


def test_metrics_are_one_json_object_a_line(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path) as log:
        log.write(record(0, 1, loss=0.5))
        log.write(record(0, 2, loss=float("nan"), of={"x": float("inf")}))
        lines = path.read_text().splitlines()  # complete while the log is still open
    assert [json.loads(line)["iteration"] for line in lines] == [1, 2]
    assert json.loads(lines[1])["loss"] is None and json.loads(lines[1])["of"] == {"x": None}


def test_a_line_that_a_kill_cut_short_is_left_out(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text(json.dumps(record(0, 1)) + "\n" + '{"stage": 0, "iter')
    assert [r["iteration"] for r in read_metrics(path)] == [1]
    with MetricsLog(path, 0, 1) as log:
        log.write(record(0, 2))
    assert [r["iteration"] for r in read_metrics(path)] == [1, 2]


def test_a_resumed_log_drops_what_is_done_again(tmp_path):
    path = tmp_path / "metrics.jsonl"
    with MetricsLog(path) as log:
        for stage, iteration in ((0, 1), (0, 2), (1, 1), (1, 2), (1, 3)):
            log.write(record(stage, iteration))
    MetricsLog(path, 1, 2).close()
    assert [(r["stage"], r["iteration"]) for r in read_metrics(path)] == [
        (0, 1),
        (0, 2),
        (1, 1),
        (1, 2),
    ]


def test_curves_are_drawn_from_the_metrics(tmp_path):
    with MetricsLog(tmp_path / "metrics.jsonl") as log:
        for stage, kind in enumerate(("flow", "joint")):
            for i in range(1, 6):
                log.write({**record(stage, i), "kind": kind, "mask_loss": 1 / i if stage else None,
                           "flow_loss": 2 / i, "lr": 0.1})  # fmt: skip
            log.write({**record(stage, 5), "event": "evaluation", "J": 0.5, "EPE": 3.0,
                       "EPE_zero": 5.0})  # fmt: skip
    draw_curves(tmp_path / "metrics.jsonl", tmp_path / "curves.png")
    colours = np.unique(
        np.asarray(Image.open(tmp_path / "curves.png").convert("RGB")).reshape(-1, 3), axis=0
    )
    assert len(colours) > 50
    assert [p.name for p in tmp_path.glob(".*")] == []


def test_a_state_comes_back_as_it_was(tmp_path):
    (tmp_path / "w.caffemodel").touch()
    state = TrainingState(Recipe("net", size=(8, 9)), 2, 30, None, {"flow": "w.caffemodel"})
    state.write(tmp_path)
    assert TrainingState.read(tmp_path) == state


def test_an_interrupted_write_leaves_the_old_state(tmp_path, monkeypatch):
    TrainingState(Recipe("net"), iteration=1).write(tmp_path)
    monkeypatch.setattr(os, "fsync", lambda fd: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(OSError, match="No space"):
        TrainingState(Recipe("net"), iteration=2).write(tmp_path)
    assert TrainingState.read(tmp_path).iteration == 1
    assert [p.name for p in tmp_path.iterdir()] == [STATE_FILE]


def test_states_that_cannot_be_resumed_are_told(tmp_path):
    with pytest.raises(MissingDataError, match="no training to resume"):
        TrainingState.read(tmp_path)
    (tmp_path / STATE_FILE).write_text("{}")
    with pytest.raises(DataError, match="not the state of a training"):
        TrainingState.read(tmp_path)
    TrainingState(Recipe("net"), solverstate="s.solverstate").write(tmp_path)
    with pytest.raises(MissingDataError, match=r"s\.solverstate.*names it"):
        TrainingState.read(tmp_path)


def test_old_snapshots_go_and_the_last_two_stay(tmp_path):
    for iteration in (5, 10, 100, 20):
        for ending in (".caffemodel", ".solverstate", ".solverstate.side"):
            (tmp_path / f"run_iter_{iteration}{ending}").touch()
    (tmp_path / "other_iter_5.solverstate").touch()
    prune_snapshots(tmp_path / "run", 2)
    assert [i for i, _ in snapshots(tmp_path / "run")] == [20, 100]
    assert len(list(tmp_path.iterdir())) == 7


@pytest.fixture
def usual_interrupt():
    """SIGINT as Python sets it: a job in the background of a shell finds it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_is_a_request_and_a_second_one_ends_at_once(usual_interrupt):
    with StopRequests() as stop:
        os.kill(os.getpid(), signal.SIGINT)
        assert stop.asked() and stop.reason == "interrupted"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_termination_stops_and_hang_up_asks_for_a_snapshot():
    with StopRequests() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.asked()
        assert stop.take_snapshot_request() and not stop.take_snapshot_request()
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.reason == "terminated"


def test_the_budget_counts_what_comes_next():
    stop = StopRequests(1000.0)
    stop.check_budget(10.0)
    assert not stop.asked()
    stop.check_budget(1001.0)
    assert "budget of 1000 s" in stop.reason
