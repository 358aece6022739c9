"""Broken weights, states, pictures, videos and flow files."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from bad_input_workshop import GOOD, RANDOM, Case, Workshop, half, snapshot
from PIL import Image

import caffe
from segflow.errors import DataError, MissingDataError
from segflow.flow_io import read_flow, write_flo
from segflow.inference import VideoSegmenter
from segflow.readers import open_clip
from segflow.readers.image import read_image, read_mask


def of_other_shape(shop: Workshop) -> Any:
    wider = shop.file(GOOD.replace("num_output: 4", "num_output: 5"), "wider.prototxt")
    return caffe.Net(wider, shop.weights, caffe.TEST)


WEIGHTS = [
    Case(
        "missing caffemodel",
        lambda shop: caffe.Net(shop.good, str(shop.folder / "no.caffemodel"), caffe.TEST),
        FileNotFoundError,
        ("no.caffemodel",),
    ),
    Case(
        "directory for a caffemodel",
        lambda shop: shop.net.copy_from(str(shop.folder)),
        caffe.Error,
        ("directory",),
    ),
    Case(
        "truncated caffemodel",
        lambda shop: shop.load(half(shop.weights)),
        caffe.Error,
        ("bad.caffemodel",),
    ),
    Case("empty caffemodel", lambda shop: shop.load(b""), caffe.Error, ("bad.caffemodel", "empty")),
    Case("random caffemodel", lambda shop: shop.load(RANDOM), caffe.Error, ("bad.caffemodel",)),
    Case(
        "prototxt for a caffemodel", lambda shop: shop.load(GOOD), caffe.Error, ("bad.caffemodel",)
    ),
    Case(
        "weights of another shape", of_other_shape, caffe.Error, ("good.caffemodel", "ip", "4", "5")
    ),
    Case(
        "truncated .h5",
        lambda shop: shop.load(half(str(shop.folder / "good.h5")), "bad.h5"),
        caffe.Error,
        ("bad.h5",),
    ),
    Case("random .h5", lambda shop: shop.load(RANDOM, "bad.h5"), caffe.Error, ("bad.h5",)),
    Case(
        "solverstate for weights",
        lambda shop: shop.load(Path(snapshot(shop) + ".solverstate").read_bytes()),
        caffe.Error,
        ("bad.caffemodel",),
    ),
    Case(
        "saving to a folder that is not there",
        lambda shop: shop.net.save(str(shop.folder / "none" / "a.caffemodel")),
        caffe.Error,
        ("none/a.caffemodel",),
    ),
    Case(
        "saving over a folder",
        lambda shop: shop.net.save(str(shop.folder)),
        caffe.Error,
        ("cannot be written",),
    ),
]


def video_without_frames(shop: Workshop) -> Any:
    av = pytest.importorskip("av")
    path = shop.folder / "none.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 32, "yuv420p"
    return list(open_clip(path))


def float_tiff(shop: Workshop) -> Any:
    Image.fromarray(np.ones((4, 4), np.float32)).save(shop.folder / "f.tiff")
    return read_image(shop.folder / "f.tiff")


def frames_of_two_sizes(shop: Workshop) -> Any:
    (shop.folder / "two").mkdir(exist_ok=True)
    shop.picture("two/0.png")
    shop.picture("two/1.png", 30)
    return list(open_clip(shop.folder / "two"))


def cut_flo(shop: Workshop) -> Any:
    write_flo(shop.folder / "a.flo", np.zeros((5, 6, 2), np.float32))
    return read_flow(shop.file(half(str(shop.folder / "a.flo")), "cut.flo"))


HUGE_FLO = b"PIEH" + np.array([2**30, 2**30], np.int32).tobytes()


def mask_of_another_size(shop: Workshop) -> Any:
    from segflow.inference.first_frame import check_first_mask

    return check_first_mask(
        np.zeros((40, 60, 3), np.uint8), np.ones((20, 30), np.uint8), "first.png"
    )


PICTURES = [
    Case(
        "missing image",
        lambda shop: read_image(shop.folder / "no.png"),
        MissingDataError,
        ("no.png",),
    ),
    Case("directory for an image", lambda shop: read_image(shop.folder), DataError, ("folder",)),
    Case(
        "text for an image",
        lambda shop: read_image(shop.file("hello", "t.png")),
        DataError,
        ("t.png",),
    ),
    Case(
        "truncated image",
        lambda shop: read_image(shop.file(half(str(shop.picture("w.png"))), "h.png")),
        DataError,
        ("h.png",),
    ),
    Case("image of floats", float_tiff, DataError, ("f.tiff", "8 or 16")),
    Case(
        "colours for a mask",
        lambda shop: read_mask(shop.file(RANDOM, "m.png")),
        DataError,
        ("m.png",),
    ),
    Case("mask of another size", mask_of_another_size, DataError, ("first.png", "30x20", "60x40")),
    Case(
        "folder without images",
        lambda shop: open_clip(shop.folder / "empty"),
        DataError,
        ("empty",),
    ),
    Case("frames of two sizes", frames_of_two_sizes, DataError, ("1.png",)),
    Case(
        "missing video",
        lambda shop: open_clip(shop.folder / "no.mp4"),
        MissingDataError,
        ("no.mp4",),
    ),
    Case(
        "empty video file",
        lambda shop: list(open_clip(shop.file(b"", "e.mp4"))),
        DataError,
        ("e.mp4",),
    ),
    Case("video without frames", video_without_frames, DataError, ("none.mp4",)),
    Case("truncated flow", cut_flo, DataError, ("cut.flo", "6x5")),
    Case(
        "flow of another kind",
        lambda shop: read_flow(shop.file(RANDOM, "r.flo")),
        DataError,
        ("r.flo", "PIEH"),
    ),
    Case(
        "flow of exabytes",
        lambda shop: read_flow(shop.file(HUGE_FLO, "big.flo")),
        DataError,
        ("big.flo",),
    ),
    Case(
        "unknown network",
        lambda shop: VideoSegmenter("segflow_light"),
        DataError,
        ("segflow_light",),
    ),
    Case(
        "network without results",
        lambda shop: VideoSegmenter(shop.good, shop.weights),
        DataError,
        ("good.prototxt",),
    ),
]
CASES = WEIGHTS + PICTURES
