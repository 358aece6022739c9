"""The `caffe` program as a person runs it: train, test, time, flags, signals, failures."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

import caffe

ROOT = Path(__file__).resolve().parents[1]
PROGRAM = ROOT / "caffe" / "build" / "tools" / "caffe"

pytestmark = pytest.mark.skipif(not PROGRAM.exists(), reason="caffe/build/tools/caffe is not built")

NET = """
name: "tiny"
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 8 dim: 3 } shape { dim: 8 dim: 2 }
  data_filler { type: "gaussian" std: 1 } data_filler { type: "constant" value: 0.5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
layer { name: "echo" type: "Power" bottom: "x" top: "echo" include { stage: "deep" min_level: 2 } }
"""
SOLVER = """
net: "net.prototxt" base_lr: 0.05 lr_policy: "step" gamma: 0.5 stepsize: 4 momentum: 0.9
max_iter: 8 display: 2 snapshot: 4 snapshot_prefix: "run" random_seed: 3
test_iter: 2 test_interval: 4 solver_mode: CPU
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "net.prototxt").write_text(NET)
    (tmp_path / "solver.prototxt").write_text(SOLVER)
    return tmp_path


def write_solver(folder: Path, old: str, new: str) -> None:
    text = (folder / "solver.prototxt").read_text()
    assert old in text
    (folder / "solver.prototxt").write_text(text.replace(old, new))


def environment() -> dict[str, str]:
    return {**os.environ, "OMP_NUM_THREADS": "1"}


def run(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        env=environment(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def texts(log: str) -> list[str]:
    """The lines of a log without their header."""
    return [line.split("] ", 1)[1] for line in log.splitlines() if "] " in line]


def weights(path: Path) -> list[np.ndarray]:
    message = caffe.proto.caffe_pb2.NetParameter()
    message.ParseFromString(path.read_bytes())
    return [caffe.io.blobproto_to_array(blob) for layer in message.layer for blob in layer.blobs]


# --- usage


def test_no_command_shows_the_usage_and_succeeds(folder: Path) -> None:
    for arguments in ([], ["train", "test"], ["--help"]):
        done = run(folder, *arguments)
        assert done.returncode == 0
        for word in ("train", "test", "time", "device_query", "-solver", "-iterations"):
            assert word in done.stderr + done.stdout


def test_version_is_printed(folder: Path) -> None:
    done = run(folder, "-version")
    assert done.returncode == 0
    assert "1.0.0" in done.stdout


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["fly"], ["fly", "train", "test", "time", "device_query"]),
        (["train", "-sovler=x"], ["sovler"]),
        (["train"], ["-solver"]),
        (["train", "-solver"], ["-solver", "argument"]),
        (["train", "-solver=absent.prototxt"], ["absent.prototxt"]),
        (["train", "-solver=solver.prototxt", "-weights=absent.caffemodel"], ["absent.caffemodel"]),
        (
            ["train", "-solver=solver.prototxt", "-snapshot=a", "-weights=b"],
            ["snapshot", "weights"],
        ),
        (["train", "-solver=solver.prototxt", "-sigint_effect=dance"], ["dance", "sigint_effect"]),
        (["test"], ["-model"]),
        (["test", "-model=net.prototxt"], ["-weights"]),
        (["time"], ["-model"]),
        (["time", "-model=net.prototxt", "-phase=BOTH"], ["BOTH"]),
        (["time", "-model=net.prototxt", "-iterations=0"], ["iterations"]),
        (["time", "-model=net.prototxt", "-iterations=many"], ["many"]),
    ],
)
def test_a_mistake_is_one_message_and_status_1(
    folder: Path, arguments: Sequence[str], words: Sequence[str]
) -> None:
    done = run(folder, *arguments)
    assert done.returncode == 1
    assert "caffe: " in done.stderr
    for word in words:
        assert word in done.stderr
    assert "terminate" not in done.stderr


def test_a_typing_mistake_in_a_net_names_its_place(folder: Path) -> None:
    (folder / "net.prototxt").write_text(NET.replace("num_output", "num_outptu"))
    done = run(folder, "train", "-solver=solver.prototxt")
    assert done.returncode == 1
    assert re.search(r"net\.prototxt:7:\d+:.*num_outptu.*num_output", done.stderr)


# --- train


