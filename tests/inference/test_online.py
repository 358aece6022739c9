"""Fine-tuning to a first mask, on a network of one layer."""

from pathlib import Path

import numpy as np
import pytest
import tiny_network
from tiny_sets import disc, object_picture

from segflow.errors import DataError, UsageError

MASK = disc(60, 104, (40, 30), 14)
FRAME = object_picture(1, MASK)


@pytest.fixture
def tune(caffe, tmp_path):
    """Fine-tune, from weights that see the object as background; returns (tuner, report)."""
    from segflow.inference import OnlineFineTuner, OnlineSpec, find_network

    if "SigmoidCrossEntropyLoss" not in caffe.layer_type_list():
        pytest.skip("the engine has no SigmoidCrossEntropyLoss yet")
    deploy = tiny_network.write_network(tmp_path / "net")

    def run(mask=MASK, on_iteration=None, later=(), scale=-0.02, **spec):
        weights = tiny_network.write_weights(deploy, scale)
        spec = OnlineSpec(**{"height": 48, "share": 1.0, **spec})
        tuner = OnlineFineTuner(find_network(deploy), weights, spec)
        return tuner, tuner.tune(FRAME, mask, FRAME, on_iteration, later)

    return run


def test_the_mask_is_learnt_and_the_gain_reported(tune):
    losses = []
    tuner, report = tune(iterations=40, on_iteration=lambda i, loss: losses.append((i, loss)))
    assert [i for i, _ in losses] == list(range(1, 41))
    assert losses[-1][1] == report.loss < losses[0][1]
    assert report.iterations == 40
    assert report.held_back_before < 0.3 and report.held_back_after > 0.8
    assert "40 iterations" in str(report)


def test_the_flow_head_is_frozen(tune):
    tuner, _ = tune(iterations=5)
    bias = tuner.net.params["score_flow_head"][1].data
    np.testing.assert_array_equal(bias, np.array(tiny_network.FLOW, np.float32))


def test_the_same_seed_gives_the_same_weights(tune):
    first, second = tune(iterations=5)[0], tune(iterations=5)[0]
    third = tune(iterations=5, seed=2)[0]
    weights = [t.net.params["score_head"][0].data.copy() for t in (first, second, third)]
    np.testing.assert_array_equal(weights[0], weights[1])
    assert (weights[0] != weights[2]).any()


def test_without_gain_on_held_back_views_the_old_weights_are_kept_and_training_ends(tune):
    """A rate of zero gains nothing."""
    _, report = tune(iterations=1000, learning_rate=1e-12, check_every=2, patience=3)
    assert report.iterations == 6
    assert report.held_back_after == report.held_back_before


def test_weights_made_worse_are_put_back(tune):
    """A huge rate spoils them at once."""
    tuner, report = tune(iterations=4, learning_rate=-1e3, check_every=2)
    assert report.kept == 0 and report.held_back_after == report.held_back_before
    weight = float(tuner.net.params["score_head"][0].data.ravel()[0])
    assert weight == pytest.approx(-0.02 / 3)


def test_later_frames_that_keep_their_object_are_not_learnt_from(tune):
    later = [np.roll(FRAME, 4 * i, axis=1) for i in range(1, 10)]
    assert tune(iterations=6, review_every=2, scale=0.1, later=iter(later))[1].later_frames == 0


def test_later_frames_whose_object_gets_lost_are_learnt_from(tune, monkeypatch):
    """The first mask is found from the start; an iteration that turns the sign loses it."""
    from segflow.inference import OnlineFineTuner

    real = OnlineFineTuner._iterate

    def spoil(self, view):
        loss = real(self, view)
        self.net.params["score_head"][0].data[...] *= -1
        self.net.params["score_head"][1].data[...] *= -1
        return loss

    monkeypatch.setattr(OnlineFineTuner, "_iterate", spoil)
    later = [np.roll(FRAME, 4 * i, axis=1) for i in range(1, 10)]
    spec = {"iterations": 5, "review_every": 3, "scale": 0.1}
    assert 6 <= tune(**spec, later=iter(later))[1].later_frames <= 8, "of eight pairs"
    assert tune(**spec)[1].later_frames == 0


def test_masks_of_later_frames_that_tuning_contradicts_are_not_learnt_from(tune):
    _, report = tune(iterations=40, review_every=30, later=[FRAME] * 9)
    assert report.later_frames == 0 and report.held_back_after > 0.8


def test_reading_later_frames_ends_with_its_share_of_the_time(tune):
    def endless():
        while True:
            yield FRAME

    assert tune(seconds=1.0, scale=0.1, later=endless())[1].iterations > 0


def test_the_result_lies_between_the_given_and_the_tuned_weights(tune):
    far, half = tune(iterations=10, share=1.0)[0], tune(iterations=10, share=0.5)[0]
    given = -0.02 / 3
    moved = far.net.params["score_head"][0].data - given
    halfway = half.net.params["score_head"][0].data - given
    assert np.abs(moved).max() > 1e-4
    np.testing.assert_allclose(halfway, moved / 2, atol=1e-7)


def test_a_time_budget_ends_it(tune):
    _, report = tune(seconds=0.5, iterations=10**6, patience=10**6)
    assert 0 < report.iterations < 10**6 and report.seconds < 5


def test_without_numbers_the_solver_says_how_long(tune):
    assert tune(patience=100)[1].iterations == 30


def test_a_loss_that_is_not_finite_is_named_with_its_iteration(tune, monkeypatch):
    from segflow.inference import first_frame

    real = first_frame.FirstFrame.view

    def broken(self, index, kind="training"):
        view = real(self, index, kind)
        if index == 2 and kind == "training":
            view.frame1[:] = np.nan
        return view

    monkeypatch.setattr(first_frame.FirstFrame, "view", broken)
    with pytest.raises((FloatingPointError, RuntimeError), match="iteration 3|nan|NaN|finite"):
        tune(iterations=5)


def test_bad_budgets_and_nets_without_online_stage_are_refused(caffe, tmp_path):
    from segflow.inference import OnlineFineTuner, OnlineSpec, find_network

    for numbers in ({"iterations": 0}, {"seconds": 0.0}, {"seconds": float("nan")}, {"share": 0.0}):
        with pytest.raises(UsageError, match="want"):
            OnlineSpec(**numbers)
    deploy = tiny_network.write_network(tmp_path, online=False)
    with pytest.raises(DataError, match="solver_online.prototxt"):
        OnlineFineTuner(find_network(deploy), Path("w.caffemodel"))


def test_balanced_weights_give_both_classes_the_same_sum():
    from segflow.inference.online import balanced_weight

    label = disc(40, 50, (20, 20), 8).astype(np.float32)
    weight = balanced_weight(label)
    assert weight[label > 0].sum() == pytest.approx(weight[label == 0].sum(), rel=1e-5)
