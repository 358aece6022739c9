"""The GPU's rows: segflow's deploy pass and training, correlation and warp, by the GPU's clock.

Names and fields of a row are those of a peer's script for other frameworks, so that both can
be put side by side: `median_ms`, `min_ms`, `max_ms` between marks on the GPU, `wall_ms` a run,
`runs`, `first_s` of the first run (choosing kernels included), `peak_mb` of GPU memory while
the timed runs went on; `deviation` of a forward pass of one frame pair from the CPU's pass,
largest over the outputs, relative to an output's largest number.
"""

from __future__ import annotations

import gc
import json
import os
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from segflow.bench import deploy_net
from segflow.bench.operators import Operator, correlation, flow_warp, operator_net
from segflow.errors import SegflowError

GFLOP = 198.55  # convolutions and deconvolutions of the deploy net at 480x854
RUNS = 20
SHORT_RUNS = 100  # of work that takes less than SHORT_SECONDS
SHORT_SECONDS = 5e-4


@dataclass(frozen=True)
class Precision:
    """How products are computed: whether TF32 is allowed, and what the environment says."""

    tf32: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)


PRECISIONS = {
    "fp32": Precision(),
    "tf32": Precision(tf32=True),
    "fp32 split": Precision(environment={"CAFFE_SPLIT_TF32": "1"}),
    "tf32 row-major": Precision(tf32=True, environment={"CAFFE_LAYOUT": "row-major"}),
}
OPERATORS = {
    "corr flownetc": correlation(256, 48, 64, 20, 2),
    "corr pwc": correlation(96, 112, 256, 4, 1),
    "warp 64x112x256": flow_warp(64, 112, 256),
    "warp 3x480x854": flow_warp(3, 480, 854),
}
SMALL_OPERATORS = {
    "corr flownetc": correlation(8, 9, 12, 4, 2),
    "corr pwc": correlation(6, 10, 14, 3, 1),
    "warp 64x112x256": flow_warp(4, 11, 13),
    "warp 3x480x854": flow_warp(3, 20, 30),
}


@dataclass(frozen=True)
class Row:
    """One line of the table. `measure` takes the most seconds that its timed runs may use."""

    name: str
    measure: Callable[[float], dict[str, Any]]


def measure(run: Callable[[], Any], most_seconds: float) -> dict[str, Any]:
    """Times `run` by marks on the GPU, the host running ahead of it as in real work."""
    import caffe

    def once() -> float:
        start = time.perf_counter()
        run()
        caffe.synchronize()
        return time.perf_counter() - start

    first = once()
    seconds = min(once() for _ in range(3))  # the second pass of a net may be recorded
    runs = RUNS if seconds * RUNS <= most_seconds else max(5, int(most_seconds / seconds))
    if seconds < SHORT_SECONDS:
        runs = SHORT_RUNS
    gc.collect()
    caffe.device_memory(reset_peak=True)
    timers = [caffe.Timer() for _ in range(runs)]
    gc.disable()
    try:
        caffe.synchronize()
        start = time.perf_counter()
        for timer in timers:
            timer.start()
            run()
            timer.stop()
        caffe.synchronize()
        wall = time.perf_counter() - start
    finally:
        gc.enable()
    milliseconds = [timer.ms for timer in timers]
    return {
        "median_ms": round(statistics.median(milliseconds), 4),
        "min_ms": round(min(milliseconds), 4),
        "max_ms": round(max(milliseconds), 4),
        "wall_ms": round(wall / runs * 1e3, 4),
        "runs": runs,
        "first_s": round(first, 3),
        "peak_mb": round(caffe.device_memory()["peak"] / 2**20, 1),
    }


class _Weights:
    """The seeded weights, drawn once, and what the CPU makes of one frame pair with them."""

    def __init__(self) -> None:
        self._values: dict[str, list[np.ndarray]] = {}
        self._outputs: dict[str, np.ndarray] = {}

    def deviation(self, net: Any) -> float:
        """That of the outputs of `net`, which has just run on the seeded frames."""
        import caffe

        if not self._outputs:
            caffe.set_mode_cpu()
            try:
                on_cpu = _deploy_net(1)
                self.fill(on_cpu)
                deploy_net.fill_frames(on_cpu)
                on_cpu.forward()
                self._outputs = {n: on_cpu.blobs[n].data.copy() for n in deploy_net.OUTPUTS}
            finally:
                caffe.set_mode_gpu()
        return max(
            float(np.abs(net.blobs[name].data - wanted).max() / np.abs(wanted).max())
            for name, wanted in self._outputs.items()
        )

    def fill(self, net: Any) -> None:
        if not self._values:
            deploy_net.fill_seeded(net)
            self._values = {
                name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()
            }
            return
        for name, blobs in net.params.items():
            for blob, value in zip(blobs, self._values[name], strict=True):
                blob.data[...] = value


def _whole_pass(net: Any) -> Callable[[], Any]:
    """Forward without copying the outputs to the host."""
    last = len(net.layers) - 1
    return lambda: net._forward(0, last)


def _deploy_net(batch: int) -> Any:
    import caffe

    net = caffe.Net(str(deploy_net.DEPLOY), caffe.TEST, keep=deploy_net.OUTPUTS)
    for name in ("data", "data2"):
        net.blobs[name].reshape(batch, 3, *net.blobs[name].data.shape[2:])
    net.reshape()
    return net


def _forward_row(weights: _Weights, batch: int, most: float) -> dict[str, Any]:
    net = _deploy_net(batch)
    weights.fill(net)
    deploy_net.fill_frames(net)
    row = measure(_whole_pass(net), most)
    if batch == 1:
        row["deviation"] = weights.deviation(net)
    row["gflop"] = round(GFLOP * batch, 1)
    row["tflops"] = round(row["gflop"] / row["median_ms"], 2)
    return row


