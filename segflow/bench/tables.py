"""The tables of `make bench`: passes of the networks, layer times, correlation and warp.

Every table is taken in one run on one machine, beside the rate of a large matrix product and
of a copy there: only ratios mean anything elsewhere.
"""

from __future__ import annotations

import argparse
import os
import time
from collections.abc import Callable
from pathlib import Path

from segflow.bench.limits import copy_limit, sgemm_limit
from segflow.bench.measure import fill_inputs, median_seconds
from segflow.bench.operators import print_operator_tables
from segflow.cli import print_table

ROOT = Path(__file__).resolve().parents[2]
SEGFLOW_GFLOP = 198.55  # convolutions and deconvolutions of the deploy net at 480x854
LITE_HEIGHTS = (240, 384, 480)


def lite_rows() -> list[list[str]]:
    """Seconds of a pair and pairs a second of segflow_lite."""
    import caffe

    rows = []
    net = caffe.Net(
        str(ROOT / "prototxt/segflow_lite/deploy.prototxt"),
        caffe.TEST,
        keep=["score", "score_flow"],
    )
    for height in LITE_HEIGHTS:
        width = round(height * 854 / 480)
        for name in ("data", "data2"):
            net.blobs[name].reshape(1, 3, height, width)
        net.reshape()
        fill_inputs(net)
        seconds = median_seconds(net.forward)
        rows.append([f"{height}x{width}", f"{seconds:.3f}", f"{1 / seconds:.1f}"])
    return rows


def layer_rows(most: int = 15) -> list[list[str]]:
    """The slowest layers of segflow's deploy net, run one by one (unfused)."""
    import caffe

    net = caffe.Net(str(ROOT / "prototxt/segflow/deploy.prototxt"), caffe.TEST)
    fill_inputs(net)
    started = [0.0]
    spent: dict[int, float] = {}

    def stop(layer: int) -> None:
        spent[layer] = min(spent.get(layer, 1e9), time.perf_counter() - started[0])

    net.before_forward(lambda layer: started.__setitem__(0, time.perf_counter()))
    net.after_forward(stop)
    for _ in range(3):
        net.forward()
    names = list(net._layer_names)
    ranked = sorted(spent.items(), key=lambda item: -item[1])[:most]
    return [[names[i], net.layers[i].type, f"{1e3 * seconds:.2f}"] for i, seconds in ranked]


def run_tables(run_self: Callable[..., dict[str, float]], args: argparse.Namespace) -> None:
    """Print every table. `run_self('forward')` runs a benchmark in a process of its own."""
    passes = {
        "segflow forward, keep": run_self("forward"),
        "segflow forward, every blob kept": run_self("forward", "--everything"),
        "segflow training iteration, flow branch frozen": run_self("train"),
    }
    os.environ["OMP_NUM_THREADS"] = str(args.threads)
    os.environ.setdefault("GLOG_minloglevel", "2")
    limits = sgemm_limit(), copy_limit(args.threads)
    rates = [limit.rate() for limit in limits]
    print_table(
        ["limit", "rate"],
        [
            [limit.name, f"{rate:.1f} {limit.unit}"]
            for limit, rate in zip(limits, rates, strict=True)
        ],
        "this machine, this run",
    )
    sgemm = rates[0]
    rows = []
    for name, result in passes.items():
        rate = SEGFLOW_GFLOP / result["seconds"] if "forward" in name else None
        rows.append(
            [
                name,
                f"{result['seconds']:.3f}",
                f"{result['peak_rss_mb']:.0f}",
                f"{rate:.0f}" if rate else "",
                f"{rate / sgemm:.2f}" if rate else "",
            ]
        )
    print_table(["480x854, batch 1", "seconds", "peak MB", "GFLOP/s", "of sgemm"], rows, "segflow")
    print_table(["frame", "seconds", "pairs/s"], lite_rows(), "segflow_lite")
    print_table(["layer", "type", "ms"], layer_rows(), "slowest layers of segflow, unfused")
    print_operator_tables(args.threads)
