"""The segflow_lite deploy net against its design written out in NumPy."""

from __future__ import annotations

import numpy as np
import pytest
from engine_pass import assert_blobs_equal_the_reference, seeded_net
from reference_passes import (
    SEGFLOW_LITE,
    SEGFLOW_LITE_ODD,
    ReferencePass,
    by_design,
    by_text,
    sample,
)

PASSES = pytest.mark.parametrize("reference", [SEGFLOW_LITE, SEGFLOW_LITE_ODD])


@PASSES
def test_net_text_computes_the_design(reference: ReferencePass) -> None:
    """The prototxt, run layer by layer, and the design, written straight, give the same."""
    text, design = by_text(reference), by_design(reference)
    for name in reference.blobs:
        assert np.abs(text[name] - design[name]).max() <= 1e-9, name


@PASSES
def test_committed_samples_are_those_of_the_design(reference: ReferencePass) -> None:
    stored, blobs = np.load(reference.file), by_design(reference)
    for name in reference.blobs:
        assert stored[name].std() > 0.05, name
        error = np.abs(sample(blobs[name]) - stored[name]).max()
        assert error <= 1e-6 * max(1.0, np.abs(stored[name]).max()), name


@PASSES
def test_engine_gives_the_reference_numbers_of_segflow_lite(reference: ReferencePass) -> None:
    net = seeded_net(reference)
    net.forward()
    assert_blobs_equal_the_reference(net, reference)
