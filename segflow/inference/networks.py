"""Which files a network consists of, and what a deploy net gives: mask, flow, and their layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from segflow.errors import DataError, MissingDataError
from segflow.synthesis.augment import MEAN_BGR

ROOT = Path(__file__).resolve().parents[2]
#: networks that measure motion and nothing else
FLOW_NETWORKS = ("flownets", "flownetc", "pwcnet")
DEFAULT_WEIGHTS = {
    "segflow_lite": ROOT / "models" / "segflow_lite.caffemodel",
    "segflow": ROOT / "models" / "SegFlow.caffemodel",
    **{name: ROOT / "models" / f"{name}.caffemodel" for name in FLOW_NETWORKS},
}
_WHERE_FROM = {
    "segflow_lite": (
        "it comes with the repository, or train it: python tools/train_iterative.py "
        "(models/README.md)"
    ),
    "segflow": (
        "these are the published weights, which the repository may not bring along; give the "
        "place of SegFlow.caffemodel with --weights, or use --net segflow_lite"
    ),
    **{
        name: (
            f"no weights of {name} are bundled; give a caffemodel with --weights FILE: the one "
            "that its authors published, or one trained by python tools/train_iterative.py "
            f"--net {name}"
        )
        for name in FLOW_NETWORKS
    },
}


@dataclass(frozen=True)
class NetworkFiles:
    """name: that of a bundled network or the path as given; online_solver: None where fine-tuning
    is not offered."""

    name: str
    deploy: Path
    online_solver: Path | None


def find_network(net: str | Path) -> NetworkFiles:
    """The files of a bundled network, or of a deploy.prototxt (or the folder with it).

    The online solver is solver_online.prototxt beside the deploy net.
    """
    name = str(net)
    deploy = ROOT / "prototxt" / name / "deploy.prototxt" if name in DEFAULT_WEIGHTS else Path(net)
    if deploy.is_dir():
        if not (deploy / "deploy.prototxt").is_file():
            raise DataError(f"{deploy}: a folder without deploy.prototxt; give a .prototxt file")
        deploy = deploy / "deploy.prototxt"
    if not deploy.is_file():
        known = ", ".join(DEFAULT_WEIGHTS)
        raise MissingDataError(f"{net}: no such net file, and not one of {known}")
    solver = deploy.with_name("solver_online.prototxt")
    return NetworkFiles(name, deploy, solver if solver.is_file() else None)


def find_weights(network: NetworkFiles, weights: str | Path | None) -> Path:
    """The weights file as given, or the network's own. Raises MissingDataError, DataError."""
    if weights is None:
        if network.name not in DEFAULT_WEIGHTS:
            raise MissingDataError(
                f"{network.name}: this net has no weights of its own; give a caffemodel "
                "(--weights FILE)"
            )
        path = DEFAULT_WEIGHTS[network.name]
        if not path.is_file():
            raise MissingDataError(f"{path}: no such file; {_WHERE_FROM[network.name]}")
        return path
    path = Path(weights)
    if path.is_dir():
        raise DataError(f"{path}: a folder; the weights are one .caffemodel file")
    if not path.is_file():
        raise MissingDataError(f"{path}: no such weights file")
    return path


#: frames t and t+1, B G R minus the mean of the segmentation networks
_FRAMES = ("data", "data2")
#: the same, 0 to 255, as the published flow networks take them
_RAW_FRAMES = ("img0", "img1")


class NetStructure:
    """The layers of a net file and the blobs that inference reads.

    mask_blob: "score" (one channel: the object's logit; two: background and object), or None.
    flow_blobs: of "score_flow" and "predict_flow_final", those that the net has.
    frame_blobs: what takes both frames; mean_bgr: what is taken off their values.
    at_full_size: a flow network, which sees frames as they are: motion is lost by shrinking.
    fixed_size: (H, W) of a net that takes no other size, as the published one; None of a net that
    takes any, which it does by padding.
    """

    def __init__(self, deploy: Path):
        self.deploy = deploy
        self.layers = list(read_net(deploy).layer)
        tops = {top for layer in self.layers for top in layer.top}
        inputs = {
            top
            for layer in self.layers
            for top in layer.top
            if layer.type == "Input" and layer.input_param.shape
        }
        self.at_full_size = inputs.issuperset(_RAW_FRAMES)
        self.frame_blobs = _RAW_FRAMES if self.at_full_size else _FRAMES
        self.mean_bgr = (0.0, 0.0, 0.0) if self.at_full_size else MEAN_BGR
        for name in self.frame_blobs:
            if name not in inputs:
                raise DataError(
                    f"{deploy}: no Input layer {name!r}; a deploy net takes data and data2 (or, "
                    "frames without a mean taken off, img0 and img1)"
                )
        self.mask_blob = "score" if "score" in tops else None
        self.flow_blobs = [name for name in ("score_flow", "predict_flow_final") if name in tops]
        if self.mask_blob is None and not self.flow_blobs:
            raise DataError(f"{deploy}: neither score nor score_flow; this net gives no result")

    @property
    def result_blobs(self) -> list[str]:
        return ([self.mask_blob] if self.mask_blob else []) + self.flow_blobs

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        if any(layer.type == "Pad" for layer in self.layers):
            return None
        layer = next(layer for layer in self.layers if self.frame_blobs[0] in layer.top)
        height, width = layer.input_param.shape[0].dim[2:4]
        return int(height), int(width)

    def heads(self, blob: str) -> tuple[list[str], list[str]]:
        """The layers whose weights make a result: its last convolutions (through all sums and
        resizings before the blob), and the deconvolutions behind them."""
        convolutions: list[str] = []
        deconvolutions: list[str] = []
        waiting = [(len(self.layers), blob)]
        seen = set()
        while waiting:
            end, name = waiting.pop()
            index = next((i for i in range(end - 1, -1, -1) if name in self.layers[i].top), None)
            if index is None or index in seen:
                continue
            seen.add(index)
            layer = self.layers[index]
            if layer.type in ("Convolution", "InnerProduct"):
                convolutions.append(layer.name)
                continue
            if layer.type == "Deconvolution":
                deconvolutions.append(layer.name)
            # The second bottom of these gives a size, not values.
            bottoms = layer.bottom[:1] if layer.type in ("Crop", "Resample") else layer.bottom
            waiting += [(index, bottom) for bottom in bottoms]
        return convolutions[::-1], deconvolutions[::-1]


def read_net(path: Path) -> Any:
    """A prototxt file as NetParameter. Raises DataError that names file, line and column."""
    from caffe.proto import caffe_pb2

    return _read_text(path, caffe_pb2.NetParameter())


def read_solver(path: Path) -> Any:
    """A solver's prototxt file as SolverParameter."""
    from caffe.proto import caffe_pb2

    return _read_text(path, caffe_pb2.SolverParameter())


def _read_text(path: Path, message: Any) -> Any:
    from google.protobuf import text_format

    try:
        return text_format.Parse(path.read_text(encoding="utf-8"), message)
    except (text_format.ParseError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not a readable prototxt file ({error})") from error


def zero_layers(net: Any, names: list[str]) -> list[str]:
    """Those of the layers whose weights are zero throughout."""
    return [name for name in names if not net.params[name][0].data.any()]


def untouched_text(names: list[str]) -> str:
    """Some names of many."""
    listed = ", ".join(names[:4])
    return listed if len(names) <= 4 else f"{listed} and {len(names) - 4} more"


def planes_of(structure: NetStructure) -> Iterator[str]:
    """What a person gets of this net, in words."""
    if structure.mask_blob:
        yield "masks"
    if structure.flow_blobs:
        yield "flow"
