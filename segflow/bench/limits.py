"""Rates that bound a layer: of a large matrix product and of a copy, on this machine."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from segflow.bench.measure import fill_inputs, median_seconds, small_net

PRODUCT = 2048  # rows, columns and depth of the matrix product
COPIED = 32 << 20  # float32 values of the copy: 128 MB


@dataclass(frozen=True)
class Limit:
    """One `run()` does `amount` of work: GFLOP or GB."""

    name: str
    amount: float
    unit: str
    run: Callable[[], Any]

    def rate(self) -> float:
        """Units a second, measured now."""
        return self.amount / median_seconds(self.run)


def sgemm_limit() -> Limit:
    """A product of square matrices through the engine's InnerProduct layer."""
    import caffe

    net = small_net(
        f'layer {{ name: "x" type: "Input" top: "x" input_param {{ shape {{ dim: {PRODUCT} '
        f'dim: {PRODUCT} }} }} }} layer {{ name: "y" type: "InnerProduct" bottom: "x" top: "y" '
        f"inner_product_param {{ num_output: {PRODUCT} bias_term: false }} }}",
        caffe.TEST,
    )
    fill_inputs(net)
    net.params["y"][0].data[...] = 0.5
    return Limit("sgemm", 2e-9 * PRODUCT**3, "GFLOP/s", net.forward)


def copy_limit(threads: int) -> Limit:
    """A copy by as many threads, each of its own part; read and write counted."""
    source = np.ones((threads, COPIED // threads), np.float32)
    target = np.empty_like(source)
    pool = ThreadPoolExecutor(threads)
    return Limit(
        "copy",
        2e-9 * source.nbytes,
        "GB/s",
        lambda: list(pool.map(np.copyto, target, source)),
    )
