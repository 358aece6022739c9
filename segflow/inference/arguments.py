"""Arguments that demo/infer.py and tools/finetune_online.py share: which clip, net, first mask."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from segflow import cli
from segflow.errors import UsageError
from segflow.inference.truth import Truth
from segflow.readers import Clip, open_clips
from segflow.readers.davis import Davis

BUNDLED_CLIPS = Path(__file__).resolve().parents[2] / "data" / "clips"
DEFAULT_ONLINE_SECONDS = 60.0


@dataclass(frozen=True)
class Job:
    """A clip, the file of its first mask (None: without), and what is known to be right."""

    clip: Clip
    first_mask: Path | None = None
    truth: Truth = field(default_factory=Truth)


def add_clip_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "source",
        nargs="?",
        metavar="VIDEO",
        help="a video file, an image, a folder of frames, or a folder of such videos and folders",
    )
    parser.add_argument("--davis", type=Path, metavar="ROOT", help="a DAVIS folder")
    parser.add_argument(
        "--sequence", metavar="NAME", help="its sequences: NAME[,NAME...], val or all"
    )


def add_network_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--net",
        default="segflow_lite",
        metavar="NET",
        help="segflow_lite (default), segflow, a deploy.prototxt, or for flow alone: flownets, "
        "flownetc, pwcnet (give their --weights)",
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="caffemodel; default: the net's own"
    )


def add_online_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--mask", type=Path, metavar="FIRST_MASK.png", help="the object in the first frame"
    )
    parser.add_argument(
        "--online-iters",
        type=positive(int),
        metavar="N",
        help="iterations of fine-tuning to the first mask (with --davis: to the annotation)",
    )
    parser.add_argument(
        "--online-seconds",
        type=positive(float),
        metavar="S",
        help="the most seconds it may take, building the net included "
        f"(default: {DEFAULT_ONLINE_SECONDS:g})",
    )


def positive(kind: Callable[[str], Any]) -> Callable[[str], Any]:
    """A type for argparse: a finite number above zero."""

    def number(text: str) -> Any:
        value = kind(text)
        if not (value > 0 and math.isfinite(value)):
            raise argparse.ArgumentTypeError(f"{text}: want more than 0")
        return value

    number.__name__ = getattr(kind, "__name__", "number")
    return number


def chosen_jobs(options: argparse.Namespace, tunes: bool) -> list[Job]:
    """The clips that the arguments ask for; without any the bundled one.

    tunes: fine-tuning is wanted; sequences of DAVIS then bring their first annotation along.
    Raises UsageError for arguments that do not go together.
    """
    if options.source and options.davis:
        raise UsageError("a video and --davis: give one of them")
    if options.sequence and not options.davis:
        raise UsageError("--sequence needs --davis ROOT")
    if options.davis and not options.sequence:
        raise UsageError("--davis needs --sequence NAME (or NAME,NAME or val or all)")
    if options.source:
        if tunes and not options.mask:
            raise UsageError("fine-tuning needs the first frame's mask: --mask FIRST_MASK.png")
        clips = open_clips(options.source)
        if options.mask and len(clips) != 1:
            raise UsageError(f"--mask is of one clip; {options.source} has {len(clips)}")
        return [Job(clip, options.mask) for clip in clips]
    davis = Davis(options.davis or BUNDLED_CLIPS)
    names = davis.chosen_names(options.sequence or "all")
    if options.mask and len(names) != 1:
        raise UsageError(f"--mask is of one clip; {options.sequence} are {len(names)}")
    return [_sequence_job(davis, name, options.mask, tunes) for name in names]


def _sequence_job(davis: Davis, name: str, mask: Path | None, tunes: bool) -> Job:
    sequence = davis.sequence(name)
    for missing in sequence.missing:
        cli.complain(f"missing: {missing}")
    if tunes and mask is None:
        mask = sequence.mask_files[0]
        if mask is None:
            raise UsageError(f"{name}: its first frame has no annotation to fine-tune to")
    return Job(sequence, mask, Truth.of_sequence(sequence, davis.root))
