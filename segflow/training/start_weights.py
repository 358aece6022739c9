"""Weights at the start of a stage: loaded by layer name, with a report; surgery; what can learn."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from segflow.errors import MissingDataError, UsageError

#: which deconvolutions become bilinear upsampling: as this project asks, or as SegFlow's solve.py
SURGERY = {"upscore": "upscore*", "up": "*up*", "none": ""}


@dataclass(frozen=True)
class LoadReport:
    """What one file of weights did, by layer names."""

    file: str
    loaded: tuple[str, ...]
    skipped: tuple[str, ...]  # in the file only
    untouched: tuple[str, ...]  # in the net only

    def lines(self) -> list[str]:
        lines = [f"weights {self.file}: {len(self.loaded)} layers loaded"]
        if self.skipped:
            lines.append(f"  only in the file, skipped: {shortened(self.skipped)}")
        if self.untouched:
            lines.append(f"  only in the net, untouched: {shortened(self.untouched)}")
        return lines


def load_weights(net: Any, files: Sequence[str | Path]) -> list[LoadReport]:
    """Copy weights by layer name, file after file.

    Raises MissingDataError for a file that is not there, UsageError where none of its layers is
    in the net; ValueError of the engine names every layer whose shape does not match.
    """
    reports = []
    for file in files:
        if not Path(file).is_file():
            raise MissingDataError(f"{file}: no such file of weights")
        names = net.copy_from(str(file))
        lists = (tuple(names[kind]) for kind in ("loaded", "skipped", "untouched"))
        report = LoadReport(str(file), *lists)
        if not report.loaded:
            raise UsageError(
                f"{file}: none of its layers is in the net; the file has "
                f"{shortened(report.skipped)}, the net {shortened(report.untouched)}"
            )
        reports.append(report)
    return reports


def shortened(names: Sequence[str], at_most: int = 6) -> str:
    """A list for people: the count, and the first names."""
    if len(names) <= at_most:
        return ", ".join(names)
    return f"{len(names)} ({', '.join(names[:at_most])}, ...)"


def bilinear_kernel(size: int) -> np.ndarray:
    """(size, size) float64 weights of bilinear upsampling (segflow.md 4.3):
    (1 - |y - c|/f)(1 - |x - c|/f), f = floor((size + 1)/2), c = f - 1 (odd) or f - 0.5 (even)."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    profile = 1 - np.abs(np.arange(size) - centre) / factor
    return np.outer(profile, profile)


def upsampling_surgery(net: Any, rule: str, keep: Iterable[str] = ()) -> list[str]:
    """Give the diagonal of upsampling layers bilinear weights; returns the names of the layers.

    rule: a key of SURGERY; keep: layers that were trained already and stay as they are. Other
    entries of a blob stay. Raises UsageError for a blob that is not (m, m or 1, k, k).
    """
    if rule not in SURGERY:
        raise UsageError(f"surgery {rule!r}: want one of {', '.join(SURGERY)}")
    kept, done = set(keep), []
    for name, blobs in net.params.items():
        if name in kept or not fnmatch.fnmatchcase(name, SURGERY[rule]):
            continue
        shape = tuple(blobs[0].shape)
        if len(shape) != 4 or shape[1] not in (1, shape[0]) or shape[2] != shape[3]:
            raise UsageError(
                f"layer {name!r}: upsampling weights must be (m, m, k, k) or (m, 1, k, k), "
                f"not {shape}"
            )
        rows = np.arange(shape[0])
        blobs[0].data[rows, rows if shape[1] == shape[0] else 0] = bilinear_kernel(shape[2])
        done.append(name)
    return done


@dataclass(frozen=True)
class Learning:
    """Which layers of a net learn and which are frozen, and which cannot learn although they
    should: between them and every loss stand frozen weights that are all zero (`blocking`)."""

    learned: tuple[str, ...]
    frozen: tuple[str, ...]
    learned_values: int
    frozen_values: int
    blocking: tuple[str, ...]
    starved: tuple[str, ...]

    def lines(self) -> list[str]:
        lines = [
            f"{len(self.learned)} layers learn ({self.learned_values:,} values), "
            f"{len(self.frozen)} are frozen ({self.frozen_values:,})"
        ]
        if self.blocking:
            lines.append(f"frozen at zero, passing no gradient: {shortened(self.blocking)}")
        if self.starved:
            lines.append(f"so these layers cannot learn: {shortened(self.starved, 12)}")
        return lines


def what_learns(net: Any, definition: Any) -> Learning:
    """Look at a net built from `definition` (NetParameter)."""
    learned: list[str] = []
    frozen: list[str] = []
    counts = {True: 0, False: 0}
    for layer in definition.layer:
        blobs = net.params.get(layer.name, ())
        rates = [spec.lr_mult for spec in layer.param]
        rates += [1.0] * (len(blobs) - len(rates))
        if layer.type == "BatchNorm":
            rates = [0.0] * len(blobs)  # the engine freezes statistics whatever the file says
        for rate, blob in zip(rates, blobs, strict=False):
            counts[rate != 0] += blob.count
        if len(blobs):
            (learned if any(rates[: len(blobs)]) else frozen).append(layer.name)
    blocking = tuple(
        n for n in frozen if _is_linear(definition, n) and not net.params[n][0].data.any()
    )
    fed = _layers_with_gradient(definition, set())
    still_fed = _layers_with_gradient(definition, set(blocking))
    starved = tuple(name for name in learned if name in fed and name not in still_fed)
    return Learning(tuple(learned), tuple(frozen), counts[True], counts[False], blocking, starved)


def _is_linear(definition: Any, name: str) -> bool:
    kinds = {"Convolution", "Deconvolution", "InnerProduct", "Scale"}
    return any(layer.name == name and layer.type in kinds for layer in definition.layer)


def _layers_with_gradient(definition: Any, blocking: set[str]) -> set[str]:
    """Layers to which a loss's gradient comes, were the layers in `blocking` all zero."""
    fed_blobs: set[str] = set()
    fed_layers: set[str] = set()
    for layer in reversed(definition.layer):
        weights = list(layer.loss_weight)
        is_loss = any(weights) or (not weights and layer.type.endswith("Loss"))
        if not is_loss and not fed_blobs.intersection(layer.top):
            continue
        fed_layers.add(layer.name)
        if layer.name in blocking:
            continue
        flags = list(layer.propagate_down) or [True] * len(layer.bottom)
        fed_blobs.update(b for b, passes in zip(layer.bottom, flags, strict=False) if passes)
    return fed_layers


def not_finite(net: Any) -> list[str]:
    """Layers with a parameter that is not finite."""
    return [
        name
        for name, blobs in net.params.items()
        if not all(np.isfinite(blob.data).all() for blob in blobs)
    ]
