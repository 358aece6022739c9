"""Paths for the tests of the bundled networks."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "prototxt"))  # the generator package


@pytest.fixture(scope="session")
def prototxt_dir() -> Path:
    return ROOT / "prototxt"
