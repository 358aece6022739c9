"""The command-line options that classify.py and detect.py share: a model and how to feed it."""

import argparse
from pathlib import Path
from typing import Any

import numpy as np

import caffe

MEAN_FILE = Path(__file__).parent / "imagenet" / "ilsvrc_2012_mean.npy"


def add_model_options(parser: argparse.ArgumentParser, models: Path) -> None:
    """Adds the options; `models` is the folder of the default model."""
    parser.add_argument(
        "--model_def",
        default=str(models / "bvlc_reference_caffenet" / "deploy.prototxt"),
        help="the net's prototxt file (%(default)s)",
    )
    parser.add_argument(
        "--pretrained_model",
        default=str(models / "bvlc_reference_caffenet" / "bvlc_reference_caffenet.caffemodel"),
        help="its weights (%(default)s)",
    )
    parser.add_argument("--gpu", action="store_true", help="work on the GPU")
    parser.add_argument(
        "--mean_file",
        default=str(MEAN_FILE),
        help="the mean to subtract, a .npy file; '' for none (%(default)s)",
    )
    parser.add_argument("--input_scale", type=float, help="a factor after the mean (none)")
    parser.add_argument(
        "--raw_scale", type=float, default=255.0, help="a factor before the mean (%(default)s)"
    )
    parser.add_argument(
        "--channel_swap",
        default="2,1,0",
        help="order of the channels, 2,1,0 makes RGB to BGR; '' for none (%(default)s)",
    )


def model_options(args: argparse.Namespace, channel_mean: bool) -> dict[str, Any]:
    """The keyword arguments of Classifier and Detector; sets the mode.

    channel_mean: the mean reduced to one value a channel.
    """
    if args.gpu:
        caffe.set_mode_gpu()
        print("GPU mode")
    else:
        caffe.set_mode_cpu()
        print("CPU mode")
    mean = np.load(args.mean_file) if args.mean_file else None
    if mean is not None and channel_mean and mean.ndim == 3:
        mean = mean.mean(axis=(1, 2))
    swap = [int(channel) for channel in args.channel_swap.split(",")] if args.channel_swap else None
    return {
        "mean": mean,
        "input_scale": args.input_scale,
        "raw_scale": args.raw_scale,
        "channel_swap": swap,
    }
