"""Running the networks over videos, and fine-tuning them to one.

Names are loaded at first use: command lines explain themselves without a built engine.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segflow.inference.networks import NetworkFiles, find_network, find_weights
    from segflow.inference.online import OnlineFineTuner, OnlineReport, OnlineSpec
    from segflow.inference.passes import QUALITIES, Pass
    from segflow.inference.segmenter import FrameResult, VideoSegmenter

_HOMES = {
    "networks": ("NetworkFiles", "find_network", "find_weights"),
    "online": ("OnlineFineTuner", "OnlineReport", "OnlineSpec"),
    "passes": ("QUALITIES", "Pass"),
    "segmenter": ("FrameResult", "VideoSegmenter"),
}

__all__ = [
    "QUALITIES",
    "FrameResult",
    "NetworkFiles",
    "OnlineFineTuner",
    "OnlineReport",
    "OnlineSpec",
    "Pass",
    "VideoSegmenter",
    "find_network",
    "find_weights",
]


def __getattr__(name: str) -> Any:
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"{__name__}.{home}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
