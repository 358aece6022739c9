"""DAVIS 2016 and 2017 in their official layouts: lists, sequences, masks of one or all objects.

    JPEGImages/480p/<sequence>/%05d.jpg
    Annotations/480p/<sequence>/%05d.png
    ImageSets/480p/<split>.txt        2016: lines "image mask", paths from the root
    ImageSets/{2016,2017}/<split>.txt 2017: one sequence name a line

Also read: the two folders without a resolution folder inside, and data without lists. What a
list promises and the disk lacks is named in `missing` and left out; it stops nothing. No frame
size is assumed.
"""

import os
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from segflow.errors import DataError, MissingDataError
from segflow.readers.frames import FolderClip, list_images, natural_key
from segflow.readers.image import read_labels, read_mask

OFFICIAL_2016 = {
    "train": (
        "bear bmx-bumps boat breakdance-flare bus car-turn dance-jump dog-agility drift-turn "
        "elephant flamingo hike hockey horsejump-low kite-walk lucia mallard-fly mallard-water "
        "motocross-bumps motorbike paragliding rhino rollerblade scooter-gray soccerball stroller "
        "surf swing tennis train"
    ).split(),
    "val": (
        "blackswan bmx-trees breakdance camel car-roundabout car-shadow cows dance-twirl dog "
        "drift-chicane drift-straight goat horsejump-high kite-surf libby motocross-jump "
        "paragliding-launch parkour scooter-black soapbox"
    ).split(),
}


@dataclass(frozen=True)
class Entry:
    """One line of a list: where a frame and its mask should lie."""

    frame_file: Path
    mask_file: Path | None


