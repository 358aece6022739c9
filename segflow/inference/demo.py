"""Clips through a network into a folder of results, with a summary: what demo/infer.py does."""

from __future__ import annotations

import itertools
import json
import resource
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from segflow.errors import DataError
from segflow.inference.arguments import Job
from segflow.inference.first_frame import check_first_mask
from segflow.inference.online import LATER_SPAN, OnlineFineTuner, OnlineReport, OnlineSpec
from segflow.inference.results import ClipResults
from segflow.inference.segmenter import FrameResult, VideoSegmenter
from segflow.inference.truth import Scorer
from segflow.readers import Clip, Frame
from segflow.readers.image import read_mask

if TYPE_CHECKING:
    from caffe import Processes

SCORES = ("J_mean", "F_mean", "EPE")

Say = Callable[[str], None]
Track = Callable[[Iterable[Any], str, int | None], Iterable[Any]]


class Demo:
    """Runs jobs with one segmenter and keeps the summary.

    online: how to fine-tune to a first mask. max_frames: of each clip; None takes all.
    say: takes a line for the user. track: wraps the frames of a clip to show progress.
    """

    def __init__(
        self,
        segmenter: VideoSegmenter,
        output: Path,
        online: OnlineSpec | None = None,
        max_frames: int | None = None,
    ):
        self.segmenter = segmenter
        self.output = Path(output)
        self.online = online or OnlineSpec()
        self.max_frames = max_frames
        self.say: Say = lambda text: None
        self.track: Track = lambda items, description, total: items
        self.clips: dict[str, dict[str, Any]] = {}

    def run(self, job: Job) -> dict[str, Any]:
        """All results of one clip; returns its part of the summary."""
        segmenter, clip = self.segmenter, job.clip
        first = self._first_frames(clip)
        self.say(self._plan_text(clip, first[0]))
        given = report = None
        if job.first_mask:
            given = read_mask(job.first_mask)
            check_first_mask(first[0].image, given, str(job.first_mask))
            report = self._tune(clip, first, given)
        scorer, times = Scorer(job.truth), _Times()
        frames = self._frames(clip)
        total = self._frame_count(clip)
        with ClipResults(self.output, clip.name, clip.frame_rate) as results:
            pairs = times.measured("network", segmenter.run(frames))
            for index, (frame, result) in enumerate(self.track(pairs, clip.name, total)):
                if given is not None and index == 0:
                    result = FrameResult(result.image, given, given.astype(np.float32), result.flow)
                begun = time.monotonic()
                results.write(frame.name, result)
                times.add("writing", begun)
                begun = time.monotonic()
                scorer.add(index, frame.name, result)
                times.add("scoring", begun)
                count = index + 1
        if report:
            segmenter.reset()
        whole = clip.frame_count or count
        self.clips[clip.name] = self._clip_summary(
            first[0].image.shape, count, times, report, scorer.scores(max(whole, count))
        )
        return self.clips[clip.name]

    def summary(self) -> dict[str, Any]:
        """What summary.json holds."""
        segmenter = self.segmenter
        overall = {}
        for name in SCORES:
            values = [clip[name] for clip in self.clips.values() if name in clip]
            if values:
                overall[name] = float(np.mean(values))
        return {
            "net": segmenter.files.name,
            "weights": str(segmenter.weights),
            "passes": [
                {"height": one.height, "mirrored": one.mirrored} for one in segmenter.passes
            ],
            "flow_blob": segmenter.flow_blob,
            "notes": segmenter.notes,
            "peak_memory_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
            "clips": self.clips,
            "overall": overall,
        }

    def gather(self, processes: Processes, names: Sequence[str]) -> None:
        """What the other processes have found out goes to rank 0, in the order of `names`.

        The folder of results must be one that all of them see.
        """
        if not processes.is_root:
            self.output.mkdir(parents=True, exist_ok=True)
            own = self._part_of(processes.rank)
            own.write_text(json.dumps(self.clips), encoding="utf-8")
        processes.barrier()
        if not processes.is_root:
            return
        for rank in range(1, processes.size):
            part = self._part_of(rank)
            self.clips.update(json.loads(part.read_text(encoding="utf-8")))
            part.unlink()
        self.clips = {name: self.clips[name] for name in names}

    def _part_of(self, rank: int) -> Path:
        return self.output / f".summary.{rank}.json"

    def write_summary(self) -> Path:
        path = self.output / "summary.json"
        path.write_text(json.dumps(self.summary(), indent=2) + "\n", encoding="utf-8")
        return path

    def _tune(self, clip: Clip, first: list[Frame], mask: np.ndarray) -> OnlineReport:
        """Fine-tune to the first mask and give the segmenter the weights."""
        tuner = OnlineFineTuner(self.segmenter.files, self.segmenter.weights, self.online)
        later = (frame.image for frame in itertools.islice(self._frames(clip), 1, LATER_SPAN))
        report = tuner.tune(first[0].image, mask, first[-1].image, later=later)
        self.segmenter.take_weights(tuner.net)
        self.say(f"{clip.name}: fine-tuned to the first mask, {report}")
        return report

    def _first_frames(self, clip: Clip) -> list[Frame]:
        first = list(itertools.islice(iter(clip), 2))
        if not first:
            raise DataError(f"{clip.name}: the clip has no frames")
        return first

    def _frames(self, clip: Clip) -> Iterator[Frame]:
        return itertools.islice(iter(clip), self.max_frames)

    def _frame_count(self, clip: Clip) -> int | None:
        counts = [n for n in (clip.frame_count, self.max_frames) if n is not None]
        return min(counts) if counts else None

    def _plan_text(self, clip: Clip, frame: Frame) -> str:
        height, width = frame.image.shape[:2]
        count = self._frame_count(clip)
        sizes = self.segmenter.working_sizes((height, width))
        seen = " and ".join(f"{w}x{h}" for h, w in sizes)
        frames = f"{count} frame{'s'[: count != 1]}" if count else "frames"
        structure = self.segmenter.structure
        is_published = structure.fixed_size is not None or structure.at_full_size
        memory = self.segmenter.weights.stat().st_size / 1e6
        memory += memory_estimate_mb((height, width), sizes, is_published)
        return (
            f"{clip.name}: {frames} of {width}x{height}, seen by the net at {seen}; "
            f"needs about {memory:.0f} MB"
        )

    def _clip_summary(
        self,
        shape: tuple[int, ...],
        count: int,
        times: _Times,
        report: OnlineReport | None,
        scores: dict[str, Any],
    ) -> dict[str, Any]:
        seconds = {name: round(value, 3) for name, value in times.seconds.items()}
        sizes = self.segmenter.working_sizes((shape[0], shape[1]))
        return {
            "frames": count,
            "size": {"height": shape[0], "width": shape[1]},
            "network_sizes": [{"height": h, "width": w} for h, w in sizes],
            "seconds": seconds,
            "network_seconds_per_frame": round(seconds["network"] / count, 4),
            "frames_per_second": round(count / max(sum(seconds.values()), 1e-9), 2),
            **({"online": report.as_dict()} if report else {}),
            **scores,
        }


