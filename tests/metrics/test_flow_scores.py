"""End-point error and Fl."""

import csv

import numpy as np
import pytest

from segflow.metrics.flow import end_point_error, flow_scores
from segflow.readers.flow_sets import open_flow_set


def test_end_point_error_is_the_length_of_the_difference():
    flow = np.array([[[3, 0], [1, 1]]], np.float32)
    truth = np.array([[[0, -4], [1, 1]]], np.float32)
    np.testing.assert_array_equal(end_point_error(flow, truth), [[5, 0]])


def test_outliers_are_beyond_3_px_and_5_per_cent():
    truth = np.array([[[0, 0], [0, 0], [100, 0], [100, 0]]], np.float32)
    flow = truth + np.array([[[3, 0], [3.5, 0], [4.5, 0], [0, 5.5]]], np.float32)
    scores = flow_scores(flow, truth)
    assert scores.Fl == 50
    assert scores.EPE == pytest.approx((3 + 3.5 + 4.5 + 5.5) / 4)


def test_pixels_without_truth_do_not_count():
    truth = np.array([[[0, 0], [np.nan, np.nan]]], np.float32)
    assert flow_scores(np.array([[[1, 0], [99, 99]]], np.float32), truth).EPE == 1
    assert flow_scores(np.array([[[1, 0], [np.nan, 0]]], np.float32), truth).EPE == 1


def test_what_cannot_be_scored_is_refused():
    zero, unknown = np.zeros((1, 2, 2), np.float32), np.full((1, 2, 2), np.nan, np.float32)
    with pytest.raises(ValueError, match="known at no pixel"):
        flow_scores(zero, unknown)
    with pytest.raises(ValueError, match="unknown at 2 of 2"):
        flow_scores(unknown, zero)
    with pytest.raises(ValueError, match=r"\(1, 2, 2\).*\(2, 2, 2\)"):
        flow_scores(zero, np.zeros((2, 2, 2)))


def test_zero_flow_has_the_yardstick_s_error_on_every_shared_pair(shared):
    with shared("data/benchmarks/flow_yardsticks.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == "zero"]
    yardsticks = {f"{row['set']}/{row['pair']}": row for row in rows}
    pairs = [p for p in open_flow_set(shared("data/flow")).pairs if p.name in yardsticks]
    assert len(pairs) == 17
    for pair in pairs:
        truth = pair.flow()
        scores = flow_scores(np.zeros_like(truth), truth)
        assert scores.EPE == pytest.approx(float(yardsticks[pair.name]["epe"]), abs=1e-3)
        assert scores.Fl == pytest.approx(float(yardsticks[pair.name]["fl_all"]), abs=0.01)
