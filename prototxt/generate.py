#!/usr/bin/env python3
"""Writes the bundled networks: python prototxt/generate.py [--height H --width W --output DIR].

Without arguments it renews the committed files beside it. With a size it writes nets for frames of
that size (segflow works at one size only; the others take any size anyway) to --output.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from generator.catalogue import NETWORKS, SIZE, bundled_files

HERE = Path(__file__).resolve().parent


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--net", choices=sorted(NETWORKS), help="only this network")
    parser.add_argument("--height", type=int, default=SIZE[0], metavar="H", help="rows")
    parser.add_argument("--width", type=int, default=SIZE[1], metavar="W", help="columns")
    parser.add_argument("--output", type=Path, metavar="DIR", help="default: beside this script")
    parser.add_argument("--no-ablations", action="store_true", help="leave the ablations out")
    parser.add_argument("--check", action="store_true", help="write nothing; fail if files differ")
    options = parser.parse_args(arguments)
    size = (options.height, options.width)
    if size != SIZE and options.output is None:
        parser.error("--height and --width need --output: the bundled files are for 480x854")
    if min(size) < 32:
        parser.error(f"frames of {size[0]}x{size[1]} are too small: 32x32 is the least")

    output = options.output or HERE
    files: dict[Path, str] = {}
    for network in [options.net] if options.net else NETWORKS:
        try:
            written = bundled_files(network, size, ablations=not options.no_ablations)
        except ValueError as error:
            parser.error(f"{network}: {error}")
        files |= {output / path: text for path, text in written.items()}
    if options.check:
        return _report_stale(files)
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    print(f"wrote {len(files)} files under {output}")
    return 0


def _report_stale(files: dict[Path, str]) -> int:
    stale = [path for path, text in files.items() if not path.exists() or path.read_text() != text]
    for path in stale:
        print(f"{path} is stale: run python prototxt/generate.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main())
