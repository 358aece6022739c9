"""Training samples of every source: what they hold, and that they are functions of the index."""

from dataclasses import fields, replace

import numpy as np
import pytest
from tiny_sets import write_davis, write_flow, write_stills

from segflow.errors import DataError, MissingDataError
from segflow.readers.flow_sets import open_flow_set
from segflow.samples.composites import Composites, edge_share
from segflow.samples.davis_pairs import DavisPairs
from segflow.samples.flow_pairs import FlowPairs, augmented_flow
from segflow.samples.pictures import PictureCache
from segflow.samples.sample import Sample, SampleSpec, collate
from segflow.samples.still_pairs import StillPairs
from segflow.synthesis.augment import NO_PHOTOMETRY
from segflow.synthesis.remap import View, remap

SPEC = SampleSpec(size=(48, 80), seed=5, photometric=NO_PHOTOMETRY)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return {
        "davis": write_davis(folder / "davis"),
        "stills": write_stills(folder / "stills"),
        "flow": write_flow(folder / "flow"),
    }


def source(kind: str, roots, spec: SampleSpec = SPEC):
    if kind == "davis":
        return DavisPairs(roots["davis"], spec)
    if kind == "flow":
        return FlowPairs([roots["flow"]], spec)
    stills = StillPairs([roots["stills"]], spec)
    return stills if kind == "stills" else Composites(stills.stills, spec)


def equal(one: Sample, other: Sample) -> bool:
    return all(
        np.array_equal(getattr(one, f.name), getattr(other, f.name), equal_nan=True)
        for f in fields(Sample)
    )


KINDS = ("davis", "stills", "composites", "flow")


@pytest.mark.parametrize("kind", KINDS)
def test_samples_have_the_promised_shapes_and_types(kind, roots):
    sample = source(kind, roots, replace(SPEC, photometric=SampleSpec().photometric)).sample(3)
    shapes = [getattr(sample, f.name).shape for f in fields(Sample)]
    assert shapes == [(3, 48, 80), (3, 48, 80), (48, 80), (48, 80), (2, 48, 80)]
    assert all(getattr(sample, f.name).dtype == np.float32 for f in fields(Sample))
    assert set(np.unique(sample.mask)) <= {0.0, 1.0}
    assert np.isfinite(sample.frame1).all() and np.isfinite(sample.frame2).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_sample_is_a_function_of_seed_and_index(kind, roots):
    spec = replace(SPEC, photometric=SampleSpec().photometric)
    first = source(kind, roots, spec)
    forward = [first.sample(i) for i in range(6)]
    again = source(kind, roots, spec)
    for i in reversed(range(6)):
        assert equal(forward[i], again.sample(i))
    assert not equal(forward[0], forward[1])
    assert not equal(forward[0], source(kind, roots, replace(spec, seed=6)).sample(0))


@pytest.mark.parametrize("kind, share", [("davis", 0.97), ("stills", 0.97)])
def test_mask_lies_on_the_object_of_frame_1(kind, share, roots):
    made = source(kind, roots)
    seen = 0
    for i in range(20):
        sample = made.sample(i)
        bright = sample.frame1.mean(axis=0) > 0  # the means are near 114, between dark and bright
        assert (bright == (sample.mask > 0)).mean() > share
        seen += bool(sample.mask.any())
    assert seen > 12


@pytest.mark.parametrize("kind, error", [("stills", 3.0), ("flow", 3.0)])
def test_frame_2_read_along_the_flow_is_frame_1(kind, error, roots):
    made = source(kind, roots)
    ys, xs = np.indices(SPEC.size, dtype=np.float32)
    for i in range(10):
        sample = made.sample(i)
        x, y = xs + sample.flow[0], ys + sample.flow[1]
        known = np.isfinite(x) & (x > 1) & (x < 78) & (y > 1) & (y < 46)
        second = np.ascontiguousarray(sample.frame2.transpose(1, 2, 0))
        back = remap(second, np.nan_to_num(x), np.nan_to_num(y)).transpose(2, 0, 1)
        difference = np.abs(back - sample.frame1)[:, known]
        assert known.mean() > 0.25 and np.percentile(difference, 90) < error


def test_davis_flow_is_unknown_and_its_masks_count_fully(roots):
    sample = source("davis", roots).sample(0)
    assert np.isnan(sample.flow).all() and (sample.mask_weight == 1).all()


def test_composites_count_half_and_have_flow_everywhere(roots):
    made = source("composites", roots)
    samples = [made.sample(i) for i in range(8)]
    assert all((s.mask_weight == 0.5).all() and np.isfinite(s.flow).all() for s in samples)
    assert sum(bool(s.mask.any()) for s in samples) >= 7


def test_flow_pairs_have_no_mask(roots):
    sample = source("flow", roots).sample(0)
    assert not sample.mask_weight.any() and not sample.mask.any()


def test_davis_pairs_join_frames_of_one_sequence_one_or_two_apart(roots):
    made = source("davis", roots)
    steps = set()
    for choices in made.choices:
        for pair in choices:
            assert pair.frame1.parent == pair.frame2.parent
            assert pair.mask.parent.name == pair.frame1.parent.name
            assert pair.mask.stem == pair.frame1.stem
            steps.add(int(pair.frame2.stem) - int(pair.frame1.stem))
    assert steps == {1, 2}


