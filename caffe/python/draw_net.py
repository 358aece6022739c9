#!/usr/bin/env python3
"""Draws a net to a picture; the picture's extension is its format. Needs pydot and Graphviz."""

import argparse
import sys

import caffe
import caffe.draw
from caffe.proto import caffe_pb2


def parse(words: list[str] | None = None) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("input_net_proto_file", help="the net's prototxt file")
    parser.add_argument("output_image_file", help="the picture to write: .png, .svg, .raw ...")
    parser.add_argument(
        "--rankdir",
        choices=["LR", "RL", "TB", "BT"],
        default="LR",
        help="direction of the drawing (%(default)s)",
    )
    parser.add_argument(
        "--phase", choices=["TRAIN", "TEST", "ALL"], default="ALL", help="(%(default)s)"
    )
    parser.add_argument("--display_lrm", action="store_true", help="show learning-rate factors")
    return parser.parse_args(words)


def main(words: list[str] | None = None) -> int:
    args = parse(words)
    net = caffe_pb2.NetParameter.FromString(caffe.read_net(args.input_net_proto_file))
    print(f"Drawing net to {args.output_image_file}")
    phase = None if args.phase == "ALL" else caffe_pb2.Phase.Value(args.phase)
    caffe.draw.draw_net_to_file(net, args.output_image_file, args.rankdir, phase, args.display_lrm)
    return 0


if __name__ == "__main__":
    sys.exit(main())
