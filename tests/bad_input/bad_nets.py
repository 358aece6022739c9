"""Broken nets: text that is no prototxt, graphs that do not close, shapes that do not fit."""

import resource
from pathlib import Path
from typing import Any

import numpy as np
from bad_input_workshop import Case, Workshop, frames, layer, net_case

import caffe

CONV = "convolution_param {{ {} }}"
IMAGE = frames(1, 4, 6, 6)
PROTOTXT = [
    net_case(
        "misspelt field",
        frames(1, 2, 5, 5) + layer("Convolution", "\nconvolution_param { kernal_size: 3 }"),
        *("net.prototxt:3", "kernal_size", "ConvolutionParameter", "kernel_size"),
    ),
    net_case(
        "misspelt layer field", "layer {\n name: 'a'\n botom: 'x' }", "net.prototxt:3", "bottom"
    ),
    net_case(
        "unknown value of an enumeration",
        IMAGE + layer("Pooling", "pooling_param { pool: MAXX kernel_size: 2 }"),
        *("net.prototxt:2", "MAXX", "MAX"),
    ),
    net_case(
        "a word for a number",
        IMAGE + layer("Convolution", CONV.format("num_output: three")),
        "net.prototxt:2",
        "three",
    ),
    net_case("an open brace", IMAGE + "layer { name: 'a' type: 'ReLU'", "net.prototxt:2"),
    net_case(
        "another fork's field",
        IMAGE + layer("ReLU", "upsample_param { scale: 2 }"),
        "net.prototxt:2",
        "upsample_param",
        "fork",
    ),
    net_case("empty prototxt", "", "net.prototxt"),
    net_case(
        "random bytes",
        bytes(np.random.default_rng(3).integers(0, 256, 999, np.uint8)),
        "net.prototxt:1",
    ),
    net_case(
        "layer and layers in one file",
        IMAGE + "layers { name: 'r' type: RELU bottom: 'x' top: 'y' }",
        "layers",
    ),
    net_case(
        "unknown type",
        IMAGE + layer("Convolutoin"),
        "bad",
        "Convolutoin",
        "Convolution",
        error=ValueError,
    ),
    Case(
        "missing prototxt",
        lambda shop: caffe.Net(str(shop.folder / "no.prototxt"), caffe.TEST),
        FileNotFoundError,
        ("no.prototxt",),
    ),
    Case(
        "directory for a prototxt",
        lambda shop: caffe.Net(str(shop.folder), caffe.TEST),
        caffe.Error,
        ("directory",),
    ),
]
GRAPH = [
    net_case("dangling bottom", IMAGE + layer("ReLU", bottoms="nowhere"), "bad", "nowhere"),
    net_case(
        "circular bottoms",
        IMAGE
        + layer("Eltwise", bottoms="x z")
        + layer("ReLU", bottoms="y", top="z").replace("bad", "later"),
        *("bad", "'z'", "later"),
    ),
    net_case(
        "a blob made twice",
        IMAGE + layer("ReLU") + layer("ReLU").replace("bad", "again"),
        "again",
        "'y'",
    ),
    net_case(
        "in place where that cannot be",
        IMAGE + layer("Convolution", CONV.format("num_output: 4 kernel_size: 1"), top="x"),
        *("bad", "Convolution", "in place", "'x'"),
    ),
    net_case("one bottom too few", IMAGE + layer("Crop"), "bad", "Crop"),
    Case(
        "unknown blob kept",
        lambda shop: caffe.Net(shop.good, caffe.TEST, keep=["none"]),
        KeyError,
        ("none",),
    ),
]
SHAPES = [
    net_case(
        "eltwise of two sizes",
        frames(1, 1, 5, 6) + frames(1, 1, 6, 6, top="z") + layer("Eltwise", bottoms="x z"),
        "bad",
        "5",
        "6",
    ),
    net_case(
        "concat of two sizes",
        frames(1, 2, 5, 6) + frames(1, 2, 6, 6, top="z") + layer("Concat", bottoms="x z"),
        "bad",
        "5",
        "6",
    ),
    net_case(
        "kernel over the image",
        IMAGE + layer("Convolution", CONV.format("num_output: 1 kernel_size: 9")),
        "bad",
        "9",
        "6",
    ),
    net_case(
        "groups that do not divide",
        IMAGE + layer("Convolution", CONV.format("num_output: 3 group: 2 kernel_size: 1")),
        "bad",
        "group",
    ),
    net_case(
        "a loss with a negative epsilon",
        IMAGE + layer("L1Loss", "l1_loss_param { l2_per_location: true epsilon: -0.5 }"),
        *("bad", "L1Loss", "l1_loss_param.epsilon", "0 or more", "-0.5"),
    ),
    net_case(
        "a crop of more pixels than there can be",
        IMAGE
        + layer("DataAugmentation", "augmentation_param { crop_width: 4 crop_height: 4000000000 }"),
        *("bad", "DataAugmentation", "crop_height", "4000000000"),
    ),
    net_case(
        "no outputs",
        IMAGE + layer("Convolution", CONV.format("num_output: 0 kernel_size: 1")),
        "bad",
        "num_output",
    ),
    net_case(
        "kernel of nothing",
        IMAGE + layer("Convolution", CONV.format("num_output: 1 kernel_size: 0")),
        "bad",
        "kernel",
    ),
    net_case(
        "stride of nothing",
        IMAGE + layer("Convolution", CONV.format("num_output: 1 kernel_size: 1 stride: 0")),
        "bad",
        "stride",
    ),
    net_case(
        "pool stride of nothing",
        IMAGE + layer("Pooling", "pooling_param { kernel_size: 2 stride: 0 }"),
        "bad",
        "stride",
    ),
    net_case(
        "negative pad",
        IMAGE + layer("Convolution", CONV.format("num_output: 1 kernel_size: 1 pad: -1")),
        "net.prototxt:2",
        "-",
    ),
    net_case("negative size", frames(1, -3, 4, 4), "x", "-3"),
    net_case(
        "convolution of nothing",
        frames(1, 2, 0, 4) + layer("Convolution", CONV.format("num_output: 1 kernel_size: 1")),
        "bad",
        "0",
    ),
    net_case(
        "crop outside",
        IMAGE + frames(1, 4, 3, 3, top="z") + layer("Crop", "crop_param { offset: 4 }", "x z"),
        "bad",
        "6",
        "3",
        "4",
    ),
    net_case(
        "two offsets for three axes",
        IMAGE
        + frames(1, 4, 3, 3, top="z")
        + layer("Crop", "crop_param { axis: 1 offset: 1 offset: 1 }", "x z"),
        "bad",
        "offset",
    ),
    net_case(
        "reshape to another count",
        IMAGE + layer("Reshape", "reshape_param { shape { dim: 7 dim: -1 } }"),
        "bad",
        "144",
        "7",
    ),
    net_case(
        "slices that do not divide",
        IMAGE + "layer { name: 'bad' type: 'Slice' bottom: 'x'"
        " top: 'a' top: 'b' top: 'c' slice_param { axis: 1 } }",
        "bad",
        "4",
        "3",
    ),
    net_case(
        "even correlation kernel",
        IMAGE
        + frames(1, 4, 6, 6, top="z")
        + layer("Correlation", "correlation_param { kernel_size: 2 max_displacement: 1 }", "x z"),
        "bad",
        "Odd",
        "2",
    ),
    net_case(
        "flow of three channels",
        IMAGE + frames(1, 3, 6, 6, top="f") + layer("FlowWarp", "", "x f"),
        "bad",
        "2",
        "3",
    ),
    net_case("an axis too many", IMAGE + layer("Softmax", "softmax_param { axis: 4 }"), "bad", "4"),
]


def more_memory_than_there_is(shop: Workshop) -> Any:
    """A blob of 8 GB where this process may take 2 GB more."""
    net = shop.build(frames(1, 1, 40000, 50000) + layer("Power", "power_param { shift: 1 }"))
    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize() + 2**31, before[1]))
    try:
        return net.forward()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)


SIZES = [
    net_case(
        "a blob of terabytes",
        frames(1, 100, 120000, 120000)
        + layer("Convolution", CONV.format("num_output: 1 kernel_size: 1")),
        "120000",
    ),
    net_case("a count beyond 2^31", frames(4000, 4000, 4000, 4000), "4000"),
    net_case(
        "weights of terabytes",
        frames(1, 2000) + layer("InnerProduct", "inner_product_param { num_output: 1000000000 }"),
        "bad",
        "1000000000",
    ),
    Case(
        "a pass that needs more memory than there is",
        more_memory_than_there_is,
        MemoryError,
        ("7629.4 MB", "Power"),
    ),
]


CASES = PROTOTXT + GRAPH + SHAPES + SIZES
