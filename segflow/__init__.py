"""SegFlow: video object segmentation and optical flow, learned together, on our own Caffe."""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from segflow.inference import VideoSegmenter

__all__ = ["VideoSegmenter"]


def __getattr__(name: str) -> Any:
    """VideoSegmenter, at first use: readers and metrics need no built engine."""
    if name == "VideoSegmenter":
        from segflow.inference import VideoSegmenter

        return VideoSegmenter
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
