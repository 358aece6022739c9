"""Pictures of a training: learning curves, and predictions on held-out pairs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from segflow.flow_color import flow_to_color
from segflow.overlay import overlay_mask, side_by_side
from segflow.training.held_out import HeldOut, HeldOutPair, NetPass
from segflow.training.metrics_log import read_metrics

_ROW_HEIGHT = 160


def draw_predictions(held_out: HeldOut, passes: NetPass, path: Path, rows: int = 6) -> None:
    """A row a pair: frame, truth, predicted mask, predicted flow (white: none, in colours:
    direction)."""
    pictures = [_row(pair, held_out, passes) for pair in _spread(held_out.pairs, rows)]
    width = max(picture.shape[1] for picture in pictures)
    sheet = [
        np.pad(picture, ((0, 4), (0, width - picture.shape[1]), (0, 0)), constant_values=0)
        for picture in pictures
    ]
    _save(path, np.concatenate(sheet))


def _spread(pairs: Sequence[HeldOutPair], count: int) -> list[HeldOutPair]:
    """Some pairs, of as many groups as there are."""
    groups: dict[str, list[HeldOutPair]] = {}
    for pair in pairs:
        groups.setdefault(pair.group, []).append(pair)
    if len(groups) >= count:
        names = list(groups)
        chosen = [names[k * len(names) // count] for k in range(count)]
        return [groups[name][len(groups[name]) // 2] for name in chosen]
    each = [members[k * len(members) // count] for members in groups.values() for k in range(count)]
    return list(dict.fromkeys(each))[:count]


def _row(pair: HeldOutPair, held_out: HeldOut, passes: NetPass) -> np.ndarray:
    truth = pair.load()
    height = None if truth.mask is None else held_out.mask_height
    found = passes.predict(truth.image1, truth.image2, height)
    panels = [truth.image1]
    if truth.mask is not None:
        panels.append(overlay_mask(truth.image1, truth.mask))
    longest = None
    if truth.flow is not None:
        longest = max(1.0, float(np.nanpercentile(np.hypot(*truth.flow.transpose(2, 0, 1)), 98)))
        panels.append(flow_to_color(truth.flow, longest))
    if found.probability is not None:
        mask = (found.probability > 0.5).astype(np.uint8)
        panels.append(overlay_mask(truth.image1, mask))
    if found.flow is not None:
        panels.append(flow_to_color(found.flow, longest))
    return side_by_side([_of_height(panel, _ROW_HEIGHT) for panel in panels], gap=4)


def _of_height(image: np.ndarray, height: int) -> np.ndarray:
    width = max(1, round(image.shape[1] * height / image.shape[0]))
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA)


def _save(path: Path, image: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp.png")
    Image.fromarray(image).save(temporary)
    temporary.replace(path)


def draw_curves(metrics: Path, path: Path) -> None:
    """Losses, rate and held-out scores over all iterations of all stages."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    iterations, evaluations, starts = _placed(list(read_metrics(metrics)))
    figure = Figure(figsize=(9, 7), layout="constrained")
    losses, rate, scores = figure.subplots(3, 1, sharex=True, height_ratios=(3, 1, 2))
    for name, colour in (("mask_loss", "tab:red"), ("flow_loss", "tab:blue")):
        points = [(x, r[name]) for x, r in iterations if r.get(name) is not None]
        if points:
            xs, ys = np.array(points, float).T
            losses.plot(xs, ys, color=colour, alpha=0.2, linewidth=0.6)
            losses.plot(xs, _smooth(ys), color=colour, label=name.replace("_", " "))
    losses.set_ylabel("loss")
    rate.plot([x for x, _ in iterations], [r["lr"] for _, r in iterations], color="black")
    rate.set_ylabel("rate")
    rate.set_ylim(bottom=0)
    _draw_scores(scores, evaluations)
    for axes in (losses, rate, scores):
        for x, title in starts:
            axes.axvline(x, color="grey", linewidth=0.7)
            if axes is losses:
                axes.text(x, 1.0, f" {title}", transform=axes.get_xaxis_transform(), va="bottom")
        axes.grid(alpha=0.3)
    if losses.get_legend_handles_labels()[0]:
        losses.legend()
    scores.set_xlabel("iterations of all stages")
    temporary = path.with_name(f".{path.name}.tmp.png")
    figure.savefig(temporary, dpi=100)
    temporary.replace(path)


def _draw_scores(axes: Any, evaluations: list[tuple[float, dict]]) -> None:
    masks = [(x, r["J"]) for x, r in evaluations if r.get("J") is not None]
    if masks:
        axes.plot(*zip(*masks, strict=True), "o-", color="tab:red", markersize=3)
        axes.set_ylim(0, 1)
    axes.set_ylabel("held-out J", color="tab:red")
    errors = [(x, r["EPE"]) for x, r in evaluations if r.get("EPE") is not None]
    if errors:
        other = axes.twinx()
        other.plot(*zip(*errors, strict=True), "o-", color="tab:blue", markersize=3)
        still = [r["EPE_zero"] for _, r in evaluations if r.get("EPE_zero") is not None]
        other.axhline(still[-1], color="tab:blue", linestyle=":", linewidth=0.8)
        other.set_ylim(bottom=0)
        other.set_ylabel("held-out EPE, px (dotted: no motion)", color="tab:blue")


def _placed(
    records: list[dict[str, Any]],
) -> tuple[list[tuple[float, dict]], list[tuple[float, dict]], list[tuple[float, str]]]:
    """Iterations and evaluations with their place on the axis, and where stages start."""
    lengths: dict[int, int] = {}
    for record in records:
        stage = record["stage"]
        lengths[stage] = max(lengths.get(stage, 0), record["iteration"])
    offsets, total = {}, 0
    for stage in sorted(lengths):
        offsets[stage] = total
        total += lengths[stage]
    placed = [(float(offsets[r["stage"]] + r["iteration"]), r) for r in records]
    kinds = {record["stage"]: record["kind"] for record in records}
    return (
        [(x, r) for x, r in placed if "event" not in r],
        [(x, r) for x, r in placed if r.get("event") == "evaluation"],
        [(float(offsets[stage]), kinds[stage]) for stage in sorted(lengths)],
    )


def _smooth(values: np.ndarray, window: int = 50) -> np.ndarray:
    """The mean of the last `window` values at each place."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    ends = np.arange(1, len(values) + 1)
    starts = np.maximum(0, ends - window)
    return (sums[ends] - sums[starts]) / (ends - starts)