def test_train_logs_what_scripts_read_and_writes_its_snapshots(folder: Path) -> None:
    done = run(folder, "train", "--solver", "solver.prototxt")
    assert done.returncode == 0
    assert done.stdout == ""
    header = re.compile(r"^[IWE]\d{4} \d\d:\d\d:\d\d\.\d{6} +\d+ \S+:\d+\] ")
    lines = texts(done.stderr)
    started = [line for line in done.stderr.splitlines() if "] Solving tiny" in line]
    assert len(started) == 1
    assert header.match(started[0])
    assert [line for line in lines if ", lr = " in line] == [
        "Iteration 0, lr = 0.05",
        "Iteration 2, lr = 0.05",
        "Iteration 4, lr = 0.025",
        "Iteration 6, lr = 0.025",
    ]
    losses = [line for line in lines if ", loss = " in line and "Train net" not in line]
    shown = re.compile(r"^Iteration \d+ \(\S+ iter/s, \S+s/2 iters\), loss = \S+$")
    assert len(losses) == 5
    assert all(shown.match(line) for line in losses[:4])
    assert re.match(r"^Iteration 8, loss = \S+$", losses[4])
    assert [line for line in lines if "Testing net" in line] == [
        f"Iteration {n}, Testing net (#0)" for n in (0, 4, 8)
    ]
    assert sum(line.startswith("    Test net output #0: loss = ") for line in lines) == 3
    assert sum(line.startswith("    Train net output #0: loss = ") for line in lines) == 4
    assert lines[-1] == "Optimization Done."
    assert {path.name for path in folder.iterdir() if path.name.startswith("run")} == {
        f"run_iter_{n}{ending}"
        for n in (4, 8)
        for ending in (".caffemodel", ".solverstate", ".solverstate.side")
    }


def test_a_resumed_training_equals_an_uninterrupted_one(folder: Path) -> None:
    assert run(folder, "train", "-solver=solver.prototxt").returncode == 0
    whole = weights(folder / "run_iter_8.caffemodel")
    (folder / "run_iter_8.caffemodel").unlink()
    done = run(folder, "train", "-solver=solver.prototxt", "-snapshot=run_iter_4.solverstate")
    assert done.returncode == 0
    assert "Resuming from run_iter_4.solverstate" in done.stderr
    resumed = weights(folder / "run_iter_8.caffemodel")
    assert all(np.array_equal(a, b) for a, b in zip(whole, resumed, strict=True))


def test_without_a_prefix_snapshots_take_the_solvers_name(folder: Path) -> None:
    write_solver(folder, 'snapshot_prefix: "run"', "")
    assert run(folder, "train", "-solver=solver.prototxt").returncode == 0
    assert (folder / "solver_iter_8.caffemodel").exists()


def test_weights_give_a_training_its_start(folder: Path) -> None:
    write_solver(folder, "max_iter: 8", "max_iter: 4")
    assert run(folder, "train", "-solver=solver.prototxt").returncode == 0
    start = weights(folder / "run_iter_4.caffemodel")
    write_solver(folder, "base_lr: 0.05", "base_lr: 0")
    write_solver(folder, '"run"', '"second"')
    done = run(folder, "train", "-solver=solver.prototxt", "-weights", "run_iter_4.caffemodel")
    assert done.returncode == 0
    assert "Finetuning from run_iter_4.caffemodel" in done.stderr
    second = weights(folder / "second_iter_4.caffemodel")
    assert all(np.array_equal(a, b) for a, b in zip(start, second, strict=True))


def test_a_weights_file_given_as_snapshot_is_explained(folder: Path) -> None:
    write_solver(folder, "max_iter: 8", "max_iter: 4")
    assert run(folder, "train", "-solver=solver.prototxt").returncode == 0
    done = run(folder, "train", "-solver=solver.prototxt", "-snapshot=run_iter_4.caffemodel")
    assert done.returncode == 1
    assert "run_iter_4.solverstate" in done.stderr
    assert "weights" in done.stderr


def test_a_loss_that_is_not_finite_ends_with_status_1(folder: Path) -> None:
    write_solver(folder, "base_lr: 0.05", "base_lr: 1e30")
    done = run(folder, "train", "-solver=solver.prototxt")
    assert done.returncode == 1
    assert re.search(r"Iteration \d+: the loss is", done.stderr)


def test_stage_and_level_go_to_the_train_net(folder: Path) -> None:
    done = run(folder, "train", "-solver=solver.prototxt", "-stage=other,deep", "-level=2")
    assert done.returncode == 0
    assert done.stderr.count("Creating Layer echo") == 1  # not in the test net
    assert "Creating Layer echo" not in run(folder, "train", "-solver=solver.prototxt").stderr


@pytest.mark.skipif(caffe.device_count() > 0, reason="this build has a GPU")
def test_a_cpu_only_build_asked_for_a_gpu_warns_and_goes_on(folder: Path) -> None:
    write_solver(folder, "max_iter: 8", "max_iter: 1")
    done = run(folder, "train", "-solver=solver.prototxt", "-gpu=0")
    assert done.returncode == 0
    assert "CPU-only build" in done.stderr


# --- test and time


def test_test_prints_each_batch_and_the_means(folder: Path) -> None:
    write_solver(folder, "max_iter: 8", "max_iter: 4")
    assert run(folder, "train", "-solver=solver.prototxt").returncode == 0
    done = run(
        folder, "test", "-model=net.prototxt", "-weights=run_iter_4.caffemodel", "-iterations=3"
    )
    assert done.returncode == 0
    lines = texts(done.stderr)
    batches = [float(line.split("= ")[1]) for line in lines if line.startswith("Batch ")]
    assert [line.split(",")[0] for line in lines if line.startswith("Batch ")] == [
        "Batch 0",
        "Batch 1",
        "Batch 2",
    ]
    mean = float(next(line for line in lines if line.startswith("Loss: ")).removeprefix("Loss: "))
    assert mean == pytest.approx(np.mean(batches), rel=1e-4)
    assert re.match(r"^loss = \S+ \(\* 1 = \S+ loss\)$", lines[-1])


