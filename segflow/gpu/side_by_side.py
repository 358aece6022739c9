"""Our rows of the benchmark beside the best of another framework's on the same card."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

OURS = (
    (
        re.compile(r"fwd b(?P<batch>\d+) (?P<precision>\w+)( [\w-]+)? caffe"),
        r"(compile )?fwd b{batch} {precision} .*",
    ),
    (
        re.compile(r"train b(?P<batch>\d+) (?P<precision>\w+)( [\w-]+)? flow-frozen caffe"),
        r"train b{batch} {precision} \w+ flow-frozen \w+",
    ),
    (
        re.compile(r"(?P<what>(?:corr|warp) \w+) b(?P<batch>\d+) caffe (?P<passes>fwd(?:\+bwd)?)"),
        r"(compile )?{what} b{batch} (\w+ )?{passes}( native)?( graph)?",
    ),
)


def best_of_peers(name: str, rows: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """The fastest peer's row that does what our row `name` does."""
    for ours, theirs in OURS:
        match = ours.fullmatch(name)
        if match:
            words = {key: re.escape(value) for key, value in match.groupdict().items()}
            pattern = re.compile(theirs.format(**words))
            same = [r for r in rows if "median_ms" in r and pattern.fullmatch(r["name"])]
            return min(same, key=lambda row: row["median_ms"], default=None)
    return None


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        return json.loads(path.read_text())["rows"]
    except (OSError, ValueError, KeyError):
        return []


def comparison(ours: Path, theirs: Path) -> list[str]:
    """A table in Markdown; nothing where no row of ours was timed."""
    peers = _rows(theirs)
    lines = []
    for row in _rows(ours):
        if "median_ms" not in row:
            lines.append(f"| {row['name']} | {row.get('error', row.get('skipped', ''))[:80]} |||||")
            continue
        name = row["name"]
        if "deviation" in row:
            name += f" (from the CPU: {row['deviation']:.0e})"
        cells = [name, f"{row['median_ms']:.3f}", f"{row['peak_mb']:.0f}"]
        best = best_of_peers(row["name"], peers)
        if best is not None:
            ratio = best["median_ms"] / row["median_ms"]
            cells += [
                best["name"],
                f"{best['median_ms']:.3f}",
                f"{best['peak_mb']:.0f}",
                f"{ratio:.2f}",
            ]
        else:
            cells += ["", "", "", ""]
        lines.append(f"| {' | '.join(cells)} |")
    if not lines:
        return []
    head = ["row", "ms", "MB", "best peer", "ms", "MB", "peer / ours"]
    return ["", f"| {' | '.join(head)} |", "|" + "---|" * len(head), *lines]
