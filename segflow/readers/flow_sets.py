"""Sets of frame pairs with ground-truth flow.

Two layouts are known, and found by themselves below a root, at any depth:
- FlyingChairs: NAME_img1.ppm, NAME_img2.ppm, NAME_flow.flo in one folder (other image suffixes
  too); a split file gives 1 (train) or 2 (val) a line, in the order of the names;
- pair folders: NAME/img0.*, NAME/img1.*, NAME/flow.{flo,png,pfm}, as in the project's data.
"""

import csv
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.flow_io import FLOW_SUFFIXES, read_flow
from segflow.readers.frames import natural_key, size_text
from segflow.readers.image import IMAGE_SUFFIXES, read_image


@dataclass(frozen=True, slots=True)
class FlowPair:
    """Two frames and the flow from the first to the second; all are read when asked for."""

    name: str  # path below the root: "flyingchairs/0000001"
    image0_file: Path
    image1_file: Path
    flow_file: Path

    def images(self) -> tuple[np.ndarray, np.ndarray]:
        """Both frames, (H, W, 3) uint8 RGB. DataError where their sizes differ."""
        image0, image1 = read_image(self.image0_file), read_image(self.image1_file)
        if image0.shape != image1.shape:
            raise DataError(
                f"{self.image1_file}: frame of {size_text(image1)}, "
                f"{self.image0_file.name} has {size_text(image0)}"
            )
        return image0, image1

    def flow(self) -> np.ndarray:
        """(H, W, 2) float32, pixels (u right, v down), NaN where unknown."""
        return read_flow(self.flow_file)


@dataclass(frozen=True)
class FlowSet:
    """Pairs in natural order of their names, and in words what is incomplete."""

    pairs: tuple[FlowPair, ...]
    missing: tuple[str, ...]

    def named(self, set_name: str) -> tuple[FlowPair, ...]:
        """The pairs below one folder of the root."""
        return tuple(pair for pair in self.pairs if pair.name.startswith(f"{set_name}/"))


def open_flow_set(
    root: str | Path, split_file: str | Path | None = None, split: str = "train"
) -> FlowSet:
    """Find all pairs below a root; nothing is decoded yet.

    split_file: FlyingChairs_train_val.txt; then only the pairs of `split` ("train" or "val")
    are given. A pairs.csv in the root (columns set, pair) is compared with what is there.
    Raises MissingDataError where the root is absent, DataError where it holds no pair.
    """
    root = Path(root)
    if not root.is_dir():
        raise MissingDataError(f"{root}: no such folder")
    pairs, missing = [], []
    for folder, names in _walk(root):
        for pair in (*_pair_folder(root, folder, names), *_flying_chairs(root, folder, names)):
            if isinstance(pair, str):
                missing.append(pair)
            else:
                pairs.append(pair)
    pairs.sort(key=lambda pair: natural_key(pair.name))
    missing.extend(_absent_from_table(root, pairs, missing))
    if not pairs:
        raise DataError(
            f"{root}: no flow pairs; looked for NAME_img1/_img2/_flow files and for folders with "
            "img0, img1 and flow"
        )
    if split_file is not None:
        pairs = _select(pairs, Path(split_file), split)
    return FlowSet(tuple(pairs), tuple(missing))


def _walk(root: Path) -> Iterator[tuple[Path, dict[str, list[str]]]]:
    """Every folder with its files, grouped by stem."""
    for folder, subfolders, files in os.walk(root):
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        by_stem: dict[str, list[str]] = {}
        for name in files:
            by_stem.setdefault(os.path.splitext(name)[0], []).append(name)
        yield Path(folder), by_stem


def _pair_folder(root: Path, folder: Path, files: dict[str, list[str]]) -> Iterator[FlowPair | str]:
    if "img0" not in files and "img1" not in files:
        return
    name = _name_below(root, folder)
    yield _pair(name, folder, files, ("img0", "img1", "flow"))


def _flying_chairs(
    root: Path, folder: Path, files: dict[str, list[str]]
) -> Iterator[FlowPair | str]:
    stems = {match.group(1) for stem in files if (match := re.fullmatch(r"(.+)_img[12]", stem))}
    for stem in stems:
        name = _name_below(root, folder / stem)
        yield _pair(name, folder, files, (f"{stem}_img1", f"{stem}_img2", f"{stem}_flow"))


def _pair(
    name: str, folder: Path, files: dict[str, list[str]], stems: tuple[str, str, str]
) -> FlowPair | str:
    """The pair of these three stems, or the name of the first file that is missing."""
    found = []
    for stem, suffixes in zip(stems, (IMAGE_SUFFIXES, IMAGE_SUFFIXES, FLOW_SUFFIXES), strict=True):
        match = next(
            (f for f in sorted(files.get(stem, ())) if Path(f).suffix.lower() in suffixes), None
        )
        if match is None:
            return f"{name} ({stem})"
        found.append(folder / match)
    return FlowPair(name, *found)


def _name_below(root: Path, path: Path) -> str:
    relative = path.relative_to(root).as_posix()
    return root.resolve().name if relative == "." else relative


def _absent_from_table(root: Path, pairs: list[FlowPair], known: list[str]) -> list[str]:
    table = root / "pairs.csv"
    if not table.is_file():
        return []
    here = {pair.name for pair in pairs} | {text.split(" (")[0] for text in known}
    with table.open(newline="", encoding="utf-8") as file:
        rows = csv.DictReader(file)
        if not {"set", "pair"} <= set(rows.fieldnames or ()):
            raise DataError(f"{table}: columns set and pair are needed, found {rows.fieldnames}")
        names = [f"{row['set']}/{row['pair']}" for row in rows]
    return [name for name in names if name not in here]


def _select(pairs: list[FlowPair], split_file: Path, split: str) -> list[FlowPair]:
    wanted = {"train": "1", "val": "2"}.get(split)
    if wanted is None:
        raise DataError(f"split {split!r}: FlyingChairs has train and val")
    if not split_file.is_file():
        raise MissingDataError(f"{split_file}: no such file")
    marks = split_file.read_text(encoding="utf-8").split()
    # Lines are pair numbers from 1 on, so that a part of the set can be used with the full file.
    chosen = []
    for pair in pairs:
        stem = pair.name.rsplit("/", 1)[-1]
        number = int(stem) if stem.isdigit() else 0
        if not 1 <= number <= len(marks):
            raise DataError(f"{split_file}: {len(marks)} lines, none for pair {pair.name}")
        if marks[number - 1] == wanted:
            chosen.append(pair)
    return chosen
