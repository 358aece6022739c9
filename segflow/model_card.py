"""The measured parts of a model card: tables of scores, and frames where masks are good and bad.

A card keeps them between a line `<!-- NAME: written by tools/model_card.py -->` and `<!-- end -->`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import cv2
import numpy as np

from segflow.errors import DataError
from segflow.evaluation import SCORE_NAMES, SegmentationReport
from segflow.metrics.davis import scored_frames
from segflow.metrics.flow import flow_scores
from segflow.metrics.region import region_similarity
from segflow.overlay import overlay_mask
from segflow.readers.davis import Davis
from segflow.readers.flow_sets import FlowPair
from segflow.readers.image import read_mask

Tracker = Callable[[Sequence], Iterable]
PictureSize = tuple[int, int]


@dataclass(frozen=True)
class Example:
    """A frame of a sequence and how well its mask fits; `image` is the frame with its mask."""

    sequence: str
    frame: str
    similarity: float
    image: np.ndarray


def masks_table(report: SegmentationReport, tuned: SegmentationReport | None = None) -> str:
    """Markdown: a row a sequence; `tuned` adds J and F with the first mask."""
    columns = ["sequence", *(name.replace("_", " ") for name in SCORE_NAMES)]
    if tuned:
        columns += ["J mean, first mask", "F mean, first mask"]
    rows = []
    for name, scores in [*report.sequences.items(), ("mean", report.overall)]:
        row = [name, *(f"{value:.3f}" for value in asdict(scores).values())]
        if tuned:
            other = tuned.overall if name == "mean" else tuned.sequences.get(name)
            row += [f"{other.J_mean:.3f}", f"{other.F_mean:.3f}"] if other else ["", ""]
        rows.append(row)
    return _markdown(columns, rows)


def flow_table(
    pairs: Sequence[FlowPair],
    predict: Callable[[np.ndarray, np.ndarray], np.ndarray],
    track: Tracker = iter,
) -> str:
    """Markdown: mean end-point error of each set, of `predict` and of a flow of zero.

    predict: two images (H, W, 3) uint8 to a flow (H, W, 2) in pixels.
    """
    errors: dict[str, list[tuple[float, float]]] = {}
    for pair in track(pairs):
        truth = pair.flow()
        mine = flow_scores(predict(*pair.images()), truth).EPE
        still = flow_scores(np.zeros_like(truth), truth).EPE
        errors.setdefault(pair.name.split("/")[0], []).append((mine, still))
    rows = []
    for name, values in errors.items():
        mine, still = np.mean(values, axis=0)
        rows.append([name, str(len(values)), f"{mine:.2f}", f"{still:.2f}"])
    return _markdown(["set", "pairs", "EPE (px)", "EPE of zero flow (px)"], rows)


def examples(
    davis: Davis, masks: Path, report: SegmentationReport, count: int = 3
) -> tuple[list[Example], list[Example]]:
    """Of the `count` best and the `count` worst sequences by J, the frame of median J each."""
    ranked = sorted(report.sequences, key=lambda name: -report.sequences[name].J_mean)
    if len(ranked) < 2 * count:
        raise DataError(f"{count} good and {count} bad examples need {2 * count} sequences")
    best, worst = ranked[:count], ranked[-count:]
    return (
        [_median_example(davis, masks, name) for name in best],
        [_median_example(davis, masks, name) for name in worst],
    )


def examples_picture(
    rows: Sequence[Sequence[Example]], size: PictureSize = (180, 320)
) -> np.ndarray:
    """(H, W, 3) uint8: the examples in rows, each of `size` (height, width) with a caption."""
    return np.concatenate(
        [np.concatenate([_captioned(one, size) for one in row], axis=1) for row in rows], axis=0
    )


def put_block(text: str, name: str, block: str) -> str:
    """The text of a card with the block of this name replaced. DataError where there is none."""
    start, end = f"<!-- {name}: written by tools/model_card.py -->", "<!-- end -->"
    before, mark, rest = text.partition(start)
    _, closing, after = rest.partition(end)
    if not mark or not closing:
        raise DataError(f"the card has no block from {start} to {end}")
    return f"{before}{start}\n{block.strip()}\n{end}{after}"


def _median_example(davis: Davis, masks: Path, name: str) -> Example:
    sequence = davis.sequence(name)
    scored: list[tuple[float, int, Path]] = []
    for index in scored_frames(len(sequence.mask_files)):
        truth_file = sequence.mask_files[index]
        file = masks / name / f"{truth_file.stem}.png" if truth_file else None
        if file is None or not file.exists():
            continue
        scored.append((region_similarity(read_mask(file), sequence.mask(index)), index, file))
    if not scored:
        raise DataError(f"{masks / name}: no mask of a frame with a truth")
    similarity, index, file = sorted(scored)[len(scored) // 2]
    image = overlay_mask(sequence.image(index), read_mask(file))
    return Example(name, file.stem, similarity, image)


def _captioned(example: Example, size: PictureSize) -> np.ndarray:
    height, width = size
    picture = cv2.resize(example.image, (width, height), interpolation=cv2.INTER_AREA)
    text = f"{example.sequence} {example.frame}  J {example.similarity:.2f}"
    picture[-20:] = picture[-20:] // 3
    where = (6, height - 6)
    cv2.putText(
        picture, text, where, cv2.FONT_HERSHEY_SIMPLEX, 0.45, (255, 255, 255), 1, cv2.LINE_AA
    )
    return picture


def _markdown(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"
