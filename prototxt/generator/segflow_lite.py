"""segflow_lite: SegFlow's two branches and exchange, small enough for a laptop's CPU.

All stages have the same layers with parameters, so every snapshot is a whole model (the deploy net
leaves out the two coarse score layers, which only training reads). Frames of any size: the net pads
to multiples of 32 and cuts its results back.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from .efficientnet_lite0 import add_efficientnet_lite0
from .exchange import FULL, Exchange
from .layers import crop, input_blob, power_scale, python_data, silence
from .lite_flow import FLOW_UNIT_PX, add_flow_branch, flow
from .lite_flownetc import add_flownetc_branch
from .lite_layers import LEVELS, MULTIPLE_OF, average_pool, pad, resample
from .lite_mask import SCORE_LEVELS, add_mask_decoder, add_score
from .lite_pwcnet import add_pwcnet_branch
from .text import FROZEN, Layer, Name, Net, Rate

DEPLOY_SIZE = (480, 854)
STAGES = ("deploy", "train_seg", "train_flow", "train_joint", "online")

DATA_MODULE, DATA_LAYER = "training_sample_data_layer", "TrainingSampleDataLayer"
DATA_SETTINGS = (
    "{{'stage': '{stage}', 'davis_dir': 'data/DAVIS', 'stills_dir': 'data/stills', "
    "'flow_dir': 'data/flow', 'height': 192, 'width': 320, 'batch_size': 12, 'seed': 1}}"
)
DATA_TOPS = {
    "train_seg": ("data", "data2", "label", "weight"),
    "train_flow": ("data", "data2", "flow"),
    "train_joint": ("data", "data2", "label", "weight", "flow"),
}

#: learning rate of the trunk against the rest: it starts from ImageNet weights
TRUNK_RATE = 0.2
#: online: 5e-5 against 3e-4
ONLINE_TRUNK_RATE = 0.1667
#: level -> weight of its mask loss; of its flow loss
MASK_LOSS_WEIGHT = {2: 1.0, 3: 0.3, 4: 0.2}
CROSS_ENTROPY_WEIGHT = 2.0
FLOW_LOSS_WEIGHT = {5: 0.15, 4: 0.15, 3: 0.3, 2: 1.0}
#: (|d|^2 + 1e-4)^0.35 is (|d| + 0.01)^0.7 up to rounding of its foot, in units of 20 pixels
FLOW_LOSS = {
    "l2_per_location": True,
    "normalize_by_num_entries": True,
    "epsilon": 0.0001,
    "power": 0.35,
}


@dataclass
class _Branches:
    """Names of the layers of each part, and the mask decoder's last features by level."""

    trunk: list[str] = field(default_factory=list)
    flow: list[str] = field(default_factory=list)
    mask_decoder: list[str] = field(default_factory=list)
    mask_features: dict[int, str] = field(default_factory=dict)


def segflow_lite(stage: str, size: tuple[int, int] = DEPLOY_SIZE, exchange: Exchange = FULL) -> Net:
    """The net of one stage; `size` = (height, width) of its Input layers, where it has any."""
    deploy = stage == "deploy"
    net = Net("SegFlow_lite" if deploy else f"SegFlow_lite_{stage}", _HEADINGS[stage])
    learns_mask = exchange.segmentation and stage in ("train_seg", "train_joint", "online")
    learns_flow = exchange.flow and stage in ("train_flow", "train_joint")
    _add_inputs(net, stage, size, exchange)
    branches = _add_branches(net, exchange)
    if exchange.segmentation:
        _add_score(net, branches, coarse=not deploy)
    if exchange.flow and (deploy or learns_flow):
        _add_score_flow(net)
    if deploy:
        return net
    _set_rates(net, branches, learns_mask, learns_flow, online=stage == "online")
    if learns_mask:
        _add_mask_losses(net)
    elif exchange.segmentation:
        net.add(silence("silence_score", "score", "score3", "score4"))
    if learns_flow:
        _add_flow_losses(net)
    return net


_HEADINGS = {
    "deploy": "segflow_lite: mask and flow of one pair of frames of any size.\n"
    "data, data2: frames t and t+1, B G R minus (104.00698793, 116.66876762, 122.67891434).\n"
    "score: logit of the object, its probability is the sigmoid;\n"
    "score_flow: (u, v) in pixels, frame t to t+1. Both have the size of data.",
    "train_seg": "segflow_lite, segmentation stage: flow branch frozen.",
    "train_flow": "segflow_lite, flow stage: trunk and mask decoder frozen.",
    "train_joint": "segflow_lite, both branches at once; no gradient crosses the exchange.",
    "online": "segflow_lite, online stage: the first frame of one video and its mask.\n"
    "The flow branch is frozen. The caller fills data, data2, label (0..1) and weight.",
}


#: the branch itself, and what the ablations put in its place
_FLOW_BRANCHES = {
    "": add_flow_branch,
    "flownetc": add_flownetc_branch,
    "pwcnet": add_pwcnet_branch,
}


def _add_inputs(net: Net, stage: str, size: tuple[int, int], exchange: Exchange) -> None:
    if stage in DATA_TOPS:
        name = {"train_seg": "segmentation", "train_flow": "flow", "train_joint": "joint"}[stage]
        param_str = DATA_SETTINGS.format(stage=name)
        net.add(python_data(DATA_TOPS[stage], DATA_MODULE, DATA_LAYER, param_str))
    else:
        channels = {"data": 3, "data2": 3}
        if stage == "online":
            channels |= {"label": 1, "weight": 1}
        for name, count in channels.items():
            net.add(input_blob(name, (1, count, *size)))
    net.section(f"Frames padded to multiples of {MULTIPLE_OF}.")
    net.add(pad("frame1", "data", "frame1"))
    if exchange.flow:
        net.add(pad("frame2", "data2", "frame2"))
    else:
        net.add(silence("silence_data2", "data2"))


