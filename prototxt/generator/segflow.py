"""SegFlow as published (Cheng et al., ICCV 2017): deploy net and the nets of its training stages.

`deploy` and `train_seg` equal the published files layer for layer. `train_flow` and `online` are
the stages that the authors did not release; their rates and losses follow the paper.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .exchange import FULL, Exchange
from .flow_trunks import FLOW_TRUNKS, FlowTrunk
from .flownets import FlowNetSize
from .layers import concat, convolution, crop, deconvolution, input_blob, python_data, silence
from .resnet101 import add_resnet101
from .text import FROZEN, Layer, Name, Net, Rate

PUBLISHED_SIZE = (480, 854)
WEIGHTS_AND_BIAS = (Rate(1, 1), Rate(2, 0))
STAGES = ("deploy", "train_seg", "train_flow", "online")

SEGMENTATION_DATA = (
    "{ 'scale': 1, 'seed': 1225, 'davis_dir': 'data/DAVIS', 'split': 'train', "
    "'mean': (104.007, 116.669, 122.679), 'with_augmentation': 1,  "
    "'aug_params': (1000, 0.05, 5, 0.05, 0.05, 1)}"
)
FLOW_DATA = "{{'flow_dir': 'data/flow', 'height': {height}, 'width': {width}, 'seed': 1225}}"


@dataclass
class Branches:
    """Names of the layers of each part, for setting their learning rates."""

    trunk: list[str] = field(default_factory=list)
    flow_trunk: list[str] = field(default_factory=list)
    mask_decoder: list[str] = field(default_factory=list)
    flow_decoder: list[str] = field(default_factory=list)


def flownet_size(height: int, width: int) -> FlowNetSize:
    """Sizes for frames of height x width; ValueError where the published wiring cannot work."""
    for name, size in (("height", height), ("width", width)):
        if size % 8 in (1, 2):
            raise ValueError(
                f"{name} {size}: with a remainder of 1 or 2 modulo 8 the last upsampling ends "
                f"short of the frame; pad frames to {size + 3 - size % 8} or more"
            )
    inner = [64 * math.ceil((size + 32) / 64) for size in (height, width)]
    return FlowNetSize(height, width, *inner)


def segflow(stage: str, size: tuple[int, int] = PUBLISHED_SIZE, exchange: Exchange = FULL) -> Net:
    """The net of one stage, for frames of `size` = (height, width)."""
    net = Net(_net_name(stage, exchange), _HEADINGS[stage])
    _add_inputs(net, stage, size, exchange)
    branches = _add_body(net, flownet_size(*size), exchange, deploy=stage == "deploy")
    if stage == "train_seg":
        _add_segmentation_stage(net, exchange)
    elif stage == "train_flow":
        _add_flow_stage(net, branches, exchange)
    elif stage == "online":
        _add_online_stage(net, branches, exchange)
    return net


_HEADINGS = {
    "deploy": "SegFlow: mask and flow of one pair of frames.\n"
    "data, data2: frames t and t+1, B G R minus (104.00698793, 116.66876762, 122.67891434).\n"
    "score: logits of background and object; score_flow: (u, v) in pixels, frame t to t+1.",
    "train_seg": "SegFlow, segmentation stage as released: flow trunk frozen, plain cross-entropy.",
    "train_flow": "SegFlow, flow stage: segmentation branch frozen, true flow given.",
    "online": "SegFlow, online stage: the first frame of one video and its mask.\n"
    "The flow branch is frozen. The caller fills data, data2, label (0/1) and weight.",
}


def _net_name(stage: str, exchange: Exchange) -> str:
    published = {"deploy": "SegFlow", "train_seg": "SegFlow_PN_DAVIS2016"}
    return published.get(stage, f"SegFlow_{stage}")


def _add_inputs(net: Net, stage: str, size: tuple[int, int], exchange: Exchange) -> None:
    height, width = size
    if stage == "train_seg":
        net.add(
            python_data(
                ("data", "data2", "label", "weight"),
                "SegFlow_davis_fgbg_data_layer",
                "SegFlowDAVISFgBgDataLayer",
                SEGMENTATION_DATA,
            )
        )
    elif stage == "train_flow":
        param_str = FLOW_DATA.format(height=height, width=width)
        tops = ("data", "data2", "flow")
        net.add(python_data(tops, "flow_pair_data_layer", "FlowPairDataLayer", param_str))
    else:
        net.add(input_blob("data", (1, 3, height, width)))
        net.add(input_blob("data2", (1, 3, height, width)))
        if stage == "online":
            net.add(input_blob("label", (1, 1, height, width)))
            net.add(input_blob("weight", (1, 1, height, width)))
    if not exchange.flow:
        net.add(silence("silence_data2", "data2"))


def _add_body(net: Net, size: FlowNetSize, exchange: Exchange, *, deploy: bool) -> Branches:
    branches = Branches()

    def record(names: list[str], start: int) -> int:
        names += net.names_since(start)
        return len(net.layers)

    start = len(net.layers)
    if exchange.segmentation:
        net.section("Segmentation trunk: ResNet-101, frame 1 only.")
        add_resnet101(net, "data")
        start = record(branches.trunk, start)
    if exchange.flow:
        trunk = _flow_trunk(exchange)
        net.section(f"Flow trunk: {trunk.title}, both frames.")
        trunk.add(net, size, "CUDNN" if deploy else "")
        start = record(branches.flow_trunk, start)
    if exchange.segmentation:
        net.section("Segmentation decoder: FCN on both trunks' features at 1/32, 1/16 and 1/8.")
        _add_mask_decoder(net, exchange)
        start = record(branches.mask_decoder, start)
    if exchange.segmentation and exchange.flow:
        net.section("Flow decoder: the same on the same features.")
        _add_flow_decoder(net, exchange)
        record(branches.flow_decoder, start)
    return branches


#: level (5 = 1/32): offset of the flow features' crop for the mask, and for the flow
_CROP_OFFSETS = {5: (1, 1), 4: (2, 0), 3: (4, 0)}
#: level: segmentation blob as the decoders read it, trunk blob, factor
_SCALED = {4: ("res4b22", 0.01), 3: ("res3b3", 0.0001)}


def _add_mask_decoder(net: Net, exchange: Exchange) -> None:
    previous = ""
    for level in (5, 4, 3):
        features = _add_trunk_features(net, level)
        if exchange.flow:
            _add_pooled_flow_features(net, level, exchange)
        if exchange.flow and (exchange.to_mask or level == 5):
            cropped = _add_cropped_flow_features(net, level, "", exchange)
        if exchange.to_mask:
            features = _add_joined(net, level, "", features, cropped)
        previous = _add_score(net, level, "", features, previous)


def _add_flow_decoder(net: Net, exchange: Exchange) -> None:
    """Differs from the mask's in its crop offsets; level 5 shares the mask decoder's blobs."""
    previous = ""
    for level in (5, 4, 3):
        shared = level == 5
        if shared:
            features = f"{_flow_blob(level, exchange)}c"
        else:
            features = _add_cropped_flow_features(net, level, "_flow", exchange)
        if exchange.to_flow:
            trunk = _trunk_name(level)
            if shared and exchange.to_mask:
                features = "concat_res5"
            else:
                features = _add_joined(net, level, "" if shared else "_flow", trunk, features)
        previous = _add_score(net, level, "_flow", features, previous)


def _trunk_name(level: int) -> str:
    return f"scale_res{level}" if level in _SCALED else "res5c"


def _flow_trunk(exchange: Exchange) -> FlowTrunk:
    return FLOW_TRUNKS[exchange.flow_style or "flownets"]


def _flow_blob(level: int, exchange: Exchange) -> str:
    """The flow trunk's features that are pooled to a level, of twice its height and width."""
    return _flow_trunk(exchange).features[level - 1]


