"""Flow alone: FlowNetS, FlowNetC and PWC-Net, with the published names and shapes of parameters.

The published nets are templates: a script writes the image's size, that of the multiple of 64 at
which the network sees it, and the ratio of both. Here the nets find all three by themselves.
"""

from __future__ import annotations

from collections.abc import Callable

from .exchange import FULL, Exchange
from .flow_convolutions import FlowConvolutions
from .flownet import add_flownetc_body, add_flownets_body
from .flownets import FLOW_UNIT_PX, ONE_OVER_255
from .layers import convolution, eltwise_scale, input_blob, python_data
from .pwcnet import add_pwcnet_body
from .text import FROZEN, Layer, Name, Net

DEPLOY_SIZE = (480, 854)
STAGES = ("deploy", "train_flow")
MULTIPLE_OF = 64
FRAMES = ("img0", "img1")

DATA_MODULE, DATA_LAYER = "training_sample_data_layer", "TrainingSampleDataLayer"
DATA_SETTINGS = (
    "{'stage': 'flow', 'flow_dir': 'data/flow', 'height': 320, 'width': 448, 'batch_size': 8, "
    "'mean': (0, 0, 0), 'seed': 1}"
)
#: level -> weight of its loss, as FlowNet and PWC-Net were trained
LOSS_WEIGHT = {6: 0.32, 5: 0.08, 4: 0.02, 3: 0.01, 2: 0.005}
#: FlowNet 1.0: mean B, G, R of its training images, first and second frame
MEANS = ((0.411451, 0.43206, 0.450141), (0.410602, 0.431021, 0.448553))


def flownets(stage: str, size: tuple[int, int] = DEPLOY_SIZE, exchange: Exchange = FULL) -> Net:
    """FlowNetS; `size` = (height, width) of the Input layers, which take any other too."""
    return _flow_network("FlowNetS", add_flownets_body, _add_fixed_means, stage, size)


def flownetc(stage: str, size: tuple[int, int] = DEPLOY_SIZE, exchange: Exchange = FULL) -> Net:
    """FlowNetC."""
    return _flow_network("FlowNetC", add_flownetc_body, _add_fixed_means, stage, size)


def pwcnet(stage: str, size: tuple[int, int] = DEPLOY_SIZE, exchange: Exchange = FULL) -> Net:
    """PWC-Net."""
    return _flow_network("PWC-Net", add_pwcnet_body, _add_learned_means, stage, size)


Body = Callable[[Net, FlowConvolutions, tuple[str, str]], None]
Means = Callable[[Net], tuple[str, str]]


def _flow_network(
    name: str, add_body: Body, add_means: Means, stage: str, size: tuple[int, int]
) -> Net:
    net = Net(name if stage == "deploy" else f"{name}_{stage}", _HEADINGS[stage].format(name))
    if stage == "deploy":
        for number, frame in enumerate(FRAMES, start=1):
            net.add(_input(f"Image{number}", frame, size))
    else:
        tops = (*FRAMES, "flow")
        net.add(python_data(tops, DATA_MODULE, DATA_LAYER, DATA_SETTINGS))
    net.section(f"Frames to 0..1, less their mean, stretched to multiples of {MULTIPLE_OF}.")
    pwc = add_means is _add_learned_means
    frames = _add_stretched(net, add_means(net), order=(2, 1) if pwc else (1, 2))
    net.section(f"{name} itself.")
    add_body(net, FlowConvolutions(net, "CUDNN"), frames)
    net.section("Flow at the frame's size, in its pixels.")
    _add_full_size_flow(net, scaling="blob44" if pwc else "Eltwise4")
    if stage != "deploy":
        _add_losses(net)
    return net


_HEADINGS = {
    "deploy": "{}: flow of one pair of frames of any size; published weights load by name.\n"
    "img0, img1: frames t and t+1, B G R, 0 to 255, no mean taken off.\n"
    "predict_flow_final: (u, v) in pixels, frame t to t+1, of the frames' size.",
    "train_flow": "{}: training with the published losses.",
}


def _input(name: str, top: str, size: tuple[int, int]) -> Layer:
    layer = input_blob(top, (1, 3, *size))
    return Layer(name, layer.type, (), (top,), layer.settings)


def _add_fixed_means(net: Net) -> tuple[str, str]:
    """FlowNet 1.0's: means that the file gives."""
    for number, (frame, mean) in enumerate(zip(FRAMES, MEANS, strict=True), start=1):
        settings = {"operation": Name("SUBTRACT"), "input_scale": 0.0039216, "value": list(mean)}
        layer = Layer(
            f"Mean{number}", "Mean", (frame,), (f"{frame}_aug",), {"mean_param": settings}
        )
        net.add(layer)
    return f"{FRAMES[0]}_aug", f"{FRAMES[1]}_aug"


