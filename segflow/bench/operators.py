"""Correlation and warp beside the rate that bounds them and the best PyTorch form of them.

Layer, limit and forms take turns in one process, on as many threads, with the same values; where
PyTorch is not installed the tables say so and give the engine's figures alone.
"""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from segflow.bench.limits import Limit, copy_limit, sgemm_limit
from segflow.bench.measure import fill_inputs, interleaved_seconds, small_net
from segflow.cli import print_table

LAYER = "the layer"
LIMIT = "its limit"
ROUNDS = 15
NO_PYTORCH = "PyTorch is not installed"
TOLERANCE = 1e-3  # of the largest value: a form that differs more computes something else


@dataclass(frozen=True)
class Operator:
    """A layer of two bottoms, `shape` and (`second_channels`, same size)."""

    name: str
    shape: tuple[int, int, int]
    second_channels: int
    layer: str  # prototxt
    limit: str  # name of the Limit that bounds it
    amounts: dict[str, float]  # by pass: GFLOP, or GB that must be read and written
    window: tuple[int, int] | None = None  # reach and step of a correlation


def correlation(channels: int, height: int, width: int, reach: int, step: int) -> Operator:
    """Correlation of kernel size 1 with displacements -reach, -reach + step, ..., reach."""
    products = 2e-9 * channels * height * width * (2 * (reach // step) + 1) ** 2
    return Operator(
        f"Correlation {channels}x{height}x{width} d{reach} s{step}",
        (channels, height, width),
        channels,
        f'type: "Correlation" correlation_param {{ pad: {reach} kernel_size: 1 '
        f"max_displacement: {reach} stride_1: 1 stride_2: {step} }}",
        "sgemm",
        {"forward": products, "backward": 2 * products},
        (reach, step),
    )


def flow_warp(channels: int, height: int, width: int) -> Operator:
    """FlowWarp by flows of about a pixel."""
    plane = 4e-9 * height * width
    amounts = {"forward": plane * (2 * channels + 2), "backward": plane * (3 * channels + 4)}
    name = f"FlowWarp {channels}x{height}x{width}"
    return Operator(name, (channels, height, width), 2, 'type: "FlowWarp"', "copy", amounts)


OPERATORS = (
    correlation(256, 48, 64, 20, 2),
    correlation(96, 112, 256, 4, 1),
    flow_warp(64, 112, 256),
)


@dataclass(frozen=True)
class Timing:
    """Seconds of one pass of one operator and of its limit: by the layer and by PyTorch."""

    operator: Operator
    pass_name: str
    limit: Limit
    seconds: float
    limit_seconds: float
    forms: dict[str, float]

    @property
    def rate(self) -> float:
        """In the limit's unit."""
        return self.operator.amounts[self.pass_name] / self.seconds

    @property
    def share(self) -> float:
        """The rate as a share of the limit's."""
        return self.rate * self.limit_seconds / self.limit.amount

    @property
    def best_form(self) -> str | None:
        return min(self.forms, key=lambda name: self.forms[name], default=None)


def operator_net(operator: Operator, batch: int = 1, training: bool = True) -> Any:
    """The layer alone: inputs `a` and `b` with seeded values, top `y`, a diff of ones.

    Without training it cannot run backward.
    """
    import caffe

    channels, height, width = operator.shape
    inputs = "".join(
        f'layer {{ name: "{name}" type: "Input" top: "{name}" input_param {{ shape {{ dim: {batch} '
        f"dim: {count} dim: {height} dim: {width} }} }} }} "
        for name, count in (("a", channels), ("b", operator.second_channels))
    )
    text = f"layer {{ name: 'y' bottom: 'a' bottom: 'b' top: 'y' {operator.layer} }}"
    backward = "force_backward: true" if training else ""
    net = small_net(f"{backward} {inputs} {text}", caffe.TRAIN if training else caffe.TEST)
    fill_inputs(net)
    if training:
        net.forward()
        net.blobs["y"].diff[...] = 1
    return net


def pytorch_forms(operator: Operator) -> dict[str, Callable]:
    """PyTorch's forms of an operator; none where PyTorch is not installed."""
    if importlib.util.find_spec("torch") is None:
        return {}
    from segflow.bench import pytorch_forms as forms

    if operator.window is None:
        return forms.warp_forms()
    reach, step = operator.window
    return forms.correlation_forms(*operator.shape[1:], forms.Window(reach, step))


def check_form(name: str, form: Callable, net: Any) -> None:
    """Raises ArithmeticError where a form's numbers are not those of the layer."""
    import torch

    net.forward()
    net.backward()
    bottoms = [torch.from_numpy(net.blobs[k].data.copy()).requires_grad_() for k in "ab"]
    top = form(*bottoms)
    diffs = torch.autograd.grad(top, bottoms, torch.from_numpy(net.blobs["y"].diff.copy()))
    pairs = [("top", top, net.blobs["y"].data)]
    pairs += [(k, diff, net.blobs[k].diff) for k, diff in zip("ab", diffs, strict=True)]
    for what, found, expected in pairs:
        difference = np.abs(found.detach().numpy() - expected).max() / np.abs(expected).max()
        if not difference <= TOLERANCE:
            raise ArithmeticError(
                f'PyTorch form "{name}": {what} differs from the layer by {difference:.1e} of '
                f"the largest value, expected at most {TOLERANCE:.0e}"
            )


def time_operator(operator: Operator, limit: Limit) -> list[Timing]:
    """Forward and backward of the layer and of every PyTorch form."""
    net = operator_net(operator)
    runs: dict[str, dict[str, Callable[[], Any]]] = {
        "forward": {LAYER: net.forward, LIMIT: limit.run},
        "backward": {LAYER: net.backward, LIMIT: limit.run},
    }
    for name, form in pytorch_forms(operator).items():
        check_form(name, form, net)
        runs["forward"][name], runs["backward"][name] = _pytorch_runs(form, net)
    timings = []
    for name in operator.amounts:
        seconds = interleaved_seconds(runs.pop(name), ROUNDS)
        own, limiting = seconds.pop(LAYER), seconds.pop(LIMIT)
        timings.append(Timing(operator, name, limit, own, limiting, seconds))
    return timings


def _pytorch_runs(form: Callable, net: Any) -> tuple[Callable[[], Any], Callable[[], Any]]:
    """Forward alone, and backward alone through a graph that is built once."""
    import torch

    plain = [torch.from_numpy(net.blobs[k].data.copy()) for k in "ab"]
    wanted = [tensor.clone().requires_grad_() for tensor in plain]
    diff = torch.ones(tuple(net.blobs["y"].shape))
    tops: list[Any] = []

    def forward() -> Any:
        with torch.no_grad():
            return form(*plain)

    def backward() -> Any:
        if not tops:
            tops.append(form(*wanted))
        return torch.autograd.grad(tops[0], wanted, diff, retain_graph=True)

    return forward, backward


def print_operator_tables(threads: int) -> None:
    """Two tables: layer beside limit and best form, and every form."""
    os.environ["OMP_NUM_THREADS"] = str(threads)  # read when caffe is loaded
    if importlib.util.find_spec("torch") is not None:
        import torch

        torch.set_num_threads(threads)
    limits = {limit.name: limit for limit in (sgemm_limit(), copy_limit(threads))}
    timings = [
        timing
        for operator in OPERATORS
        for timing in time_operator(operator, limits[operator.limit])
    ]
    print_table(
        ["operator", "pass", "ms", "rate", "of", "", "best PyTorch form", "ms", "PyTorch / layer"],
        [_row(timing) for timing in timings],
        f"operators, {threads} thread{'s' if threads > 1 else ''}",
    )
    forms = [
        [timing.operator.name, timing.pass_name, name, f"{1e3 * seconds:.2f}"]
        for timing in timings
        for name, seconds in timing.forms.items()
    ]
    if forms:
        print_table(["operator", "pass", "PyTorch form", "ms"], forms, "PyTorch's forms")


def _row(timing: Timing) -> list[str]:
    row = [timing.operator.name, timing.pass_name, f"{1e3 * timing.seconds:.2f}"]
    row += [f"{timing.rate:.1f} {timing.limit.unit}", timing.limit.name, f"{timing.share:.0%}"]
    best = timing.best_form
    if best is None:
        return [*row, NO_PYTORCH, "", ""]
    seconds = timing.forms[best]
    return [*row, best, f"{1e3 * seconds:.2f}", f"{seconds / timing.seconds:.2f}"]
