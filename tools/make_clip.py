#!/usr/bin/env python3
"""Makes the bundled clip data/clips anew: `python tools/make_clip.py`."""

import argparse
from pathlib import Path

from segflow.synthesis.bundled_clip import NAME, write_clip

ROOT = Path(__file__).resolve().parents[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--output", type=Path, default=ROOT / "data/clips", help="folder (default: data/clips)"
    )
    parser.add_argument("--quality", type=int, default=60, help="JPEG quality (default: 60)")
    arguments = parser.parse_args()
    write_clip(arguments.output, arguments.quality)
    print(f"{arguments.output}: wrote {NAME} (frames, masks, flow)")


if __name__ == "__main__":
    main()
