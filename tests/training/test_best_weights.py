"""Which evaluation's weights are kept as the best."""

import math
from types import SimpleNamespace

import pytest

pytest.importorskip("caffe.proto.caffe_pb2")

from segflow.training.recipe import Stage  # noqa: E402
from segflow.training.trainer import Trainer  # noqa: E402


def judged(tmp_path, end_point_errors):
    """Whether each evaluation of a flow training was the best so far."""
    weights = tmp_path / "w.caffemodel"
    weights.write_bytes(b"weights")
    stage = Stage(0, 1, "flow", 9)
    trainer = SimpleNamespace(
        plan=[stage], state=SimpleNamespace(best=None), output=tmp_path, weights_file=weights
    )
    run = SimpleNamespace(stage=stage, iteration=1)
    return [
        Trainer._keep_if_best(trainer, run, SimpleNamespace(J=None, EPE=error))
        for error in end_point_errors
    ]


def test_smaller_end_point_errors_are_better(tmp_path):
    assert judged(tmp_path, [5.0, 6.0, 4.0]) == [True, False, True]


def test_an_error_that_is_not_a_number_is_never_the_best_and_bars_no_later_one(tmp_path):
    assert judged(tmp_path, [math.nan, 5.0, math.nan, 4.0]) == [False, True, False, True]