def _training_row(weights: _Weights, batch: int, most: float) -> dict[str, Any]:
    """Forward, summed loss, backward and a step of SGD with momentum."""
    import caffe

    with tempfile.TemporaryDirectory() as folder:
        net = Path(folder) / "train.prototxt"
        net.write_text(deploy_net.training_text(batch))
        path = Path(folder) / "solver.prototxt"
        path.write_text(
            f'net: "{net}" base_lr: 1e-14 momentum: 0.9 lr_policy: "fixed" display: 0 '
            "max_iter: 1000000 snapshot: 0 snapshot_after_train: false solver_mode: GPU"
        )
        solver = caffe.SGDSolver(str(path))
    weights.fill(solver.net)
    deploy_net.fill_frames(solver.net)
    return measure(lambda: solver.step(1), most)


def smooth_flow(batch: int, height: int, width: int) -> np.ndarray:
    """(batch, 2, height, width) pixels: normal values of about 5 on a grid of 16 pixels, between
    them linear, as flow is; neighbours are read side by side."""
    rng = np.random.default_rng(4)
    coarse = 5 * rng.standard_normal((batch, 2, height // 16 + 2, width // 16 + 2))
    flow = coarse
    for axis, length in ((2, height), (3, width)):
        places = np.linspace(0, flow.shape[axis] - 1, length)
        below = np.minimum(places.astype(int), flow.shape[axis] - 2)
        weight = (places - below).reshape([-1 if a == axis else 1 for a in range(4)])
        flow = np.take(flow, below, axis) * (1 - weight) + np.take(flow, below + 1, axis) * weight
    return flow.astype(np.float32)


def _operator_row(operator: Operator, batch: int, backward: bool, most: float) -> dict[str, Any]:
    net = operator_net(operator, batch, training=backward)
    if operator.window is None:
        net.blobs["b"].data[...] = smooth_flow(batch, *operator.shape[1:])
    return measure(net._forward_backward if backward else _whole_pass(net), most)


def rows(small: bool = False) -> Iterator[Row]:
    """Every row, most wanted first. small: operators of tiny sizes alone."""
    import caffe

    weights = _Weights()

    def at(precision: str, body: Callable[..., dict[str, Any]], *args: Any) -> Callable:
        def run(most: float) -> dict[str, Any]:
            setting = PRECISIONS[precision]
            os.environ.update(setting.environment)
            caffe.allow_tf32(setting.tf32)
            try:
                return body(*args, most)
            finally:
                caffe.allow_tf32(False)
                for name in setting.environment:
                    del os.environ[name]

        return run

    for batch in () if small else (1, 8):
        for precision in PRECISIONS:
            name = f"fwd b{batch} {precision} caffe"
            yield Row(name, at(precision, _forward_row, weights, batch))
    for name, operator in (SMALL_OPERATORS if small else OPERATORS).items():
        for batch in (1, 8):
            for backward in (False, True):
                row_name = f"{name} b{batch} caffe {'fwd+bwd' if backward else 'fwd'}"
                yield Row(row_name, at("fp32", _operator_row, operator, batch, backward))
    for batch in () if small else (1, 8):
        for precision in PRECISIONS:
            name = f"train b{batch} {precision} flow-frozen caffe"
            yield Row(name, at(precision, _training_row, weights, batch))


def run_rows(
    deadline: float, path: Path | None = None, only: str | None = None, small: bool = False
) -> dict[str, Any]:
    """Run and print the rows; those that do not begin within `deadline` seconds are skipped.

    path: a file that is written anew after each row. only: regular expression of names.
    Returns what the last printed line holds as JSON. A row that fails says so and the next
    goes on.
    """
    started = time.monotonic()
    import caffe

    if caffe.device_count() == 0:
        raise SegflowError(
            "no GPU can be used here: either caffe was built for CPUs only (caffe/docs/gpu.md), "
            "or the driver sees none (nvidia-smi tells)"
        )
    caffe.set_device(0)
    caffe.set_mode_gpu()
    report: dict[str, Any] = {"framework": "caffe", "device": caffe.device_name(0), "rows": []}
    print(f"# {report['device']}\n# {'name':<44} {'median ms':>10} {'min ms':>10} {'peak MB':>10}")
    for row in rows(small):
        if only and not re.search(only, row.name):
            continue
        began = time.monotonic() - started
        entry: dict[str, Any] = {"name": row.name}
        if began > deadline:
            entry["skipped"] = f"{began:.0f} s of {deadline:.0f} s were over"
        else:
            try:
                entry.update(row.measure(1.5))
            except (RuntimeError, ValueError, MemoryError, KeyError) as error:
                entry["error"] = str(error).strip()[:500]
        entry["row_s"] = round(time.monotonic() - started - began, 2)
        report["rows"].append(entry)
        report["total_s"] = round(time.monotonic() - started, 2)
        print(_line(entry), flush=True)
        gc.collect()
        caffe.empty_device_cache()
        if path is not None:
            part = path.with_name(path.name + ".part")
            part.write_text(json.dumps(report) + "\n")
            part.replace(path)
    print(json.dumps(report), flush=True)
    return report


def _line(entry: dict[str, Any]) -> str:
    if "median_ms" not in entry:
        why = "skipped" if "skipped" in entry else "error"
        return f"{entry['name']:<46} {why}: {entry[why]}"
    return (
        f"{entry['name']:<46} {entry['median_ms']:>10.3f} {entry['min_ms']:>10.3f} "
        f"{entry['peak_mb']:>10.1f}   n={entry['runs']} wall={entry['wall_ms']:.3f} "
        f"first={entry['first_s']:.2f}s"
        + (f" deviation={entry['deviation']:.1e}" if "deviation" in entry else "")
    )