class _Times:
    """Seconds by what they were spent on."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}

    def add(self, name: str, begun: float) -> None:
        self.seconds[name] = self.seconds.get(name, 0.0) + time.monotonic() - begun

    def measured(self, name: str, items: Iterable[Any]) -> Iterator[Any]:
        """Pass the items on; the time it takes to make them counts."""
        iterator = iter(items)
        while True:
            begun = time.monotonic()
            item = next(iterator, None)
            self.add(name, begun)
            if item is None:
                return
            yield item


def memory_estimate_mb(
    frame_size: tuple[int, int], sizes: list[tuple[int, int]], is_published: bool = False
) -> float:
    """About what a run needs besides the weights: Python and its packages, frames and maps, the
    nets' buffers. is_published: the net is as wide as the published ones."""
    frame = frame_size[0] * frame_size[1]
    passes = sum(h * w for h, w in sizes)
    a_pass_pixel = _BYTES_A_PUBLISHED_PASS_PIXEL if is_published else _BYTES_A_PASS_PIXEL
    return _BASE_MB + (frame * _BYTES_A_FRAME_PIXEL + passes * a_pass_pixel) / 1e6


# Measured: clips of 480, 1080 and 2160 rows, segflow_lite at 240 to 480 rows, segflow at its 480;
# pwcnet at 360 and 1080 rows.
_BASE_MB = 172
_BYTES_A_FRAME_PIXEL = 85
_BYTES_A_PASS_PIXEL = 520
_BYTES_A_PUBLISHED_PASS_PIXEL = 1030