def _add_trunk_features(net: Net, level: int) -> str:
    """The trunk's stage, at levels 4 and 3 times a frozen factor."""
    if level not in _SCALED:
        return "res5c"
    blob, factor = _SCALED[level]
    filler = {"scale_param": {"filler": {"type": "constant", "value": factor}}}
    name = _trunk_name(level)
    return net.add(Layer(name, "Scale", (blob,), (name,), filler, (Rate(0),)))


def _add_pooled_flow_features(net: Net, level: int, exchange: Exchange) -> None:
    blob = _flow_blob(level, exchange)
    pool = {"pooling_param": {"kernel_size": 3, "stride": 2, "pool": Name("MAX")}}
    net.add(Layer(f"pool_{blob}", "Pooling", (blob,), (f"pool_{blob}",), pool))


def _add_cropped_flow_features(net: Net, level: int, suffix: str, exchange: Exchange) -> str:
    blob = _flow_blob(level, exchange)
    mask_offset, flow_offset = _CROP_OFFSETS[level]
    name = f"{blob}c{suffix}"
    offset = flow_offset if suffix else mask_offset
    return net.add(crop(name, f"pool_{blob}", _trunk_name(level), name, offset))


def _add_joined(net: Net, level: int, suffix: str, trunk: str, flow: str) -> str:
    top = f"concat_res{level}{suffix}"
    return net.add(concat(top, (trunk, flow), name=f"Concat_res{level}{suffix}"))


