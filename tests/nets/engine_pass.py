"""The engine's side of the reference passes: a deploy net with seeded weights, compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import reference_passes
from reference_passes import ReferencePass

#: of a blob's root mean square; float32 sums in another order differ by 1e-5, Winograd by 1e-4
TOLERANCE = 5e-4


def seeded_net(reference: ReferencePass, net_path: str | None = None) -> Any:
    """The engine's net at the pass's size with seeded weights and frames; skips without engine."""
    caffe = pytest.importorskip("caffe", exc_type=ImportError)
    caffe.set_mode_cpu()
    net = caffe.Net(net_path or str(reference.deploy), caffe.TEST)
    weights = reference_passes.seeded_weights(reference.layers())
    stored = int(np.load(reference.file)["weights"])
    assert reference_passes.checksum(weights) == stored, "seeded weights differ from the committed"
    for name, blobs in weights.items():
        params = net.params[name]
        assert len(params) == len(blobs), name
        for param, blob in zip(params, blobs, strict=True):
            assert tuple(param.data.shape) in (blob.shape, blob.shape or (1,)), name
            param.data[...] = blob.reshape(param.data.shape)
    for name, frame in zip(("data", "data2"), reference.frames(), strict=True):
        net.blobs[name].reshape(*frame.shape)
        net.blobs[name].data[...] = frame
    net.reshape()
    return net


def assert_blobs_equal_the_reference(net: Any, reference: ReferencePass) -> None:
    stored = np.load(reference.file)
    for name in reference.blobs:
        blob = np.asarray(net.blobs[name].data)
        assert blob.shape == tuple(stored[f"{name}.shape"]), name
        error = np.abs(reference_passes.sample(blob) - stored[name]).max()
        rms = float(stored[f"{name}.rms"])
        assert error <= TOLERANCE * rms, (
            f"{name}: off by {error:.3g} at a root mean square {rms:.3g}"
        )
