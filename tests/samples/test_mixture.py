"""Mixtures of sources."""

from collections import Counter

import pytest

from segflow.samples.mixture import Mixture


class Named:
    """A source whose samples say where they come from."""

    def __init__(self, name: str):
        self.name = name

    def sample(self, index: int):
        return (self.name, index)


def mixture(**weights: float) -> Mixture:
    return Mixture({name: (Named(name), weight) for name, weight in weights.items()}, seed=3)


def test_shares_hold_in_every_stretch():
    mixed = mixture(davis=5, stills=3, composites=4)
    for start in range(0, 600, 60):
        counts = Counter(mixed.choice(i) for i in range(start, start + 60))
        for name, want in (("davis", 25), ("stills", 15), ("composites", 20)):
            assert abs(counts[name] - want) <= 2


def test_sample_comes_from_its_choice_with_the_same_index():
    mixed = mixture(a=1, b=1)
    assert all(mixed.sample(i) == (mixed.choice(i), i) for i in range(20))


def test_source_of_weight_0_is_never_taken():
    mixed = mixture(a=1, b=0)
    assert {mixed.choice(i) for i in range(50)} == {"a"}


@pytest.mark.parametrize(
    "weights, words", [({"a": -1.0, "b": 2.0}, "'a' is -1"), ({"a": 0}, "above 0"), ({}, "above 0")]
)
def test_bad_weights_are_refused(weights, words):
    with pytest.raises(ValueError, match=words):
        mixture(**weights)