def test_test_takes_weights_over_a_net_of_stages(folder: Path) -> None:
    write_solver(folder, "max_iter: 8", "max_iter: 4")
    assert run(folder, "train", "-solver=solver.prototxt").returncode == 0
    done = run(
        folder,
        "test",
        "-model=net.prototxt",
        "-weights=run_iter_4.caffemodel",
        "-iterations=1",
        "-level=3",
        "-stage=deep",
    )
    assert done.returncode == 0
    assert "Batch 0, echo = " in done.stderr


def test_time_prints_each_layer_and_the_averages(folder: Path) -> None:
    done = run(folder, "time", "-model=net.prototxt", "-iterations=2")
    assert done.returncode == 0
    lines = texts(done.stderr)
    for layer in ("data", "ip", "loss"):
        assert any(re.match(rf"^ *{layer}\tforward: \S+ ms\.$", line) for line in lines)
        assert any(re.match(rf"^ *{layer}\tbackward: \S+ ms\.$", line) for line in lines)
    for words in (
        "Average Forward pass: ",
        "Average Backward pass: ",
        "Average Forward-Backward: ",
        "Total Time: ",
    ):
        assert any(line.startswith(words) for line in lines)


def test_time_runs_a_net_in_the_test_phase(folder: Path) -> None:
    done = run(folder, "time", "-model=net.prototxt", "-iterations=1", "-phase=TEST")
    assert done.returncode == 0
    assert "Average Forward pass" in done.stderr


# --- signals


class Training:
    """A training that would run for ever, with its log in a file."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        write_solver(folder, "max_iter: 8", "max_iter: 1000000000")
        write_solver(folder, "snapshot: 4", "")
        write_solver(folder, "display: 2", "display: 20000")
        write_solver(folder, "test_iter: 2 test_interval: 4", "")
        self.log = folder / "log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                [PROGRAM, "train", "-solver=solver.prototxt", *arguments],
                cwd=folder,
                env=environment(),
                stderr=log,
            )

    def wait_for(self, words: str) -> None:
        for _ in range(2400):
            if words in self.log.read_text():
                return
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(0.05)
        raise AssertionError(f"{words} did not come: {self.log.read_text()}")

    def send(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        try:
            return self.process.wait(timeout=60)
        finally:
            self.process.kill()


def snapshots(folder: Path) -> list[Path]:
    return sorted(folder.glob("run_iter_*.solverstate"))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_run_with_a_snapshot(folder: Path, number: int) -> None:
    training = Training(folder)
    training.wait_for("Iteration 0, lr")
    training.send(number)
    assert training.end() == 0
    log = training.log.read_text()
    assert "Optimization stopped early" in log
    assert len(snapshots(folder)) == 1
    assert snapshots(folder)[0].name in log
    assert weights(snapshots(folder)[0].with_suffix(".caffemodel"))


def test_two_interrupts_end_the_run_within_an_iteration(folder: Path) -> None:
    write_solver(folder, "momentum: 0.9", "iter_size: 1000000000")  # an iteration of hours
    training = Training(folder)
    training.wait_for("Solving tiny")
    training.send(signal.SIGINT)
    time.sleep(0.3)
    assert training.process.poll() is None  # one waits for the iteration's end
    training.send(signal.SIGINT)
    assert training.end() == -signal.SIGINT


def test_a_hangup_snapshots_and_the_run_goes_on(folder: Path) -> None:
    training = Training(folder)
    training.wait_for("Iteration 0, lr")
    training.send(signal.SIGHUP)
    training.wait_for("Snapshotting solver state")
    training.wait_for("Iteration 20000, lr")
    training.send(signal.SIGINT)
    assert training.end() == 0
    assert len(snapshots(folder)) == 2


def test_effects_of_signals_can_be_chosen(folder: Path) -> None:
    training = Training(folder, "-sigint_effect=none", "-sighup_effect=stop")
    training.wait_for("Iteration 0, lr")
    training.send(signal.SIGINT)
    training.wait_for("Iteration 20000, lr")
    training.send(signal.SIGHUP)
    assert training.end() == 0


def test_a_log_whose_reader_has_gone_does_not_cost_the_snapshot(folder: Path) -> None:
    """As `caffe train 2>&1 | tee log` with tee ended."""
    write_solver(folder, "snapshot: 4", "")
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [PROGRAM, "train", "-solver=solver.prototxt"],
        cwd=folder,
        env=environment(),
        stderr=writer,
        stdout=writer,
    )
    os.close(writer)
    assert process.wait(timeout=60) == 0
    assert (folder / "run_iter_8.solverstate").exists()
