"""What the tests of training share: a tiny network, and the command run as a person runs it."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
TOOL = HERE.parents[1] / "tools" / "train_iterative.py"


@pytest.fixture
def tiny() -> Path:
    """A folder with a network of two convolutions, its stages and its data layer."""
    return HERE / "tiny"


@pytest.fixture
def run_tool(tiny, tmp_path) -> Callable[..., subprocess.CompletedProcess]:
    """Run train_iterative.py on the tiny network with --output OUTPUT (a name in tmp_path)."""

    def run(output: str, *arguments, resume: bool = False, environment=None, **keywords):
        command = [sys.executable, str(TOOL), "--output", str(tmp_path / output)]
        command += ["--resume"] if resume else ["--net", str(tiny), "--size", "16x24"]
        command += [str(argument) for argument in arguments]
        variables = {**os.environ, "OMP_NUM_THREADS": "1", **(environment or {})}
        return subprocess.run(
            command, capture_output=True, text=True, env=variables, timeout=120, **keywords
        )

    return run
