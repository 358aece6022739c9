"""What the tests of several processes share: how they are started."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MPIRUN = ("mpirun", "-n", "2", "--oversubscribe", "--allow-run-as-root", "--bind-to", "none")
#: a job that hangs is a failure, not a test that never ends
SECONDS = 300


@pytest.fixture(scope="session")
def has_mpi() -> None:
    """Skips where two processes cannot find each other: no mpirun, or an engine without MPI."""
    pytest.importorskip("caffe", exc_type=ImportError)
    if shutil.which("mpirun") is None:
        pytest.skip("mpirun is not installed")
    code = "import caffe\nwith caffe.Processes() as all: print(all.size)"
    result = _run([*MPIRUN, sys.executable, "-c", code])
    if "built without MPI" in result.stderr:
        pytest.skip("the engine was built without MPI")
    assert result.returncode == 0, result.stderr
    assert sorted(result.stdout.split()) in (["2", "2"], ["22"])  # lines may come interleaved


@pytest.fixture
def run(has_mpi) -> Callable[..., subprocess.CompletedProcess[str]]:
    """run(processes, program, *arguments, status=0): a Python file, or an executable."""

    def start(processes: int, program: Path, *arguments, status: int | None = 0, **environment):
        command = [*(MPIRUN if processes > 1 else ())]
        command += [sys.executable] if program.suffix == ".py" else []
        result = _run([*command, str(program), *map(str, arguments)], **environment)
        if status is not None:
            assert result.returncode == status, result.stdout + result.stderr
        return result

    return start


def _run(command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join([str(ROOT), str(ROOT / "caffe/python"), str(ROOT / "python_layers")])
    return subprocess.run(
        command,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": paths, **environment},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
