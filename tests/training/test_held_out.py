"""Held-out pairs and their scores, with nets whose answers are known."""

import math

import numpy as np
import pytest
from PIL import Image
from tiny_sets import write_davis, write_flow

from segflow.errors import MissingDataError
from segflow.synthesis.augment import MEAN_BGR
from segflow.training.held_out import EvalChoice, HeldOut, open_held_out
from segflow.training.pictures import draw_predictions

caffe = pytest.importorskip("caffe")

from segflow.training.held_out import open_pass  # noqa: E402

# The score is blue above 115, the flow everywhere (5, -3).
NET = """
layer { name: 'data' type: 'Input' top: 'data'
  input_param { shape { dim: 1 dim: 3 dim: 60 dim: 104 } } }
layer { name: 'data2' type: 'Input' top: 'data2'
  input_param { shape { dim: 1 dim: 3 dim: 60 dim: 104 } } }
layer { name: 'mask' type: 'Convolution' bottom: 'data' top: 'score'
  convolution_param { num_output: 1 kernel_size: 1 } }
layer { name: 'flow' type: 'Convolution' bottom: 'data2' top: 'score_flow'
  convolution_param { num_output: 2 kernel_size: 1 } }
"""
PAD = """
layer { name: 'pad' type: 'Pad' bottom: 'data' top: 'padded' pad_param { multiple_of: 32 } }
layer { name: 'silence' type: 'Silence' bottom: 'padded' }
"""


@pytest.fixture
def passes(tmp_path):
    def make(text=NET + PAD):
        (tmp_path / "deploy.prototxt").write_text(text)
        made = open_pass(tmp_path / "deploy.prototxt")
        params = made.net.params
        if "mask" in params:
            params["mask"][0].data[0, 0] = 1
            params["mask"][1].data[0] = MEAN_BGR[0] - 115
        if "flow" in params:
            params["flow"][1].data[...] = 5, -3
        return made

    return make


def test_masks_are_judged_frame_by_frame_of_the_chosen_sequences(passes, tmp_path):
    root = write_davis(tmp_path / "davis")
    held = open_held_out(EvalChoice(davis=str(root), sequences="alpha,beta", stride=2))
    assert [pair.name for pair in held.pairs] == [
        "alpha/00000", "alpha/00002", "alpha/00004", "beta/00000", "beta/00002",
    ]  # fmt: skip
    scores = held.score(passes())
    assert scores.J == 1.0 and scores.J_of == {"alpha": 1.0, "beta": 1.0}
    assert scores.EPE is None and scores.pairs == 5


def test_j_is_the_mean_over_sequences(passes, tmp_path):
    root = write_davis(tmp_path / "davis")
    for path in (root / "Annotations/480p/beta").iterdir():  # the truth is the opposite
        Image.fromarray(255 - np.asarray(Image.open(path))).save(path)
    held = open_held_out(EvalChoice(davis=str(root), sequences="alpha,beta", stride=1))
    assert held.score(passes()).J == pytest.approx(0.5)


def test_flow_is_judged_in_pixels_of_the_frame(passes, tmp_path):
    root = write_flow(tmp_path / "flow")  # (5, -3) and (-4, 2)
    held = open_held_out(EvalChoice(flow=(str(root),)))
    scores = held.score(passes())
    assert scores.EPE == pytest.approx(math.hypot(9, 5) / 2, rel=1e-5)
    assert scores.EPE_zero == pytest.approx((math.hypot(5, 3) + math.hypot(4, 2)) / 2, rel=1e-5)
    assert scores.EPE_of == {"toy": pytest.approx(scores.EPE)}
    only = open_held_out(EvalChoice(flow=(str(root),), only_flow=("toy/pair0",)))
    assert only.score(passes()).EPE == pytest.approx(0, abs=1e-5)


