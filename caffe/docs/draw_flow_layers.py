"""Draws the pictures of flow_layers.md into flow_layers/.

Run it after a change in flow_layer_pictures/; `--only NAME ...` draws some. A picture carries the
hash of what it was drawn from, by which the tests see a stale one.
"""

import argparse
from pathlib import Path

from flow_layer_pictures import PICTURES

FOLDER = Path(__file__).resolve().parent / "flow_layers"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=sorted(PICTURES), default=sorted(PICTURES))
    FOLDER.mkdir(exist_ok=True)
    for name in parser.parse_args().only:
        (FOLDER / f"{name}.png").write_bytes(PICTURES[name].png())


if __name__ == "__main__":
    main()
