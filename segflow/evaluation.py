"""Scores of folders of results: masks against DAVIS annotations, flow against true flow."""

import csv
import json
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path

import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.flow_io import is_kitti_png, read_flow
from segflow.metrics.davis import (
    DavisScores,
    frame_scores,
    overall_scores,
    scored_frames,
    sequence_scores,
)
from segflow.metrics.flow import FlowScores, flow_scores
from segflow.readers.davis import Davis
from segflow.readers.frames import natural_key, size_text
from segflow.readers.image import read_mask

SCORE_NAMES = tuple(field.name for field in fields(DavisScores))

Tracker = Callable[[Sequence], Iterable]


@dataclass(frozen=True)
class SegmentationReport:
    """Scores of each sequence and their average; `missing` says in words what was not there."""

    sequences: dict[str, DavisScores]
    overall: DavisScores
    missing: tuple[str, ...]

    def as_dict(self) -> dict:
        return {
            "sequences": {name: asdict(scores) for name, scores in self.sequences.items()},
            "overall": asdict(self.overall),
        }

    def rows(self) -> list[list[str]]:
        """Rows of text: name and figures of each sequence, and "overall" last."""
        named = [*self.sequences.items(), ("overall", self.overall)]
        return [[name, *(f"{v:.4f}" for v in asdict(scores).values())] for name, scores in named]

    def write_csv(self, path: str | Path) -> None:
        """Columns sequence, J_mean, ..., F_decay; the last row is "overall"."""
        with Path(path).open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["sequence", *SCORE_NAMES])
            for name, scores in [*self.sequences.items(), ("overall", self.overall)]:
                writer.writerow([name, *(f"{value:.6f}" for value in asdict(scores).values())])


@dataclass(frozen=True)
class FlowReport:
    """Scores of each pair and their average; `missing` names pairs without a prediction."""

    pairs: dict[str, FlowScores]
    overall: FlowScores
    missing: tuple[str, ...]

    def as_dict(self) -> dict:
        return {
            "pairs": {name: asdict(scores) for name, scores in self.pairs.items()},
            "overall": asdict(self.overall),
        }

    def rows(self) -> list[list[str]]:
        """Rows of text: name, EPE and Fl of each pair, and "overall" last."""
        named = [*self.pairs.items(), ("overall", self.overall)]
        return [[name, f"{scores.EPE:.3f}", f"{scores.Fl:.2f}"] for name, scores in named]


def write_json(path: str | Path, report: SegmentationReport | FlowReport) -> None:
    Path(path).write_text(json.dumps(report.as_dict(), indent=2) + "\n", encoding="utf-8")


def evaluate_segmentation(
    davis: Davis, results: str | Path, choice: str | None = None, track: Tracker = iter
) -> SegmentationReport:
    """Score RESULTS/<sequence>/<frame>.png by the rules of the DAVIS 2016 benchmark.

    choice: NAME[,NAME...], "val" or "all"; None takes val where there is such a list, else all.
    A sequence without any mask is named and left out; in a sequence with masks, a missing one is
    named and scored as empty. Raises MissingDataError where no sequence has masks, DataError
    where a mask cannot be read or has another size than its annotation.
    """
    results = Path(results)
    if not results.is_dir():
        raise MissingDataError(f"{results}: no such folder")
    if choice is None:
        choice = "val" if "val" in davis.split_names() else "all"
    names = davis.chosen_names(choice)
    here = [name for name in names if _has_masks(results / name)]
    if not here:
        raise MissingDataError(_no_masks_at_all(results, names))
    missing = []
    if absent := davis.absent_official(choice):
        missing.append(f"not in the {choice} list of {davis.root}: {', '.join(absent)}")
    if without := [name for name in names if name not in here]:
        missing.append(f"no masks in {results}: {', '.join(without)}")
    scores = {}
    for name in track(here):
        sequence, texts = score_sequence(davis, name, results / name)
        missing += texts
        if sequence is not None:
            scores[name] = sequence
    if not scores:
        raise MissingDataError(f"{davis.root}: no annotations of {', '.join(here)}")
    return SegmentationReport(scores, overall_scores(scores.values()), tuple(missing))


def score_sequence(davis: Davis, name: str, masks: Path) -> tuple[DavisScores | None, list[str]]:
    """Scores of one sequence, None without annotations, and in words what is missing."""
    try:
        truth_files = [entry.mask_file for entry in davis.entries(name)]
    except MissingDataError as error:
        return None, [str(error)]
    without_truth, without_mask = [], []
    j_values, f_values = [], []
    for index in scored_frames(len(truth_files)):
        truth_file = truth_files[index]
        if truth_file is None or not truth_file.exists():
            without_truth.append(truth_file.stem if truth_file else str(index))
            continue
        truth = read_mask(truth_file)
        mask_file = masks / f"{truth_file.stem}.png"
        if mask_file.exists():
            mask = read_mask(mask_file)
        else:
            without_mask.append(truth_file.stem)
            mask = np.zeros_like(truth)
        if mask.shape != truth.shape:
            raise DataError(
                f"{mask_file}: mask of {size_text(mask)}, its annotation has {size_text(truth)}"
            )
        j, f = frame_scores(mask, truth)
        j_values.append(j)
        f_values.append(f)
    missing = []
    if without_truth:
        missing.append(f"{name}: no annotation of {_listed(without_truth)}; not scored")
    if without_mask:
        missing.append(f"{name}: no mask of {_listed(without_mask)}; scored as empty")
    if not j_values:
        missing.append(f"{name}: nothing to score in {len(truth_files)} frames")
        return None, missing
    return sequence_scores(j_values, f_values), missing