def _add_score(net: Net, level: int, suffix: str, features: str, previous: str) -> str:
    """A level's two-channel score, plus the coarser levels' upsampled; returns the upsampled sum.

    At level 3 the upsampling is by 8 and is cropped to the frame: `score` or `score_flow`.
    """
    plain_bias = level == 5 and not suffix  # published without `param` blocks: bias rate 1
    score = convolution(
        f"score_res{level}_con{suffix}",
        features,
        {"num_output": 2, "pad": 0, "kernel_size": 1},
        top=f"score_res{level}{suffix}",
        rates=() if plain_bias else WEIGHTS_AND_BIAS,
    )
    fused = net.add(score)
    if previous:
        cropped = {4: "upscore2c", 3: "upscore_res4c"}[level] + suffix
        net.add(crop(f"score_res{level}c{suffix}", previous, fused, cropped, 2))
        settings = {"eltwise_param": {"operation": Name("SUM")}}
        top = f"fuse_res{level}{suffix}"
        fused = net.add(Layer(top, "Eltwise", (cropped, fused), (top,), settings))
    factor = 8 if level == 3 else 2
    name = {5: "upscore2", 4: "upscore_res4", 3: "upscore8"}[level] + suffix
    settings = {"num_output": 2, "bias_term": False, "kernel_size": 2 * factor, "stride": factor}
    upsampled = net.add(deconvolution(name, fused, settings, rates=(Rate(0),)))
    if level == 3:
        net.add(crop(f"score{suffix}", upsampled, "data", f"score{suffix}", 8))
    return upsampled


def _add_segmentation_stage(net: Net, exchange: Exchange) -> None:
    """Losses of the released training: the class weights are read by nobody."""
    net.section("Loss as released: the sum over pixels, not class-balanced.")
    if exchange.flow:
        net.add(silence("silence_layer_flow", "score_flow"))
    net.add(silence("silence_weight", "weight"))
    sum_over_pixels = {"loss_param": {"normalize": False}}
    net.add(Layer("loss", "SoftmaxWithLoss", ("score", "label"), ("loss",), sum_over_pixels))
    for suffix, ignored in (("", None), ("_fg", 0), ("_bg", 1)):
        name = f"accuracy{suffix}"
        settings = {} if ignored is None else {"accuracy_param": {"ignore_label": ignored}}
        net.add(Layer(name, "Accuracy", ("score", "label"), (name,), settings))


def _add_flow_stage(net: Net, branches: Branches, exchange: Exchange) -> None:
    """Half the sum of squared differences; NaN marks pixels of unknown flow and counts nothing."""
    net.set_rates([*branches.trunk, *branches.mask_decoder], FROZEN)
    net.set_rates(branches.flow_trunk, *WEIGHTS_AND_BIAS)
    flow = "predict_flow_final"
    if exchange.segmentation:
        net.set_rates(["Convolution6"], FROZEN)
        net.section("Loss: EuclideanLoss that skips pixels whose flow is unknown (NaN).")
        net.add(silence("silence_layer_mask", "score"))
        flow = "score_flow"
    else:
        _unsilence_flownet(net)
    squared = {"l1_loss_param": {"l2_per_location": True, "epsilon": 0.0, "power": 1.0}}
    net.add(Layer("loss", "L1Loss", (flow, "flow"), ("loss",), squared, loss_weight=0.5))
    distance = {"l2_per_location": True, "normalize_by_num_entries": True, "epsilon": 1e-12}
    end_point_error = Layer(
        "end_point_error",
        "L1Loss",
        (flow, "flow"),
        ("end_point_error",),
        {"l1_loss_param": distance},
        loss_weight=0,
    )
    net.add(end_point_error)


def _add_online_stage(net: Net, branches: Branches, exchange: Exchange) -> None:
    """Trunk and mask decoder learn; the loss is weighted pixel by pixel."""
    net.set_rates([*branches.flow_trunk, *branches.flow_decoder], FROZEN)
    net.section("Loss: cross-entropy times the pixel's weight, summed.")
    if exchange.flow:
        net.add(silence("silence_layer_flow", "score_flow"))
    settings = {"loss_param": {"normalize": False}}
    net.add(Layer("loss", "SoftmaxWithLoss", ("score", "label", "weight"), ("loss",), settings))


def _unsilence_flownet(net: Net) -> None:
    """Without a segmentation branch FlowNetS's own flow is the output."""
    net.entries = [
        entry
        for entry in net.entries
        if not (isinstance(entry, Layer) and entry.name == "silence_layers")
    ]
