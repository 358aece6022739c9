"""Every bundled file: which network, which stage, which ablation, under which path."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import PurePosixPath

from .exchange import FULL, Exchange
from .flow_networks import flownetc, flownets, pwcnet
from .segflow import segflow
from .segflow_lite import segflow_lite
from .solvers import solver
from .text import Net

NETWORKS: dict[str, Callable[[str, tuple[int, int], Exchange], Net]] = {
    "segflow": segflow,
    "segflow_lite": segflow_lite,
    "flownets": flownets,
    "flownetc": flownetc,
    "pwcnet": pwcnet,
}
#: networks that measure motion and nothing else: one branch, no exchange, no ablations
FLOW_ALONE = ("flownets", "flownetc", "pwcnet")
SIZE = (480, 854)
STAGES = {
    "segflow": ("train_seg", "train_flow", "online"),
    "segflow_lite": ("train_seg", "train_flow", "train_joint", "online"),
    **dict.fromkeys(FLOW_ALONE, ("train_flow",)),
}
ABLATIONS = {
    "without_flow": Exchange(flow=False),
    "without_segmentation": Exchange(segmentation=False),
    "flow_to_segmentation": Exchange(segmentation_to_flow=False),
    "segmentation_to_flow": Exchange(flow_to_segmentation=False),
    "flownetc": Exchange(flow_style="flownetc"),
    "pwcnet": Exchange(flow_style="pwcnet"),
}


def bundled_files(
    network: str, size: tuple[int, int] = SIZE, *, ablations: bool = True
) -> dict[PurePosixPath, str]:
    """Path below prototxt/ -> text, for a network and its ablations at a frame size."""
    files = _folder(network, PurePosixPath(network), size, FULL)
    if ablations and network not in FLOW_ALONE:
        for name, exchange in ABLATIONS.items():
            folder = PurePosixPath("ablations", network, name)
            files |= _folder(network, folder, size, exchange)
        files |= _without_online(network, size)
    return files


def _folder(
    network: str, folder: PurePosixPath, size: tuple[int, int], exchange: Exchange
) -> dict[PurePosixPath, str]:
    build = NETWORKS[network]
    files = {folder / "deploy.prototxt": build("deploy", size, exchange).text()}
    for stage in STAGES[network]:
        if not _has_stage(stage, exchange):
            continue
        files[folder / f"{stage}.prototxt"] = build(stage, size, exchange).text()
        files[folder / f"solver_{stage}.prototxt"] = solver(network, stage, folder)
    return files


def _without_online(network: str, size: tuple[int, int]) -> dict[PurePosixPath, str]:
    """The whole network, whose online stage makes no iteration; it is trained like the original."""
    folder = PurePosixPath("ablations", network, "without_online")
    files = {
        folder / f"{stage}.prototxt": NETWORKS[network](stage, size, FULL).text()
        for stage in ("deploy", "online")
    }
    files[folder / "solver_online.prototxt"] = solver(network, "online", folder, max_iter=0)
    return files


def _has_stage(stage: str, exchange: Exchange) -> bool:
    """A stage needs the branch that it trains; the joint one needs both."""
    needs_segmentation = stage in ("train_seg", "train_joint", "online")
    needs_flow = stage in ("train_flow", "train_joint")
    return (exchange.segmentation or not needs_segmentation) and (exchange.flow or not needs_flow)
