"""Which samples a stage of training sees."""

import numpy as np
import pytest
from tiny_sets import write_davis, write_flow, write_stills

from segflow.errors import DataError, UsageError
from segflow.samples.sample import BatchSource, SampleSpec
from segflow.samples.scene_samples import SceneSamples
from segflow.samples.training_mixture import DataRoots, training_mixture

SPEC = SampleSpec(size=(32, 48), seed=1)


@pytest.fixture(scope="module")
def roots(tmp_path_factory) -> DataRoots:
    folder = tmp_path_factory.mktemp("sets")
    return DataRoots(
        write_davis(folder / "davis"),
        [write_stills(folder / "stills")],
        [write_flow(folder / "flow")],
    )


@pytest.mark.parametrize(
    "stage, want",
    [
        ("segmentation", {"davis", "stills", "composites"}),
        ("flow", {"flow", "stills", "composites"}),
        ("joint", {"davis", "stills", "composites", "flow"}),
    ],
)
def test_stages_take_what_teaches_them(stage, want, roots):
    assert set(training_mixture(roots, SPEC, stage).names) == want


def test_flow_stage_has_flow_in_every_sample(roots):
    mixture = training_mixture(roots, SPEC, "flow")
    assert all(np.isfinite(mixture.sample(i).flow).any() for i in range(24))


def test_without_data_scenes_are_made():
    mixture = training_mixture(DataRoots(), SPEC)
    assert mixture.names == ["scenes"]
    batch = BatchSource(mixture, 3).batch(0)
    assert batch.frame1.shape == (3, 3, 32, 48) and np.isfinite(batch.flow).all()
    assert batch.mask.any()


def test_weights_replace_the_stages_shares(roots):
    mixture = training_mixture(roots, SPEC, weights={"davis": 1, "scenes": 3})
    assert dict(zip(mixture.names, mixture.shares, strict=True)) == {"davis": 0.25, "scenes": 0.75}


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: training_mixture(DataRoots(), SPEC, "masks"), "'masks'.*segmentation, flow"),
        (lambda: training_mixture(DataRoots(), SPEC, weights={"davis": 1}), "'davis'.*no data"),
        (lambda: training_mixture(DataRoots(), SPEC, weights={"chairs": 1}), "'chairs'.*davis"),
        (lambda: training_mixture(DataRoots("/nowhere"), SPEC), "/nowhere: no such folder"),
        (lambda: SampleSpec(size=(4, 4)), "8 pixels"),
        (lambda: SampleSpec(mean=(1.0, 2.0)), "three values"),  # type: ignore[arg-type]
        (lambda: BatchSource(SceneSamples(SPEC), 0), "batch size 0"),
    ],
)
def test_wrong_wishes_are_refused(call, words):
    with pytest.raises((UsageError, DataError), match=words):
        call()


def test_scene_samples_are_functions_of_the_index_and_count_half():
    one, other = SceneSamples(SPEC), SceneSamples(SPEC)
    later = other.sample(7)
    sample = [one.sample(i) for i in range(8)][7]
    np.testing.assert_array_equal(sample.frame2, later.frame2)
    np.testing.assert_array_equal(sample.flow, later.flow)
    assert (sample.mask_weight == 0.5).all()