FLOW_ALONE = """
layer {{ name: '{0}' type: 'Input' top: '{0}'
  input_param {{ shape {{ dim: 1 dim: 3 dim: 32 dim: 32 }} }} }}
layer {{ name: '{0}_pad' type: 'Pad' bottom: '{0}' top: '{0}_padded'
  pad_param {{ multiple_of: 32 }} }}
layer {{ name: '{0}_cut' type: 'Silence' bottom: '{0}_padded' }}
layer {{ name: '{0}_planes' type: 'Slice' bottom: '{0}' top: '{0}_blue' top: '{0}_green_red'
  slice_param {{ slice_point: 1 }} }}
"""


def test_a_flow_network_gets_frames_without_a_mean_taken_off(passes):
    """Its flow: u the blue of frame 1, v that of frame 2."""
    made = passes(
        FLOW_ALONE.format("img0")
        + FLOW_ALONE.format("img1")
        + "layer { name: 'both' type: 'Concat' top: 'predict_flow_final' "
        "bottom: 'img0_blue' bottom: 'img1_blue' }"
    )
    image1, image2 = (np.full((60, 104, 3), (9, 9, blue), np.uint8) for blue in (20, 70))
    flow = made.predict(image1, image2, None).flow
    np.testing.assert_array_equal(flow, np.broadcast_to([20, 70], (60, 104, 2)))


def test_a_net_of_one_size_gets_that_size_and_its_flow_is_scaled_back(passes, tmp_path):
    root = write_flow(tmp_path / "flow", height=120, width=208)
    held = open_held_out(EvalChoice(flow=(str(root),), only_flow=("toy/pair0",)))
    # What is (5, -3) in frames of half the size is (10, -6) in these.
    assert held.score(passes(NET)).EPE == pytest.approx(math.hypot(5, 3), rel=1e-4)


def test_tall_frames_are_judged_at_the_height_that_is_asked_for(passes, tmp_path):
    held = open_held_out(
        EvalChoice(davis=str(write_davis(tmp_path / "davis")), sequences="alpha", height=30)
    )
    made = passes()
    assert held.score(made).J > 0.8
    assert tuple(made.net.blobs["data"].shape) == (1, 3, 30, 52)


def test_without_data_made_scenes_are_judged(passes):
    held = open_held_out(EvalChoice(scenes=2, size=(32, 48)))
    scores = held.score(passes())
    assert scores.pairs == 2 and 0 <= scores.J <= 1
    assert scores.EPE > 0 and scores.EPE_zero > 0


def test_a_branch_that_the_net_lacks_is_not_judged(passes):
    start = NET.index("layer { name: 'flow'")
    held = open_held_out(EvalChoice(scenes=1, size=(60, 104)))
    scores = held.score(
        passes(NET[:start] + PAD + "layer { name: 's' type: 'Silence' bottom: 'data2' }")
    )
    assert scores.EPE is None and scores.J is not None


def test_scoring_ends_when_it_is_asked_to(passes):
    assert open_held_out(EvalChoice(scenes=3, size=(32, 48))).score(passes(), lambda: True) is None


def test_sequences_that_are_not_there_are_told(tmp_path):
    with pytest.raises(MissingDataError, match="gamma"):
        open_held_out(EvalChoice(davis=str(write_davis(tmp_path / "d")), sequences="gamma"))


def test_predictions_are_drawn_a_row_a_pair(passes, tmp_path):
    pairs = [
        *open_held_out(EvalChoice(flow=(str(write_flow(tmp_path / "flow")),))).pairs,
        *open_held_out(EvalChoice(scenes=2, size=(60, 104))).pairs,
    ]
    draw_predictions(HeldOut(pairs, 60, ""), passes(), tmp_path / "p" / "x.png", rows=3)
    image = Image.open(tmp_path / "p" / "x.png")
    assert image.height == 3 * 164 and image.width > 3 * 160
    assert [file.name for file in (tmp_path / "p").iterdir()] == ["x.png"]
