"""What every data layer does: hand prefetched arrays to its tops, and say where it stands."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from segflow.errors import DataError, UsageError
from segflow.samples.prefetch import Prefetcher

Arrays = Sequence[np.ndarray]


class SampleFeed:
    """Fills the tops of a data layer, one item a forward pass.

    shapes: {what a top holds: its shape}, in the order of the tops; make(index): the arrays of
    one item, a function of the index. The state is that of the item consumed last; `identity` is
    stored with it, so that a state of other data or another seed is not taken for this one's.
    """

    def __init__(
        self,
        layer: str,
        shapes: dict[str, tuple[int, ...]],
        make: Callable[[int], Arrays],
        *,
        identity: dict[str, Any],
        start: int = 0,
        prefetch: int = 3,
        workers: int = 1,
    ):
        self.layer = layer
        self.shapes = shapes
        self.identity = _plain(identity)
        self._make, self._start = make, start
        self._rank, self._processes = 0, 1
        self._ahead = Prefetcher(self._own_item, start=start, depth=prefetch, workers=workers)

    def share(self, rank: int, processes: int) -> None:
        """Take every `processes`-th item, beginning with number `rank`: N processes see in one
        pass what one process with N times the batch would see. Before the first item."""
        self._rank, self._processes = rank, processes
        if processes > 1:
            self.identity["processes"] = processes

    def _own_item(self, index: int) -> Arrays:
        """Item number `index` of this process."""
        return self._make(self._start + (index - self._start) * self._processes + self._rank)

    def check(self, bottom: Sequence[Any], top: Sequence[Any]) -> None:
        """Raises UsageError where the layer's bottoms and tops are not those that it has."""
        if len(bottom):
            raise UsageError(f"{self.layer}: a data layer takes no bottom, got {len(bottom)}")
        if len(top) != len(self.shapes):
            raise UsageError(
                f"{self.layer}: {len(self.shapes)} tops are wanted "
                f"({', '.join(self.shapes)}), got {len(top)}"
            )

    def reshape(self, top: Sequence[Any]) -> None:
        """The tops' shapes; they do not change, and no item is consumed."""
        for blob, shape in zip(top, self.shapes.values(), strict=True):
            blob.reshape(*shape)

    def fill(self, top: Sequence[Any]) -> None:
        """The next item into the tops' data. Raises what making it raised."""
        for blob, array in zip(top, self._ahead.next(), strict=True):
            blob.data[...] = array

    @property
    def waited_seconds(self) -> float:
        """How long passes have waited for items so far."""
        return self._ahead.waited_seconds

    def get_state(self) -> dict[str, Any]:
        """{"next": index of the next item, "identity": ...}: plain values, as JSON takes them."""
        return {**self._ahead.get_state(), "identity": self.identity}

    def set_state(self, state: dict[str, Any]) -> None:
        """Go on where a state says. Raises DataError where it belongs to other data."""
        if _plain(state.get("identity")) != self.identity:
            raise DataError(
                f"{self.layer}: the state is of {state.get('identity')}, this layer has "
                f"{self.identity}; resume with the same data, seed and batch size, in as many "
                "processes"
            )
        self._ahead.set_state(state)

    def close(self) -> None:
        """Stop the threads."""
        self._ahead.close()


def _plain(value: Any) -> Any:
    """The value as it comes back from JSON (tuples as lists)."""
    return json.loads(json.dumps(value))
