"""What all tests outside caffe/ share: where the data beside the repository lies.

With CAFFE_TEST_MODE=gpu in the environment every test begins in GPU mode.
"""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def mode_of_tests() -> None:
    """Set anew before each test: some leave another behind."""
    if os.environ.get("CAFFE_TEST_MODE") == "gpu":
        import caffe

        caffe.set_mode_gpu()


@pytest.fixture(scope="session")
def shared() -> Callable[[str], Path]:
    """A path below ../shared (SEGFLOW_SHARED overrides); the test is skipped where it is absent."""
    root = Path(os.environ.get("SEGFLOW_SHARED") or ROOT.parent / "shared")

    def find(relative: str) -> Path:
        path = root / relative
        if not path.exists():
            pytest.skip(f"shared/{relative} is not here")
        return path

    return find
