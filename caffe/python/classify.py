#!/usr/bin/env python3
"""Classifies images: one, a folder of them, or a .npy file; writes an array (N, classes)."""

import argparse
import sys
import time
from pathlib import Path

import numpy as np

import caffe
from caffe.model_options import add_model_options, model_options


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input_file", help="an image, a folder, or a .npy file of images (H, W, K)")
    parser.add_argument("output_file", help="the .npy file to write")
    add_model_options(parser, Path(__file__).resolve().parents[1] / "models")
    parser.add_argument(
        "--center_only", action="store_true", help="the centre crop alone, not ten crops averaged"
    )
    parser.add_argument(
        "--images_dim",
        default="256,256",
        help="height,width to which images are brought before cropping (%(default)s)",
    )
    parser.add_argument("--ext", default="jpg", help="which files of a folder (%(default)s)")
    return parser.parse_args(words)


def load_images(path: Path, extension: str) -> list[np.ndarray]:
    """Images (H, W, K) in [0, 1] RGB."""
    if path.suffix == ".npy":
        print(f"Loading file: {path}")
        return list(np.load(path))
    if path.is_dir():
        print(f"Loading folder: {path}")
        return [caffe.io.load_image(file) for file in sorted(path.glob(f"*.{extension}"))]
    print(f"Loading file: {path}")
    return [caffe.io.load_image(path)]


def main(words: list[str] | None = None) -> int:
    args = parse(words)
    images = load_images(Path(args.input_file).expanduser(), args.ext)
    if not images:
        print(f"{args.input_file}: no *.{args.ext} files; see --ext", file=sys.stderr)
        return 1
    classifier = caffe.Classifier(
        args.model_def,
        args.pretrained_model,
        image_dims=[int(size) for size in args.images_dim.split(",")],
        **model_options(args, channel_mean=False),
    )
    print(f"Classifying {len(images)} inputs.")
    start = time.monotonic()
    predictions = classifier.predict(images, not args.center_only)
    print(f"Done in {time.monotonic() - start:.2f} s.")
    np.save(args.output_file, predictions)
    print(f"Saved results in {args.output_file}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