def evaluate_flow(predictions: str | Path, truths: str | Path, track: Tracker = iter) -> FlowReport:
    """Score predictions NAME.flo or NAME/flow.flo against the flow files below `truths`.

    The true flow NAME is found as NAME/flow.{flo,png,pfm}, NAME_flow.{flo,png,pfm} or
    NAME.{flo,png,pfm}, at any depth; NAME may have folders ("sintel/alley_1"), which the
    prediction may leave out where the last part alone is unique. The average is over pairs.
    Raises MissingDataError where nothing can be compared, DataError for a bad file.
    """
    predictions, truths = Path(predictions), Path(truths)
    if not predictions.is_dir():
        raise MissingDataError(f"{predictions}: no such folder")
    truth_files = find_flow_files(truths)
    last_parts = [name.rsplit("/", 1)[-1] for name in truth_files]
    scores, without = {}, []
    for name in track(list(truth_files)):
        names = [name]
        if last_parts.count(name.rsplit("/", 1)[-1]) == 1:
            names.append(name.rsplit("/", 1)[-1])
        file = _prediction(predictions, names)
        if file is None:
            without.append(name)
            continue
        scores[name] = _score_flow(file, truth_files[name])
    if not scores:
        wanted = next(iter(truth_files))
        raise MissingDataError(
            f"{predictions}: no prediction for any pair of {truths}; looked for {wanted}.flo, "
            f"{wanted}/flow.flo and so on"
        )
    overall = FlowScores(
        EPE=float(np.mean([score.EPE for score in scores.values()])),
        Fl=float(np.mean([score.Fl for score in scores.values()])),
    )
    missing = (f"no prediction in {predictions}: {', '.join(without)}",) if without else ()
    return FlowReport(scores, overall, missing)


def find_flow_files(root: str | Path) -> dict[str, Path]:
    """Flow files below a root by the name of their pair, in natural order."""
    root = Path(root)
    if not root.is_dir():
        raise MissingDataError(f"{root}: no such folder")
    found: dict[str, Path] = {}
    for folder, subfolders, names in os.walk(root):
        subfolders.sort()
        for name in sorted(names):  # .flo before .pfm before .png: the first of a pair stays
            file = Path(folder) / name
            if file.suffix.lower() in (".flo", ".pfm") or (
                file.suffix.lower() == ".png" and is_kitti_png(file)
            ):
                found.setdefault(_pair_name(root, file), file)
    if not found:
        raise DataError(f"{root}: no flow files (.flo, .pfm or 16-bit .png)")
    return {name: found[name] for name in sorted(found, key=natural_key)}


def _pair_name(root: Path, file: Path) -> str:
    if file.stem == "flow":
        pair = file.parent.relative_to(root).as_posix()
        return root.resolve().name if pair == "." else pair
    return file.with_name(file.stem.removesuffix("_flow")).relative_to(root).as_posix()


def _prediction(folder: Path, names: list[str]) -> Path | None:
    candidates = [file for n in names for file in (folder / f"{n}.flo", folder / n / "flow.flo")]
    return next((file for file in candidates if file.is_file()), None)


def _score_flow(file: Path, truth_file: Path) -> FlowScores:
    flow, truth = read_flow(file), read_flow(truth_file)
    if flow.shape != truth.shape:
        raise DataError(f"{file}: flow of {size_text(flow)}, the truth has {size_text(truth)}")
    try:
        return flow_scores(flow, truth)
    except ValueError as error:
        raise DataError(f"{file}: {error} ({truth_file})") from None


def _has_masks(folder: Path) -> bool:
    return folder.is_dir() and any(folder.glob("*.png"))


def _listed(names: list[str], at_most: int = 6) -> str:
    if len(names) <= at_most:
        return ", ".join(names)
    return f"{', '.join(names[:at_most])} and {len(names) - at_most} more"


def _no_masks_at_all(results: Path, names: list[str]) -> str:
    of_what = _listed(names) or "any sequence"
    text = f"{results}: no masks of {of_what}; looked for <sequence>/<frame>.png"
    folders = sorted(entry.name for entry in results.iterdir() if entry.is_dir())
    if "masks" in folders:
        return f"{text}; did you mean {results / 'masks'}?"
    return f"{text}; its folders are {_listed(folders)}" if folders else text
