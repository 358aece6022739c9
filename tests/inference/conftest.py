"""The tiny network as fixtures; without a built engine these tests are skipped."""

from pathlib import Path

import pytest
import tiny_network


@pytest.fixture(scope="session")
def caffe():
    module = pytest.importorskip("caffe", exc_type=ImportError)
    module.set_logging_disabled()
    return module


@pytest.fixture
def tiny(caffe, tmp_path) -> tuple[Path, Path]:
    """(deploy net, weights) of the tiny network."""
    deploy = tiny_network.write_network(tmp_path / "net")
    return deploy, tiny_network.write_weights(deploy)
