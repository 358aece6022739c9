"""What the tests of training share: a tiny network, and the command run on it."""

import contextlib
import io
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent


@dataclass(frozen=True)
class Ended:
    """How a run ended."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def tiny() -> Path:
    """A folder with a network of two convolutions, its stages and its data layer."""
    return HERE / "tiny"


@pytest.fixture
def tiny_arguments(tiny) -> list[str]:
    """What a new training of the tiny network needs, and what keeps it short."""
    return ["--net", str(tiny), "--size", "16x24", "--eval-scenes", "1"]


@pytest.fixture
def run_tool(tiny_arguments, tmp_path, monkeypatch) -> Callable[..., Ended]:
    """Run the command in this process, on the tiny network, with --output tmp_path/OUTPUT."""
    from segflow.training.command import main

    def run(output: str, *arguments, resume: bool = False, environment=None) -> Ended:
        start = ["--resume", "--eval-scenes", "1"] if resume else tiny_arguments
        words = [*start, "--output", tmp_path / output, *arguments]
        out, err = io.StringIO(), io.StringIO()
        with monkeypatch.context() as context:
            for name, value in (environment or {}).items():
                context.setenv(name, value)
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                try:
                    status = main([str(word) for word in words])
                except SystemExit as end:  # argparse
                    status = end.code
        return Ended(status, out.getvalue(), err.getvalue())

    return run
