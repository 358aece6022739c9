"""Small nets and clocks of the benchmarks."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np


def median(values: list[float]) -> float:
    """The middle one (of an even number, the later of the two)."""
    return sorted(values)[len(values) // 2]


def seconds_of(run: Callable[[], Any]) -> float:
    """Wall-clock seconds of one `run()`."""
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def median_seconds(run: Callable[[], Any], repeats: int = 5, warm_up: int = 2) -> float:
    """Median wall-clock seconds of `run()`."""
    for _ in range(warm_up):
        run()
    return median([seconds_of(run) for _ in range(repeats)])


def interleaved_seconds(
    runs: Mapping[str, Callable[[], Any]], repeats: int = 7, seconds_each: float = 1.0
) -> dict[str, float]:
    """Median seconds of each of several runs that take turns, so that a slow moment of the
    machine hits all of them alike.

    The first turn is a warm-up. A run that has used `seconds_each` takes no further turns (if
    it has so in the first, that one counts).
    """
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(1 + repeats):
        for name, run in runs.items():
            if sum(seconds[name]) <= seconds_each:
                seconds[name].append(seconds_of(run))
    return {name: median(values[1:] or values) for name, values in seconds.items()}


def small_net(text: str, phase: int, **options: Any) -> Any:
    """A caffe.Net from prototxt text."""
    import caffe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "net.prototxt"
        path.write_text(text)
        return caffe.Net(str(path), phase, **options)


def fill_inputs(net: Any) -> None:
    """Seeded normal values in every input."""
    rng = np.random.default_rng(0)
    for name in net.inputs:
        net.blobs[name].data[...] = rng.normal(0, 1, net.blobs[name].data.shape)