def _add_learned_means(net: Net) -> tuple[str, str]:
    """PWC-Net's: means that the weights bring, or that the first 1000 passes find.

    No crop, where the published net has one of the image's size: nothing is cut by either, but
    the crop blends the last row and column by 5 % with those before.
    """
    for number in (2, 1):
        frame = FRAMES[number - 1]
        net.add(eltwise_scale(f"Eltwise{number}", frame, f"{frame}s", ONE_OVER_255))
    settings = {"augment_during_test": True, "recompute_mean": 1000, "mean_per_pixel": False}
    tops = []
    for frame in FRAMES:
        layer = Layer(
            f"{frame}s_aug",
            "DataAugmentation",
            (f"{frame}s",),
            (f"{frame}_nomean",),
            {"augmentation_param": settings},
        )
        tops.append(net.add(layer))
    return tops[0], tops[1]


def _add_stretched(net: Net, frames: tuple[str, str], order: tuple[int, int]) -> tuple[str, str]:
    """Both frames at the next multiple of 64 in height and width.

    `order`: the published one of the layers for frame 1 and 2.
    """
    settings = {"pad_param": {"multiple_of": MULTIPLE_OF}}
    size = net.add(Layer("adapted_size", "Pad", (frames[0],), ("adapted_size",), settings))
    for number in order:
        blob, top = frames[number - 1], f"{FRAMES[number - 1]}_nomean_resize"
        net.add(_resample_like(f"Resample{number}", blob, size, top))
    return f"{FRAMES[0]}_nomean_resize", f"{FRAMES[1]}_nomean_resize"


def _add_full_size_flow(net: Net, scaling: str) -> None:
    """`scaling`: the published name of the layer that multiplies by 20."""
    net.add(eltwise_scale(scaling, "predict_flow2", "blob44", FLOW_UNIT_PX))
    net.add(_resample_like("Resample4", "blob44", FRAMES[0], "predict_flow_resize"))
    resized = "predict_flow_resize"
    net.add(
        _flow_scale("scale_to_frame", resized, f"{FRAMES[0]}_nomean_resize", FRAMES[0], resized)
    )
    unchanged = {
        "num_output": 2,
        "pad": 0,
        "kernel_size": 1,
        "stride": 1,
        "weight_filler": {"type": "diagonal", "diag_val": [1.0, 1.0]},
        "bias_filler": {"type": "constant"},
    }
    net.add(convolution("Convolution6", resized, unchanged, top="predict_flow_final"))


def _add_losses(net: Net) -> None:
    """End-point errors at five sizes in units of 20 pixels; NaN = unknown, which counts nothing."""
    net.set_rates(["Convolution6"], FROZEN)  # no gradient comes here, but weight decay would
    net.section("Losses: true flow in units of 20 pixels of the stretched frame, at each level.")
    stretched = f"{FRAMES[0]}_nomean_resize"
    net.add(_flow_scale("flow_stretched", "flow", FRAMES[0], stretched, "flow_stretched"))
    net.add(eltwise_scale("true_flow", "flow_stretched", "true_flow", 1 / FLOW_UNIT_PX))
    for level, weight in LOSS_WEIGHT.items():
        prediction, truth = f"predict_flow{level}", f"true_flow{level}"
        net.add(Layer(truth, "Downsample", ("true_flow", prediction), (truth,)))
        name = f"flow_loss{level}"
        settings = {"l1_loss_param": {"l2_per_location": True}}
        net.add(Layer(name, "L1Loss", (prediction, truth), (name,), settings, loss_weight=weight))
    distance = {"l2_per_location": True, "normalize_by_num_entries": True, "epsilon": 1e-12}
    net.add(
        Layer(
            "end_point_error",
            "L1Loss",
            ("predict_flow_final", "flow"),
            ("end_point_error",),
            {"l1_loss_param": distance},
            loss_weight=0,
        )
    )


def _resample_like(name: str, blob: str, reference: str, top: str) -> Layer:
    """As published, but at the height and width of `reference`, of which nothing else is read."""
    settings = {"resample_param": {"type": Name("LINEAR"), "antialias": True}}
    bottoms = (blob, reference)
    return Layer(name, "Resample", bottoms, (top,), settings, propagate_down=(True, False))


def _flow_scale(name: str, flow: str, from_grid: str, to_grid: str, top: str) -> Layer:
    """A flow in pixels of one grid as pixels of another; of both only the size is read."""
    bottoms = (flow, from_grid, to_grid)
    return Layer(name, "FlowScale", bottoms, (top,), propagate_down=(True, False, False))
