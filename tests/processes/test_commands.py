"""The commands under mpirun: caffe train, train_iterative.py, infer.py."""

import json
from pathlib import Path

import numpy as np
import pytest
import tiny_network
from tiny_sets import disc, object_picture

from segflow.flow_io import read_flo
from segflow.readers.image import read_mask, write_image
from segflow.readers.video import VideoWriter
from segflow.training.metrics_log import read_metrics

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = ROOT / "caffe/build/tools/caffe"
TINY = ROOT / "tests/training/tiny"
SIZE = (60, 104)

NET = """
layer { name: "data" type: "DummyData" top: "x" top: "t" dummy_data_param {
  shape { dim: 4 dim: 3 } shape { dim: 4 dim: 2 }
  data_filler { type: "constant" value: 0.7 } data_filler { type: "constant" value: 0.5 } } }
layer { name: "ip" type: "InnerProduct" bottom: "x" top: "y" inner_product_param {
  num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
SOLVER = """
net: "NET" base_lr: 0.05 lr_policy: "fixed" max_iter: 6 display: 2 snapshot: 3
snapshot_prefix: "PREFIX" random_seed: 3 test_iter: 2 test_interval: 2
"""


def params(path):
    from caffe.proto import caffe_pb2

    net = caffe_pb2.NetParameter()
    net.ParseFromString(path.read_bytes())
    return {
        f"{layer.name}{i}": np.array(blob.data, np.float32)
        for layer in net.layer
        for i, blob in enumerate(layer.blobs)
    }


def write_training(folder: Path) -> Path:
    folder.mkdir()
    (folder / "net.prototxt").write_text(NET)
    text = SOLVER.replace("NET", str(folder / "net.prototxt")).replace("PREFIX", f"{folder}/run")
    (folder / "solver.prototxt").write_text(text)
    return folder / "solver.prototxt"


@pytest.mark.skipif(not PROGRAM.exists(), reason="caffe/build/tools/caffe is not built")
def test_caffe_train_speaks_once_and_gives_the_mean_gradient(run, tmp_path):
    """The processes begin with other random weights each; the data is the same in both."""
    two = run(2, PROGRAM, "train", "--solver", write_training(tmp_path / "two"))
    run(1, PROGRAM, "train", "--solver", write_training(tmp_path / "one"))
    assert two.stderr.count("Training in 2 processes") == 1
    assert two.stderr.count("Iteration 4, loss") + two.stderr.count("Iteration 4 (") == 1
    assert two.stderr.count("Iteration 4, Testing net") == 1
    one, other = (params(tmp_path / name / "run_iter_6.caffemodel") for name in ("one", "two"))
    for name in one:
        np.testing.assert_allclose(other[name], one[name], rtol=1e-5, err_msg=name)
    result = run(2, PROGRAM, "train", "--solver", "nowhere.prototxt", status=None)
    assert result.returncode != 0 and "of 2: " in result.stderr and "nowhere" in result.stderr


def test_train_iterative_writes_once_and_resumes_bit_equal(run, tmp_path):
    tool = ROOT / "tools/train_iterative.py"
    new = ("--net", TINY, "--size", "16x24", "--eval-scenes", 1)
    new += ("--mode", "joint", "--joint-iters", 6)
    often = ("--eval-every", 4, "--snapshot-every", 3)
    result = run(2, tool, *new, *often, "--output", tmp_path / "whole")
    assert result.stdout.count("2 processes train together") == 1
    records = list(read_metrics(tmp_path / "whole/metrics.jsonl"))
    assert [r["iteration"] for r in records if "event" not in r] == [1, 2, 3, 4, 5, 6]
    assert [r["iteration"] for r in records if "event" in r] == [4, 6]
    short = ("--time-budget", 0.001, "--eval-every", 0)
    run(2, tool, *new, *short, "--output", tmp_path / "parts")
    assert json.loads((tmp_path / "parts/training.json").read_text())["iteration"] == 1
    run(2, tool, "--resume", "--eval-scenes", 1, "--output", tmp_path / "parts")
    one, other = (params(tmp_path / name / "tiny.caffemodel") for name in ("whole", "parts"))
    for name in one:
        np.testing.assert_array_equal(other[name], one[name], err_msg=name)
    result = run(2, tool, *new, "--output", tmp_path / "parts", status=None)
    assert result.returncode != 0 and "of 2: " in result.stderr
    assert "holds a training already" in result.stderr


def written(folder: Path) -> list[Path]:
    return sorted(p.relative_to(folder) for p in folder.rglob("*") if p.is_file())


@pytest.fixture
def videos(tmp_path: Path) -> Path:
    """A folder with a folder of frames, two videos, one of them named alike, and other files."""
    folder = tmp_path / "videos"
    (folder / "one").mkdir(parents=True)
    (folder / "empty").mkdir()
    (folder / "notes.txt").write_text("not a clip")
    for name, shift in (("one.mp4", 3), ("two.mp4", 8)):
        with VideoWriter(folder / name, 10) as writer:
            for t in range(3):
                writer.write(object_picture(t, disc(*SIZE, (30 + shift * t, 30), 16)))
    for t in range(2):
        write_image(folder / f"one/{t}.png", object_picture(t, disc(*SIZE, (40 + 6 * t, 30), 14)))
    return folder


def test_infer_shares_a_folder_of_videos_out(run, videos, tmp_path):
    deploy = tiny_network.write_network(tmp_path / "net")
    net = ("--net", deploy, "--weights", tiny_network.write_weights(deploy), "--quality", "fast")
    demo = ROOT / "demo/infer.py"
    alone = run(1, demo, videos, *net, "--output", tmp_path / "alone")
    shared = run(2, demo, videos, *net, "--output", tmp_path / "shared")
    files, names = (written(tmp_path / name) for name in ("alone", "shared"))
    assert files == names
    assert len([file for file in files if file.parts[0] == "masks"]) == 8
    for file in files:
        one, other = tmp_path / "alone" / file, tmp_path / "shared" / file
        if file.parts[0] == "masks":
            np.testing.assert_array_equal(read_mask(one), read_mask(other), err_msg=str(file))
        elif file.suffix == ".flo":
            np.testing.assert_array_equal(read_flo(one), read_flo(other), err_msg=str(file))
    one, other = (
        json.loads((tmp_path / name / "summary.json").read_text()) for name in ("alone", "shared")
    )
    for summary in (one, other):
        del summary["peak_memory_mb"]
        for clip in summary["clips"].values():
            for key in ("seconds", "network_seconds_per_frame", "frames_per_second"):
                del clip[key]
    assert one == other and list(one["clips"]) == list(other["clips"])
    assert list(one["clips"]) == ["one", "one.mp4", "two"]
    assert shared.stdout.count("results in") == alone.stdout.count("results in") == 1
    broken = videos / "zz.mp4"
    broken.write_bytes(b"no video")
    result = run(2, demo, videos, *net, "--output", tmp_path / "broken", status=None)
    assert result.returncode != 0 and "zz.mp4" in result.stderr
