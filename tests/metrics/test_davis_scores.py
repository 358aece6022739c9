"""J, F and their statistics: against the definitions, and against the published scores."""

import csv
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from segflow.metrics.boundary import boundary_accuracy, boundary_map
from segflow.metrics.davis import frame_scores, scored_frames, sequence_scores, statistics
from segflow.metrics.region import region_similarity
from segflow.readers.davis import Davis
from segflow.readers.image import read_mask


def mask_of(text):
    return np.array([[int(c) for c in row] for row in text.split()], np.uint8)


def reference_boundary(mask):
    """Pixel by pixel, from the protocol's words."""
    height, width = mask.shape
    boundary = np.zeros(mask.shape, bool)
    for y in range(height):
        for x in range(width):
            neighbours = [(y, x + 1), (y + 1, x), (y + 1, x + 1)]
            if y == height - 1:
                neighbours = neighbours[:1]
            elif x == width - 1:
                neighbours = neighbours[1:2]
            if y == height - 1 and x == width - 1:
                neighbours = []
            boundary[y, x] = any(
                bool(mask[y, x]) != bool(mask[v, u])
                for v, u in neighbours
                if v < height and u < width
            )
    return boundary


def reference_accuracy(mask, truth, radius):
    """All distances between boundary pixels, from the protocol's words."""
    a, b = np.argwhere(reference_boundary(mask)), np.argwhere(reference_boundary(truth))
    if len(a) == 0 or len(b) == 0:
        precision, recall = float(len(a) == 0), float(len(b) == 0)
    else:
        squared = ((a[:, None] - b[None]) ** 2).sum(axis=2)
        precision = (squared.min(axis=1) <= radius**2).mean()
        recall = (squared.min(axis=0) <= radius**2).mean()
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def random_mask(rng, height, width):
    kind = rng.integers(4)
    if kind == 0:
        return (rng.random((height, width)) < rng.random()).astype(np.uint8)
    mask = np.zeros((height, width), np.uint8)
    if kind == 1:
        return mask + rng.integers(2, dtype=np.uint8)
    y, x = rng.integers(0, height + 1, 2), rng.integers(0, width + 1, 2)
    mask[y.min() : y.max(), x.min() : x.max()] = 255
    return mask


def test_region_similarity_is_intersection_over_union():
    assert region_similarity(mask_of("0110 0110"), mask_of("0011 0011")) == pytest.approx(2 / 6)
    assert region_similarity(mask_of("00"), mask_of("00")) == 1
    assert region_similarity(mask_of("00"), mask_of("01")) == 0


def test_values_above_one_count_as_object():
    assert frame_scores(mask_of("000 020 000") * 127, mask_of("000 010 000")) == (1, 1)


def test_boundary_of_a_square_lies_on_and_before_it():
    boundary = boundary_map(mask_of("00000 00000 00110 00110 00000"))
    np.testing.assert_array_equal(boundary, mask_of("00000 01110 01010 01110 00000").astype(bool))


def test_boundary_at_the_last_row_and_column_has_one_neighbour():
    np.testing.assert_array_equal(boundary_map(mask_of("01 11")), [[True, False], [False, False]])
    np.testing.assert_array_equal(boundary_map(mask_of("10 01")), [[True, True], [True, False]])


@settings(max_examples=150, deadline=None)
@given(
    seed=st.integers(0, 2**31),
    height=st.integers(1, 17),
    width=st.integers(1, 23),
    radius=st.integers(1, 6),
)
def test_boundary_accuracy_equals_the_definition(seed, height, width, radius):
    rng = np.random.default_rng(seed)
    mask, truth = random_mask(rng, height, width), random_mask(rng, height, width)
    np.testing.assert_array_equal(boundary_map(mask), reference_boundary(mask))
    expected = reference_accuracy(mask, truth, radius)
    assert boundary_accuracy(mask, truth, bound_th=radius) == pytest.approx(expected, abs=1e-12)


def test_boundary_tolerance_is_a_share_of_the_diagonal_rounded_up():
    mask, truth = np.zeros((2, 480, 854), np.uint8)
    mask[100:200, 100:200] = 1
    for shift, expected in ((8, 1.0), (9, None)):  # ceil(0.008 * |(480, 854)|) = 8
        truth[:] = 0
        truth[100:200, 100 + shift : 200 + shift] = 1
        value = boundary_accuracy(mask, truth)
        assert math.ceil(0.008 * math.hypot(480, 854)) == 8
        assert value == expected if expected else value < 1


def test_masks_of_different_shape_are_refused():
    for measure in (region_similarity, boundary_accuracy):
        with pytest.raises(ValueError, match=r"\(2, 2\).*\(2, 3\)"):
            measure(np.zeros((2, 2)), np.zeros((2, 3)))


def test_mean_recall_and_decay_of_a_hand_worked_sequence():
    # n = 6: marks 1, 2 (2.25), 4 (3.5 and 1e-10 more), 5 (4.75), 6
    mean, recall, decay = statistics([0.9, 0.7, 0.5, 0.6, 0.4, 0.2])
    assert mean == pytest.approx(3.3 / 6)
    assert recall == pytest.approx(3 / 6), "0.5 itself is not recalled"
    assert decay == pytest.approx((0.9 + 0.7) / 2 - (0.4 + 0.2) / 2)


def test_marks_of_decay_that_fall_between_frames_go_to_the_later_one():
    # n = 7: marks 1, 2.5 -> 3, 4, 5.5 -> 6, 7
    decay = statistics([7, 5, 3, 0, 0, 1, 2])[2]
    assert decay == pytest.approx((7 + 5 + 3) / 3 - (1 + 2) / 2)


def test_first_and_last_frame_are_not_scored():
    assert list(scored_frames(5)) == [1, 2, 3]
    with pytest.raises(ValueError, match="needs three"):
        statistics([])


@pytest.mark.parametrize("variant, method", [("unsupervised", "sflu"), ("semisupervised", "sfls")])
def test_published_scores_are_reproduced_from_the_published_masks(shared, variant, method):
    with shared("data/benchmarks/davis2016_published_scores.csv").open() as file:
        published = {r["sequence"]: r for r in csv.DictReader(file) if r["method"] == method}
    masks = shared(f"data/benchmarks/segflow_masks/{variant}")
    sequences = Davis(shared("data/davis")).split("val").sequences
    assert len(sequences) == 7
    for sequence in sequences:
        scores = [
            frame_scores(
                read_mask(masks / sequence.name / f"{sequence.frame_name(index)}.png"),
                sequence.mask(index),
            )
            for index in scored_frames(len(sequence))
        ]
        for name, value in sequence_scores(*zip(*scores, strict=True)).as_dict().items():
            assert value == pytest.approx(float(published[sequence.name][name]), abs=5e-4), (
                f"{name} of {sequence.name}"
            )
