"""The clip in data/clips is what its command makes."""

from pathlib import Path

import numpy as np
import pytest

from segflow.flow_io import read_flow
from segflow.readers.davis import Davis
from segflow.synthesis.bundled_clip import FLOW_EVERY, FRAMES, NAME, SIZE, flying_saucer, write_clip
from segflow.synthesis.textures import photograph_names

CLIPS = Path(__file__).resolve().parents[2] / "data" / "clips"


@pytest.fixture(scope="module")
def scene():
    if not {"coffee.png", "grass.png"} <= set(photograph_names()):
        pytest.skip("this scikit-image does not carry the photographs of the clip")
    return flying_saucer()


def test_clip_is_a_davis_sequence_with_a_mask_for_every_frame():
    sequence = Davis(CLIPS).sequence(NAME)
    assert len(sequence) == FRAMES and not sequence.missing
    for t in (0, FRAMES - 1):
        assert sequence.image(t).shape == (*SIZE, 3)
        assert 0.03 < sequence.mask(t).mean() < 0.3


@pytest.mark.parametrize("t", [0, 23, 47])
def test_frames_and_masks_are_those_of_the_scene(t, scene):
    sequence = Davis(CLIPS).sequence(NAME)
    frame, labels = scene.frame_and_labels(t)
    assert (sequence.mask(t) != labels).mean() < 1e-4
    assert np.abs(sequence.image(t).astype(int) - frame).mean() < 8  # JPEG


def test_flow_is_that_of_the_scene_to_the_rounding_of_its_file(scene):
    files = sorted((CLIPS / "Flow" / NAME).glob("*.png"))
    assert [int(file.stem) for file in files] == list(range(0, FRAMES, FLOW_EVERY))
    flow = read_flow(files[2])
    difference = np.abs(flow - scene.flow(2 * FLOW_EVERY)).max(axis=2)
    assert np.quantile(difference, 0.999) < 1 / 128 + 1e-3


def test_object_moves_against_its_background():
    sequence = Davis(CLIPS).sequence(NAME)
    flow, mask = read_flow(CLIPS / "Flow" / NAME / "00000.png"), sequence.mask(0) > 0
    assert np.linalg.norm(flow[mask].mean(axis=0) - flow[~mask].mean(axis=0)) > 5


def test_clip_is_small():
    size = sum(file.stat().st_size for file in CLIPS.rglob("*") if file.is_file())
    assert size < 1.5e6


@pytest.mark.slow
def test_command_writes_the_whole_clip(tmp_path, scene):
    write_clip(tmp_path)
    names = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.*")}
    here = {str(file.relative_to(CLIPS)) for file in CLIPS.rglob("*.*")} - {"README.md"}
    assert names == here
