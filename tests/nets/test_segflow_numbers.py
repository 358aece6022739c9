"""The segflow deploy net in the engine against a float64 pass in NumPy with the same weights."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from engine_pass import assert_blobs_equal_the_reference, seeded_net
from net_text import read_net
from numpy_layers import data_augmentation
from reference_passes import SEGFLOW, by_text
from shape_walk import walk

PARAMETER_VALUES = 83_765_244


def test_engine_builds_every_published_blob_and_parameter(prototxt_dir: Path) -> None:
    caffe = pytest.importorskip("caffe", exc_type=ImportError)
    path = prototxt_dir / "segflow" / "deploy.prototxt"
    net = caffe.Net(str(path), caffe.TEST)
    found = walk(read_net(path))
    for name, shape in found.blobs.items():
        assert tuple(net.blobs[name].data.shape) == shape, name
    shapes = [
        (name, index, tuple(blob.data.shape))
        for name, blobs in net.params.items()
        for index, blob in enumerate(blobs)
    ]
    assert shapes == found.params
    assert sum(math.prod(shape) for _, _, shape in shapes) == PARAMETER_VALUES
    assert list(net.outputs) == ["score", "score_flow"]


def test_engine_gives_the_reference_numbers_of_segflow() -> None:
    net = seeded_net(SEGFLOW)
    net.forward()
    assert_blobs_equal_the_reference(net, SEGFLOW)


def test_committed_samples_are_alive() -> None:
    """Every blob of the reference has spread; none is nearly constant or beyond sane sizes."""
    stored = np.load(SEGFLOW.file)
    for name in SEGFLOW.blobs:
        values = stored[name]
        assert values.size >= 300, name
        assert 0.05 < values.std() < 50, name


@pytest.mark.slow
def test_committed_samples_are_those_of_the_numpy_pass() -> None:
    """In float32 here, for speed; the committed ones are float64."""
    from reference_passes import sample

    stored = np.load(SEGFLOW.file)
    blobs = by_text(SEGFLOW, np.float32)
    for name in SEGFLOW.blobs:
        error = np.abs(sample(blobs[name]) - stored[name]).max()
        assert error <= 5e-5 * float(stored[f"{name}.rms"]), name


def test_identity_crop_blends_the_last_row_and_column() -> None:
    """Sampling is clamped to size - 1.05 (the one place where this pass is not plain)."""
    x = np.arange(12.0).reshape(1, 1, 3, 4)
    y = data_augmentation(x, np.zeros((1, 1, 1, 1)))
    assert np.array_equal(y[0, 0, :2, :3], x[0, 0, :2, :3])
    assert y[0, 0, 0, 3] == pytest.approx(2.95)
    assert y[0, 0, 2, 3] == pytest.approx(0.95 * 10.95 + 0.05 * 6.95)
