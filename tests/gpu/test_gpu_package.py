"""The package's archive, its libraries and its tables."""

import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

from segflow.bench.gpu import OPERATORS, smooth_flow
from segflow.gpu.check import Check, Options, Result, result_of_tests
from segflow.gpu.gtest import Outcome
from segflow.gpu.package import NAME, archive, make_empty_library, source_files
from segflow.gpu.side_by_side import best_of_peers, comparison


def test_an_archive_unpacks_to_the_folder_with_links_and_modes(tmp_path: Path) -> None:
    folder = tmp_path / "tree"
    (folder / "a/b").mkdir(parents=True)
    (folder / "a/program").write_text("#!/bin/sh\n")
    (folder / "a/program").chmod(0o755)
    (folder / "a/link").symlink_to("b")
    (folder / "a/b/w.caffemodel").write_bytes(bytes(range(256)) * 50)
    size = archive(folder, tmp_path / "out/x.tar.xz")
    assert size == (tmp_path / "out/x.tar.xz").stat().st_size
    with tarfile.open(tmp_path / "out/x.tar.xz") as tar:
        tar.extractall(tmp_path / "there", filter="tar")
    there = tmp_path / "there" / NAME / "a"
    assert (there / "link/w.caffemodel").read_bytes() == bytes(range(256)) * 50
    assert (there / "program").stat().st_mode & 0o111 == 0o111


def test_the_package_has_the_tree_that_is_run_and_no_sources() -> None:
    names = {str(path) for path in source_files()}
    assert {"tools/gpu_check", "segflow/gpu/check.py", "models/segflow_lite.caffemodel"} <= names
    assert {"prototxt/segflow/deploy.prototxt", "tests/conftest.py"} <= names
    assert not any(name.endswith((".cu", ".hpp")) for name in names)
    assert "models/efficientnet_lite0.caffemodel" not in names


@pytest.mark.skipif(not shutil.which("cc"), reason="no C compiler here")
def test_an_empty_library_has_the_versioned_functions_that_its_user_wants(tmp_path: Path) -> None:
    (tmp_path / "real.c").write_text("int far(void) { return 7; } int other(void) { return 8; }")
    (tmp_path / "versions").write_text("V_2 { global: far; other; };")
    (tmp_path / "user.c").write_text("int far(void); int near(void) { return far(); }")
    cc = ["cc", "-shared", "-fPIC", "-w"]
    script = f"-Wl,--version-script={tmp_path}/versions"
    real, user = tmp_path / "libreal.so.1", tmp_path / "libuser.so"
    subprocess.run(
        [*cc, "-Wl,-soname,libreal.so.1", script, "-o", real, tmp_path / "real.c"], check=True
    )
    subprocess.run([*cc, "-o", user, tmp_path / "user.c", real], check=True)
    make_empty_library("libreal.so.1", user, tmp_path)
    said = subprocess.run(["nm", "-D", real], capture_output=True, text=True, check=True).stdout
    assert " T far@@V_2" in said and "other" not in said


def test_rows_are_put_beside_the_fastest_peer_that_does_the_same(tmp_path: Path) -> None:
    def row(name: str, ms: float) -> dict:
        return {"name": name, "median_ms": ms, "peak_mb": 10.0}

    peers = [
        row("fwd b1 fp32 nchw eager", 12), row("fwd b1 fp32 nchw graph", 11),
        row("fwd b1 fp32-weights nhwc eager", 1), row("fwd b8 fp32 nchw eager", 2),
        row("train b1 tf32 nchw flow-frozen graph", 12), row("train b1 tf32 nchw all graph", 3),
        row("corr pwc b8 rows fwd", 5), row("corr pwc b8 rows fwd graph", 4),
        row("compile corr pwc b8 view fwd", 2), row("corr pwc b8 rows fwd+bwd", 1),
        row("warp 3x480x854 b1 fwd+bwd native graph", 0.1), row("warp 3x480x854 b1 fwd", 0.05),
        {"name": "corr flownetc b1 shift fwd", "error": "no"},
    ]  # fmt: skip
    expected = {
        "fwd b1 fp32 caffe": "fwd b1 fp32 nchw graph",
        "train b1 tf32 flow-frozen caffe": "train b1 tf32 nchw flow-frozen graph",
        "corr pwc b8 caffe fwd": "compile corr pwc b8 view fwd",
        "warp 3x480x854 b1 caffe fwd+bwd": "warp 3x480x854 b1 fwd+bwd native graph",
        "corr flownetc b1 caffe fwd": None,
        "something else": None,
    }
    for name, peer in expected.items():
        found = best_of_peers(name, peers)
        assert (found["name"] if found else None) == peer
    (tmp_path / "ours").write_text(json.dumps({"rows": [row("fwd b1 fp32 caffe", 5.5)]}))
    (tmp_path / "peers").write_text(json.dumps({"rows": peers}))
    assert comparison(tmp_path / "ours", tmp_path / "peers")[-1].endswith("| 11.000 | 10 | 2.00 |")
    assert comparison(tmp_path / "nothing", tmp_path / "peers") == []


def test_a_part_that_raises_leaves_the_others_running_and_written(tmp_path: Path) -> None:
    check = Check(Options(tmp_path, frozenset()))

    def broken(seconds: float) -> Result:
        raise RuntimeError("no such card")

    good = result_of_tests("", Outcome(passed=["A.B"]))
    check.stages = lambda: [{"one": (1, broken), "two": (1, lambda s: good)}]  # type: ignore
    assert check.run() is False
    summary = (tmp_path / "summary.md").read_text()
    assert "no such card" in summary and "1 passed, 0 failed" in summary
    assert {r["part"]: r["state"] for r in json.loads((tmp_path / "results.json").read_text())} == {
        "one": "FAILED", "two": "passed",
    }  # fmt: skip


def test_the_flow_of_the_benchmark_is_smooth_and_of_some_pixels() -> None:
    flow = smooth_flow(2, 40, 70)
    assert flow.shape == (2, 2, 40, 70) and 2 < abs(flow).mean() < 8
    assert abs(flow[..., 1:] - flow[..., :-1]).max() < 2 and len(OPERATORS) == 4