class DavisSequence(FolderClip):
    """A clip with masks.

    mask_files: one for each frame, None where a frame has no mask (test sets).
    object_number: the object that `mask` shows; None merges all.
    missing: files that the list names and the disk lacks, as texts.
    """

    def __init__(
        self,
        name: str,
        entries: Iterable[Entry],
        object_number: int | None = None,
        missing: Iterable[str] = (),
    ):
        entries = tuple(entries)
        super().__init__(name, [entry.frame_file for entry in entries])
        self.mask_files = tuple(entry.mask_file for entry in entries)
        self.object_number = object_number
        self.missing = tuple(missing)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8, 1 on the chosen object (or on any). DataError where there is no mask."""
        return read_mask(self._mask_file(index), self.object_number)

    def labels(self, index: int) -> np.ndarray:
        """(H, W) uint8 object numbers, 0 background."""
        return read_labels(self._mask_file(index))

    def object_numbers(self) -> list[int]:
        """Numbers of the objects in the first mask of the sequence."""
        first = next((i for i, file in enumerate(self.mask_files) if file is not None), None)
        if first is None:
            return []
        return [int(number) for number in np.unique(self.labels(first)) if number]

    def _mask_file(self, index: int) -> Path:
        file = self.mask_files[index]
        if file is None:
            raise MissingDataError(f"{self.name}: frame {self.frame_name(index)} has no mask")
        return file


@dataclass(frozen=True)
class DavisSplit:
    """The sequences of a split that are here, and in words what is not."""

    name: str
    sequences: tuple[DavisSequence, ...]
    missing: tuple[str, ...]


class Davis:
    """A DAVIS folder.

    root: the folder with JPEGImages and Annotations.
    year: 2016 or 2017 chooses the lists; None takes those of ImageSets/480p, 2016, 2017,
        whichever is there first.
    resolution: name of the folder inside JPEGImages; where it is absent, JPEGImages itself.
    """

    def __init__(self, root: str | Path, year: int | None = None, resolution: str = "480p"):
        self.root = Path(root)
        if not self.root.is_dir():
            raise MissingDataError(f"{self.root}: no such folder")
        if not (self.root / "JPEGImages").is_dir() and not (self.root / "Annotations").is_dir():
            raise MissingDataError(
                f"{self.root}: not a DAVIS folder, it has neither JPEGImages nor Annotations"
            )
        self.year = year
        self.frames_root = _with_resolution(self.root / "JPEGImages", resolution)
        self.masks_root = _with_resolution(self.root / "Annotations", resolution)
        self._lists: dict[str, dict[str, list[Entry]]] = {}

    def split_names(self) -> list[str]:
        """Names of the lists: train, val, ..."""
        return (
            []
            if self._lists_folder is None
            else sorted(file.stem for file in self._lists_folder.glob("*.txt"))
        )

    def sequence_names(self, split: str | None = None) -> list[str]:
        """Sequences of a split in the list's order; of None or "all", those on the disk."""
        if split not in (None, "all"):
            return list(self._list(split))
        folders = self.frames_root if self.frames_root.is_dir() else self.masks_root
        names = [entry.name for entry in os.scandir(folders) if entry.is_dir()]
        return sorted((name for name in names if not name.startswith(".")), key=natural_key)

    def chosen_names(self, choice: str) -> list[str]:
        """Sequence names of what a user typed: NAME[,NAME...], "val" or "all".

        Other splits are no key words: DAVIS has a sequence named "train".
        """
        if choice in ("val", "all"):
            return self.sequence_names(choice)
        return [name.strip() for name in choice.split(",") if name.strip()]

    def entries(self, name: str) -> list[Entry]:
        """Frames and masks of a sequence by the lists, else as they lie in the folders.

        Says nothing of whether the files are there. Raises MissingDataError for an unknown name.
        """
        for split in self.split_names():
            listed = self._list(split).get(name)
            if listed:
                return listed
        frames = _images_or_none(self.frames_root / name)
        masks = _images_or_none(self.masks_root / name)
        if not frames and not masks:
            known = ", ".join(self.sequence_names()) or "none"
            raise MissingDataError(f"{self.root}: no sequence {name!r}; here are: {known}")
        mask_of = {file.stem: file for file in masks}
        if frames:
            return [Entry(file, mask_of.get(file.stem)) for file in frames]
        return [Entry(self.frames_root / name / f"{m.stem}.jpg", m) for m in masks]

    def sequence(self, name: str, object_number: int | None = None) -> DavisSequence:
        """A sequence as a clip with masks. object_number chooses one object, None merges all.

        Raises MissingDataError where the sequence has no frame on the disk.
        """
        entries, missing = _present(self.entries(name))
        if not entries:
            raise MissingDataError(
                f"{self.root}: sequence {name!r} has no frames here ({missing[0]} is missing)"
            )
        sequence = DavisSequence(name, entries, object_number, missing)
        if object_number is not None and object_number not in sequence.object_numbers():
            numbers = ", ".join(map(str, sequence.object_numbers())) or "none"
            raise DataError(
                f"{name}: no object {object_number} in the first mask; it has {numbers}"
            )
        return sequence

    def split(self, name: str) -> DavisSplit:
        """All sequences of a list ("all": of the disk) that are here; the others are named."""
        sequences, missing = [], self.absent_official(name)
        for sequence_name in self.sequence_names(name):
            try:
                sequence = self.sequence(sequence_name)
            except MissingDataError:
                missing.append(sequence_name)
                continue
            sequences.append(sequence)
            missing.extend(sequence.missing)
        return DavisSplit(name, tuple(sequences), tuple(missing))

    def absent_official(self, split: str) -> list[str]:
        """Sequences that DAVIS 2016 has in a split and the list here leaves out."""
        if self._lists_folder is None or self._lists_folder.name == "2017":
            return []
        official = OFFICIAL_2016.get(split, [])
        listed = set(self.sequence_names(split)) if official else set()
        # A list of other names altogether is somebody's own data set, not a part of DAVIS.
        return [name for name in official if name not in listed] if listed & set(official) else []

    @cached_property
    def _lists_folder(self) -> Path | None:
        candidates = {None: ("480p", "2016", "2017"), 2016: ("480p", "2016"), 2017: ("2017",)}
        if self.year not in candidates:
            raise DataError(f"DAVIS {self.year}: the years are 2016 and 2017")
        for name in candidates[self.year]:
            if (self.root / "ImageSets" / name).is_dir():
                return self.root / "ImageSets" / name
        if self.year is not None:
            raise MissingDataError(f"{self.root / 'ImageSets'}: no lists of DAVIS {self.year}")
        return None

    def _list(self, split: str) -> dict[str, list[Entry]]:
        if split not in self._lists:
            self._lists[split] = self._read_list(split)
        return self._lists[split]

    def _read_list(self, split: str) -> dict[str, list[Entry]]:
        if self._lists_folder is None or split not in self.split_names():
            known = ", ".join(self.split_names()) or "none"
            raise MissingDataError(
                f"{self.root}: no list {split!r} in ImageSets; here are: {known}"
            )
        sequences: dict[str, list[Entry]] = {}
        file = self._lists_folder / f"{split}.txt"
        for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
            fields = line.split()
            if not fields:
                continue
            frame = fields[0].lstrip("/")
            if "/" not in frame:
                sequences.setdefault(frame, [])
                continue
            if len(fields) > 2:
                raise DataError(f"{file}:{number}: more than an image and a mask: {line.strip()!r}")
            frame_file = self.root / frame
            mask_file = self.root / fields[1].lstrip("/") if len(fields) > 1 else None
            entry = Entry(frame_file, mask_file)
            sequences.setdefault(frame_file.parent.name, []).append(entry)
        return sequences


def _with_resolution(folder: Path, resolution: str) -> Path:
    return folder / resolution if (folder / resolution).is_dir() else folder


def _images_or_none(folder: Path) -> list[Path]:
    return list_images(folder) if folder.is_dir() else []


def _present(entries: list[Entry]) -> tuple[list[Entry], list[str]]:
    """The entries whose frame is on the disk, and what is not, each named <sequence>/<file>.

    One listing a folder instead of one question a file: thousands of files in no time.
    """
    listings: dict[Path, frozenset[str]] = {}

    def is_here(file: Path) -> bool:
        folder = file.parent
        if folder not in listings:
            listings[folder] = frozenset(os.listdir(folder)) if folder.is_dir() else frozenset()
        return file.name in listings[folder]

    here, missing = [], []
    for entry in entries:
        frame, mask = entry.frame_file, entry.mask_file
        if not is_here(frame):
            missing.append(f"{frame.parent.name}/{frame.name}")
            continue
        if mask is not None and not is_here(mask):
            missing.append(f"{mask.parent.name}/{mask.name}")
            mask = None
        here.append(Entry(frame, mask))
    return here, missing