def test_held_out_sequences_are_never_read(roots):
    made = DavisPairs(roots["davis"], SPEC, exclude=["alpha"])
    names = {pair.frame1.parent.name for choices in made.choices for pair in choices}
    assert names == {"beta"}
    only = DavisPairs(roots["davis"], SPEC, sequences=["alpha"])
    assert {sequence.name for sequence in only.sequences} == {"alpha"}


def test_unknown_sequence_is_refused_with_those_that_are_there(roots):
    with pytest.raises(MissingDataError, match="'gamma'.*alpha, beta"):
        DavisPairs(roots["davis"], SPEC, exclude=["gamma"])


def test_mask_of_another_size_is_refused_by_name(tmp_path):
    root = write_stills(tmp_path, count=1)
    from PIL import Image

    Image.new("L", (5, 6)).save(root / "Toy/masks/s0.png")
    with pytest.raises(DataError, match="s0.png.*5x6.*96x80"):
        StillPairs([root], SPEC).sample(0)


# augmented_flow


def constant_flow(u: float, v: float) -> np.ndarray:
    flow = np.empty((60, 100, 2), np.float32)
    flow[...] = (u, v)
    return flow


def views_of(scale: float, angle: float, mirror: bool) -> View:
    return View.of_crop((20, 30), (50, 30), scale, angle, mirror)


@pytest.mark.parametrize(
    "view, want",
    [
        (views_of(1, 0, False), (4, -2)),
        (views_of(1, 0, True), (-4, -2)),
        (views_of(2, 0, False), (2, -1)),
        (views_of(1, 90, False), (2, 4)),
        (views_of(0.5, 90, True), (-4, 8)),
    ],
    ids=[
        "plain",
        "mirror negates u",
        "half size",
        "turned clockwise",
        "turned, then mirrored and doubled",
    ],
)
def test_flow_turns_with_the_picture(view, want):
    flow = augmented_flow(constant_flow(4, -2), view, view, view.positions())
    np.testing.assert_allclose(flow, np.broadcast_to(want, flow.shape), atol=2e-4)


def test_shift_between_the_views_is_added_to_the_flow():
    view1 = views_of(1, 0, False)
    view2 = View.of_crop((20, 30), (53, 28), 1)  # looks 3 right, 2 up: things move 3 left, 2 down
    flow = augmented_flow(constant_flow(1, 1), view1, view2, view1.positions())
    np.testing.assert_allclose(flow, np.broadcast_to((-2, 3), flow.shape), atol=1e-4)


def test_flow_values_are_not_mixed_over_an_edge_nor_with_unknown_ones():
    flow = constant_flow(0, 0)
    flow[:, 50:] = (10, 0)
    flow[:, 70:] = np.nan
    view = View.of_crop((20, 60), (60.3, 30), 1.0)
    seen = augmented_flow(flow, view, view, view.positions())
    known = seen[..., 0][np.isfinite(seen[..., 0])]
    assert np.isin(known.round(3), (0, 10)).all()
    assert 0.2 < np.isnan(seen[..., 0]).mean() < 0.5


def test_flow_outside_the_picture_is_unknown():
    view = View.of_crop((20, 30), (0, 30), 1.0)
    seen = augmented_flow(constant_flow(1, 0), view, view, view.positions())
    assert np.isnan(seen[:, :14]).all() and np.isfinite(seen[:, 15:]).all()


def test_flow_set_of_the_test_is_what_it_says(roots):
    pair = open_flow_set(roots["flow"]).pairs[0]
    first, second = (image.astype(int) for image in pair.images())
    u, v = pair.flow()[50, 70]
    assert abs(first[50, 70] - second[50 + int(v), 70 + int(u)]).max() == 0


# the rest


def test_edge_share_tells_cut_objects_from_whole_ones():
    mask = np.zeros((20, 20), np.uint8)
    assert edge_share(mask) == 1
    mask[5:15, 5:15] = 1
    assert edge_share(mask) == 0
    mask[5:20, 5:15] = 1
    assert edge_share(mask) == pytest.approx(10 / 25)


def test_cache_keeps_to_its_budget_and_gives_the_same_pictures(roots):
    files = DavisPairs(roots["davis"], SPEC).frame_files
    size = 60 * 104 * 3
    cache = PictureCache(SPEC.size, budget_bytes=3 * size)
    first = [cache.image(file).copy() for file in files]
    assert cache.held_bytes <= 3 * size
    for file, picture in zip(files, first, strict=True):
        np.testing.assert_array_equal(cache.image(file), picture)
    assert cache.image(files[-1]) is cache.image(files[-1])


def test_large_pictures_are_reduced_with_their_masks(tmp_path):
    root = write_stills(tmp_path, count=1, height=240, width=300)
    cache = PictureCache((48, 80))
    picture = cache.masked(root / "Toy/images/s0.png", root / "Toy/masks/s0.png")
    assert picture.image.shape == (80, 100, 3) and picture.mask.shape == (80, 100)
    bright = picture.image.mean(axis=2) > 130
    assert (bright == (picture.mask > 0)).mean() > 0.99


def test_batches_stack_samples_and_refuse_mixed_sizes(roots):
    made = source("stills", roots)
    batch = collate([made.sample(0), made.sample(1)])
    assert batch.frame1.shape == (2, 3, 48, 80) and batch.mask.shape == (2, 1, 48, 80)
    assert batch.flow.shape == (2, 2, 48, 80) and batch.mask_weight.shape == (2, 1, 48, 80)
    other = source("stills", roots, replace(SPEC, size=(32, 32))).sample(0)
    with pytest.raises(ValueError, match="one size"):
        collate([made.sample(0), other])
