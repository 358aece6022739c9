"""FlowNetS inside SegFlow (Dosovitskiy et al., "FlowNet", ICCV 2015), with the published names.

The first convolution is `conv1_flowS`, because `conv1` belongs to the segmentation trunk.
"""

from __future__ import annotations

from dataclasses import dataclass

from .flow_convolutions import SLOPE, FlowConvolutions
from .layers import concat, convolution, eltwise_scale, relu, silence
from .text import FROZEN, Layer, Name, Net

ONE_OVER_255 = 0.00392156862745
FLOW_UNIT_PX = 20.0

#: name, channels, kernel size, stride
ENCODER = (
    ("conv1_flowS", 64, 7, 2),
    ("conv2", 128, 5, 2),
    ("conv3", 256, 5, 2),
    ("conv3_1", 256, 3, 1),
    ("conv4", 512, 3, 2),
    ("conv4_1", 512, 3, 1),
    ("conv5", 512, 3, 2),
    ("conv5_1", 512, 3, 1),
    ("conv6", 1024, 3, 2),
    ("conv6_1", 1024, 3, 1),
)
#: level that is refined, its encoder blob, channels of the deconvolution that leads to it
DECODER = ((5, "conv5_1", 512), (4, "conv4_1", 256), (3, "conv3_1", 128), (2, "conv2", 64))


@dataclass(frozen=True)
class FlowNetSize:
    """Frame size, and the size (a multiple of 64) at which the network runs."""

    height: int
    width: int
    inner_height: int
    inner_width: int


def add_flownets(net: Net, size: FlowNetSize, engine: str = "") -> None:
    """Appends FlowNetS from `data` and `data2` to `predict_flow_final`, which is silenced.

    `engine`: what the published deploy net asks for in its convolutions, empty for none.
    """
    learned = FlowConvolutions(net, engine, (FROZEN, FROZEN))
    frames = add_preparation(net, size)
    blob = net.add(concat("input", frames, name="Concat1", axis=1))
    for index, (name, channels, kernel_size, stride) in enumerate(ENCODER, start=1):
        learned.convolution(name, blob, channels, kernel_size, stride)
        blob = net.add(relu(f"ReLU{index}", name, SLOPE))
    _add_refinement(net, learned, blob)
    add_full_size_flow(net, size)


def add_preparation(net: Net, size: FlowNetSize) -> tuple[str, str]:
    """Frames to 0..1, stored mean off, resized; returns both blobs."""
    net.add(eltwise_scale("Eltwise2", "data2", "img1s", ONE_OVER_255))
    net.add(eltwise_scale("Eltwise1", "data", "img0s", ONE_OVER_255))
    augmentation = {
        "augment_during_test": True,
        "recompute_mean": 1000,
        "mean_per_pixel": False,
        "crop_width": size.width,
        "crop_height": size.height,
    }
    for frame in ("img0", "img1"):
        settings = {"augmentation_param": augmentation}
        net.add(
            Layer(
                f"{frame}s_aug", "DataAugmentation", (f"{frame}s",), (f"{frame}_nomean",), settings
            )
        )
    for name, frame in (("Resample2", "img1"), ("Resample1", "img0")):
        blob, top = f"{frame}_nomean", f"{frame}_nomean_resize"
        net.add(_resample(name, blob, top, size.inner_height, size.inner_width))
    return "img0_nomean_resize", "img1_nomean_resize"


def _add_refinement(net: Net, learned: FlowConvolutions, blob: str) -> None:
    """From 1/64 to 1/4: features and flow are doubled and joined with the encoder's."""
    for step, (level, encoder, channels) in enumerate(DECODER, start=1):
        coarser = level + 1
        features = learned.doubling(f"deconv{level}", blob, channels)
        flow = learned.convolution(f"Convolution{step}", blob, 2, 3, tops=f"predict_flow{coarser}")
        upsampled = learned.doubling(
            f"upsample_flow{coarser}to{level}",
            flow,
            2,
            top=f"upsampled_flow{coarser}_to_{level}",
        )
        net.add(relu(f"ReLU{10 + step}", features, SLOPE))
        blob = net.add(
            concat(f"concat{level}", (encoder, features, upsampled), name=f"Concat{step + 1}")
        )
    learned.convolution("Convolution5", blob, 2, 3, tops="predict_flow2")


def add_full_size_flow(net: Net, size: FlowNetSize) -> None:
    """`predict_flow_final`: FlowNetS's own flow, in pixels of the frame. Only silenced."""
    net.add(eltwise_scale("Eltwise4", "predict_flow2", "blob44", FLOW_UNIT_PX))
    net.add(_resample("Resample4", "blob44", "predict_flow_resize", size.height, size.width))
    to_frame_pixels = {
        "num_output": 2,
        "pad": 0,
        "kernel_size": 1,
        "stride": 1,
        "weight_filler": {
            "type": "diagonal",
            "diag_val": [size.width / size.inner_width, size.height / size.inner_height],
        },
        "bias_filler": {"type": "constant"},
    }
    net.add(
        convolution(
            "Convolution6", "predict_flow_resize", to_frame_pixels, top="predict_flow_final"
        )
    )
    net.add(silence("silence_layers", "predict_flow_final"))


def _resample(name: str, blob: str, top: str, height: int, width: int) -> Layer:
    settings = {"width": width, "height": height, "type": Name("LINEAR"), "antialias": True}
    return Layer(name, "Resample", (blob,), (top,), {"resample_param": settings})
