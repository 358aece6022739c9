#!/usr/bin/env python3
"""Scores windows of images: a .csv of windows, or a .txt list of images and selective search."""

import argparse
import csv
import sys
import time
from pathlib import Path
from typing import Any

import caffe
from caffe.model_options import add_model_options, model_options

COORDINATES = ("ymin", "xmin", "ymax", "xmax")


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "input_file", help=".txt list of images, or .csv with filename,xmin,ymin,xmax,ymax"
    )
    parser.add_argument("output_file", help=".csv, or .h5 (needs pandas)")
    add_model_options(parser, Path(__file__).resolve().parents[1] / "models")
    parser.add_argument(
        "--crop_mode",
        choices=["list", "selective_search"],
        default="selective_search",
        help="where windows come from (%(default)s)",
    )
    parser.add_argument(
        "--context_pad", type=int, default=16, help="pixels around a window (%(default)s)"
    )
    return parser.parse_args(words)


def read_windows(path: Path) -> list[tuple[str, list[tuple[int, ...]]]]:
    """(file, its windows (ymin, xmin, ymax, xmax)) in the file's order."""
    windows: dict[str, list[tuple[int, ...]]] = {}
    with path.open(newline="") as lines:
        for row in csv.DictReader(lines):
            window = tuple(int(float(row[name])) for name in COORDINATES)
            windows.setdefault(row["filename"], []).append(window)
    return list(windows.items())


def write(path: Path, detections: list[dict[str, Any]]) -> None:
    """One row a window: filename, its corners, then the prediction."""
    rows = [
        (found["filename"], *(int(edge) for edge in found["window"]), found["prediction"])
        for found in detections
    ]
    if path.suffix.lower() == ".csv":
        with path.open("w", newline="") as lines:
            table = csv.writer(lines)
            classes = len(rows[0][-1].ravel()) if rows else 0
            table.writerow(["filename", *COORDINATES, *(f"class{i}" for i in range(classes))])
            for *corners, prediction in rows:
                table.writerow([*corners, *(float(score) for score in prediction.ravel())])
        return
    import pandas

    frame = pandas.DataFrame(rows, columns=["filename", *COORDINATES, "prediction"])
    frame.set_index("filename").to_hdf(path, key="df", mode="w")


def main(words: list[str] | None = None) -> int:
    args = parse(words)
    input_file = Path(args.input_file)
    suffix = input_file.suffix.lower()
    if suffix not in (".txt", ".csv"):
        print(f"{input_file}: unknown input file type, not .txt or .csv", file=sys.stderr)
        return 1
    detector = caffe.Detector(
        args.model_def,
        args.pretrained_model,
        context_pad=args.context_pad,
        **model_options(args, channel_mean=True),
    )
    start = time.monotonic()
    if suffix == ".txt":
        if args.crop_mode == "list":
            print(f"{input_file}: --crop_mode list needs a .csv of windows", file=sys.stderr)
            return 1
        images = [line.strip() for line in input_file.read_text().splitlines() if line.strip()]
        detections = detector.detect_selective_search(images)
    else:
        detections = detector.detect_windows(read_windows(input_file))
    print(f"Processed {len(detections)} windows in {time.monotonic() - start:.3f} s.")
    write(Path(args.output_file), detections)
    print(f"Saved to {args.output_file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
