"""Several sources of samples mixed in fixed shares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from segflow.samples.sample import Sample, SampleSource

_GOLDEN = (5**0.5 - 1) / 2


class Mixture:
    """Sample `index` comes from one of the sources, in the shares of their weights.

    sources: {name: (source, weight)}; the shares hold in every stretch of samples, not only in
    the long run (the choice is a golden-ratio sequence, whose counts stay within about one or two
    of the exact share). Raises ValueError for negative weights or none above 0.
    """

    def __init__(self, sources: Mapping[str, tuple[SampleSource, float]], seed: int = 0):
        for name, (_, weight) in sources.items():
            if not weight >= 0:
                raise ValueError(f"Mixture: the weight of {name!r} is {weight}, want 0 or more")
        used = {name: pair for name, pair in sources.items() if pair[1] > 0}
        if not used:
            raise ValueError("Mixture: no source has a weight above 0")
        self.names = list(used)
        self._sources = [source for source, _ in used.values()]
        weights = np.array([weight for _, weight in used.values()], np.float64)
        self.shares = weights / weights.sum()
        self._ends = np.cumsum(self.shares)[:-1]
        self._start = float(np.random.default_rng((seed, 977)).random())

    def choice(self, index: int) -> str:
        """The name of the source of sample `index`."""
        return self.names[self._number(index)]

    def sample(self, index: int) -> Sample:
        return self._sources[self._number(index)].sample(index)

    def _number(self, index: int) -> int:
        place = (self._start + index * _GOLDEN) % 1.0
        return int(np.searchsorted(self._ends, place, side="right"))
