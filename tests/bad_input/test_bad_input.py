"""Broken inputs, one after another in this process: each is told in words, and the engine goes on.

After every case a net made before all of them, and one made anew, give the numbers of the start.
"""

import ctypes
import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

caffe = pytest.importorskip("caffe", exc_type=ImportError)

import bad_calls  # noqa: E402
import bad_files  # noqa: E402
import bad_nets  # noqa: E402
from bad_input_workshop import SOLVER, TRAINED, Case, Workshop  # noqa: E402

CASES = [case for table in (bad_nets, bad_files, bad_calls) for case in table.CASES]


@pytest.fixture(scope="module")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    folder = tmp_path_factory.mktemp("bad input")
    (folder / "empty").mkdir()
    return Workshop(folder)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name.replace(" ", "_"))
def test_it_is_told_in_words_and_the_next_pass_is_right(workshop: Workshop, case: Case) -> None:
    with pytest.raises(case.error) as raised:
        case.do(workshop)
    text = str(raised.value) + "".join(
        f"\n{note}" for note in getattr(raised.value, "__notes__", [])
    )
    missing = [word for word in case.words if word not in text]
    assert not missing, f"{missing} not in: {text}"
    workshop.still_works()


def test_the_table_is_long_enough() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 64 kB; skips where this user may not mount one."""
    folder = tmp_path / "disk"
    folder.mkdir()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(b"tmpfs", os.fsencode(folder), b"tmpfs", 0, b"size=64k") != 0:
        reason = errno.errorcode.get(ctypes.get_errno(), "?")
        pytest.skip(f"no tmpfs may be mounted here ({reason})")
    yield folder
    libc.umount2(os.fsencode(folder), 2)


@pytest.mark.parametrize("form", ["BINARYPROTO", "HDF5"])
def test_a_full_disk_leaves_the_old_snapshot_and_the_training_goes_on(
    workshop: Workshop, small_disk: Path, form: str
) -> None:
    wide = TRAINED.replace("dim: 3 }", "dim: 3000 }")  # weights of 24 kB, as much of history
    solver = workshop.solver(f"snapshot_format: {form} momentum: 0.9", net=wide, name="disk")
    text = Path(workshop.folder / "disk_solver.prototxt").read_text()
    text = text.replace(f"{workshop.folder}/disk'", f"{small_disk}/s'")
    solver = caffe.get_solver(workshop.file(text, "d.prototxt"))
    solver.step(1)
    solver.snapshot()
    before = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    solver.step(1)
    with pytest.raises(caffe.Error) as raised:
        solver.snapshot()
    assert "s_iter_2" in str(raised.value) and "No space left" in str(raised.value)
    left = {path.name: path.read_bytes() for path in small_disk.iterdir()}
    assert before.items() <= left.items()
    solver.step(1)
    assert solver.iter == 3
    workshop.still_works()


ENDLESS = """
import caffe, sys
solver = caffe.get_solver(sys.argv[1])
solver.add_callback(lambda: None, lambda: print(solver.iter, flush=True))
try:
    solver.solve()
except KeyboardInterrupt:
    solver.snapshot()
    print("stopped at", solver.iter)
"""


def test_ctrl_c_leaves_a_whole_snapshot_and_a_clean_end(workshop: Workshop, tmp_path: Path) -> None:
    text = SOLVER.format(net=workshop.file(TRAINED, "c.prototxt"), prefix=tmp_path / "c")
    solver = workshop.file(text.replace("max_iter: 9", "max_iter: 1000000000"), "c_solver.prototxt")
    path = os.pathsep.join([str(Path(caffe.__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    with subprocess.Popen(
        [sys.executable, "-c", ENDLESS, solver],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    ) as child:
        assert child.stdout is not None
        for _ in range(3):
            assert child.stdout.readline().strip().isdigit()
        child.send_signal(signal.SIGINT)
        out, err = child.communicate(timeout=60)
    assert child.returncode == 0, err
    last = int(out.split()[-1])
    assert {file.name for file in tmp_path.glob(f"c_iter_{last}.*")} >= {
        f"c_iter_{last}.caffemodel",
        f"c_iter_{last}.solverstate",
    }
    again = caffe.get_solver(solver)
    again.restore(str(tmp_path / f"c_iter_{last}.solverstate"))
    assert again.iter == last
    workshop.still_works()