def _add_branches(net: Net, exchange: Exchange) -> _Branches:
    branches = _Branches()
    if exchange.segmentation:
        net.section("Segmentation trunk: EfficientNet-Lite0, frame 1 only.")
        start = len(net.layers)
        add_efficientnet_lite0(net, "frame1")
        branches.trunk = net.names_since(start)
    features: dict[int, str] = {}
    if exchange.flow:
        net.section("Flow branch: features of both frames.")
        start = len(net.layers)
        add_branch = _FLOW_BRANCHES[exchange.flow_style]
        features = add_branch(net, ("frame1", "frame2"), from_trunk=exchange.to_flow)
        branches.flow = net.names_since(start)
    if exchange.segmentation:
        start = len(net.layers)
        branches.mask_features = add_mask_decoder(net, features if exchange.to_mask else {})
        branches.mask_decoder = net.names_since(start)
    return branches


def _add_score(net: Net, branches: _Branches, *, coarse: bool) -> None:
    """`score` at the frame's size; with `coarse` the logits of levels 3 and 4 for their losses."""
    net.section("Mask at the frame's size.")
    start = len(net.layers)
    for level in SCORE_LEVELS if coarse else SCORE_LEVELS[:1]:
        add_score(net, level, branches.mask_features[level])
    branches.mask_decoder += net.names_since(start)
    net.add(resample("score_padded", f"score{SCORE_LEVELS[0]}", "frame1"))
    net.add(crop("score", "score_padded", "data", "score", 0))


def _add_score_flow(net: Net) -> None:
    """`flow_full` at the frame's size in units of 20 pixels, `score_flow` in pixels."""
    net.section("Flow at the frame's size.")
    net.add(resample("flow_padded", flow(LEVELS[-1]), "frame1"))
    net.add(crop("flow_full", "flow_padded", "data", "flow_full", 0))
    net.add(power_scale("score_flow", "flow_full", "score_flow", FLOW_UNIT_PX))


def _set_rates(
    net: Net, branches: _Branches, learns_mask: bool, learns_flow: bool, *, online: bool
) -> None:
    """Freezes what the stage does not train; BatchNorm statistics never learn."""
    trunk_rate = Rate(ONLINE_TRUNK_RATE if online else TRUNK_RATE)
    net.set_rates(branches.trunk, trunk_rate if learns_mask else FROZEN)
    statistics = [layer.name for layer in net.layers if layer.type == "BatchNorm"]
    net.set_rates(statistics, FROZEN)
    if not learns_flow:
        net.set_rates(branches.flow, FROZEN)
    if not learns_mask:
        net.set_rates(branches.mask_decoder, FROZEN)


def _add_mask_losses(net: Net) -> None:
    """2 cross-entropy + 1 - soft IoU at the frame's size, 1/8 and 1/16 (there against the mean)."""
    net.section("Mask losses.")
    net.add(pad("label_padded", "label", "label_padded"))
    net.add(pad("weight_padded", "weight", "weight_padded", value=0.0))
    targets = {SCORE_LEVELS[0]: ("score", "label", "weight")}
    for level in SCORE_LEVELS[1:]:
        for name in ("label", "weight"):
            net.add(average_pool(f"{name}{level}", f"{name}_padded", f"{name}{level}", 2**level))
        targets[level] = (f"score{level}", f"label{level}", f"weight{level}")
    for level, bottoms in targets.items():
        weight = MASK_LOSS_WEIGHT[level]
        settings = {"loss_param": {"normalization": Name("FULL")}}
        name = f"cross_entropy{level}"
        net.add(
            Layer(
                name,
                "SigmoidCrossEntropyLoss",
                bottoms,
                (name,),
                settings,
                loss_weight=CROSS_ENTROPY_WEIGHT * weight,
            )
        )
        name = f"soft_iou{level}"
        smooth = {"soft_iou_loss_param": {"smooth": 10.0}}
        net.add(Layer(name, "SoftIoULoss", bottoms, (name,), smooth, loss_weight=weight))


def _add_flow_losses(net: Net) -> None:
    """(end-point error + 0.01)^0.7, true flow averaged down; NaN = unknown, not counted."""
    net.section("Flow losses, in units of 20 pixels.")
    net.add(power_scale("true_flow", "flow", "true_flow", 1 / FLOW_UNIT_PX))
    net.add(pad("true_flow_padded", "true_flow", "true_flow_padded", value=math.nan))
    for level in LEVELS:
        prediction, truth = flow(level), f"true_flow{level}"
        if level == LEVELS[-1]:
            prediction, truth = "flow_full", "true_flow"
        else:
            net.add(average_pool(truth, "true_flow_padded", truth, 2**level))
        name = f"flow_loss{level}"
        net.add(
            Layer(
                name,
                "L1Loss",
                (prediction, truth),
                (name,),
                {"l1_loss_param": FLOW_LOSS},
                loss_weight=FLOW_LOSS_WEIGHT[level],
            )
        )
    distance = {"l2_per_location": True, "normalize_by_num_entries": True, "epsilon": 1e-12}
    net.add(
        Layer(
            "end_point_error",
            "L1Loss",
            ("score_flow", "flow"),
            ("end_point_error",),
            {"l1_loss_param": distance},
            loss_weight=0,
        )
    )
