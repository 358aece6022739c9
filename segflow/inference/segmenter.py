"""VideoSegmenter: masks and motion of a video, frame by frame.

    segmenter = VideoSegmenter()
    for frame, result in segmenter.run(open_clip("video.mp4")):
        write_mask(f"{frame.name}.png", result.mask)

The motion of a frame needs the next one. `run` sees to that; `step` does it live, its results
one frame behind; `pair` takes both frames.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import caffe
from segflow.errors import DataError, UsageError
from segflow.inference import networks, passes
from segflow.inference.passes import FULL_SIZE_QUALITIES, QUALITIES, Pass
from segflow.readers.clip import Frame


@dataclass(frozen=True)
class FrameResult:
    """What is known of a frame (H, W, 3), which `image` is.

    probability: (H, W) float32 of being object; mask: (H, W) uint8, 1 where it is above 0.5.
    flow: (H, W, 2) float32, pixels of the frame, motion to the next one; None where the net has
    no flow. A net without masks gives mask and probability None.
    """

    image: np.ndarray
    mask: np.ndarray | None
    probability: np.ndarray | None
    flow: np.ndarray | None


class VideoSegmenter:
    """A network with weights, ready for frames of any size.

    net: "segflow_lite", "segflow", "flownets", "flownetc", "pwcnet", or a deploy.prototxt.
    weights: a caffemodel; None takes the one that belongs to the net.
    quality: "fast", "normal", "best", or the passes themselves. A net of one fixed size has one
    pass, or with "best" a second, mirrored one; so has a flow network, at the frame's size.
    Raises MissingDataError or DataError for files, caffe.Error for weights that do not fit.

    notes: what a user should know of these weights, in words.
    """

    def __init__(
        self,
        net: str | Path = "segflow_lite",
        weights: str | Path | None = None,
        quality: str | Sequence[Pass] = "normal",
    ):
        self.files = networks.find_network(net)
        self.weights = networks.find_weights(self.files, weights)
        self.structure = networks.NetStructure(self.files.deploy)
        self.passes = self._chosen_passes(quality)
        self.notes: list[str] = []
        self.flow_blob: str | None = None
        self._nets: dict[int | None, Any] = {}
        self._last: np.ndarray | None = None
        for height in dict.fromkeys(p.height for p in self.passes):
            self._nets[height] = self._new_net()
        self.reset()

    def reset(self) -> None:
        """Forget the video: the weights are those of the file again, no frame is waiting."""
        self._last = None
        self._check_coverage(self._net.copy_from(str(self.weights)))
        self._check_heads()

    def take_weights(self, net: Any) -> None:
        """Take the parameters of another net (a fine-tuned one) by layer name."""
        for name, blobs in net.params.items():
            if name not in self._net.params:
                continue
            for mine, theirs in zip(self._net.params[name], blobs, strict=True):
                mine.data[...] = theirs.data

    def working_sizes(self, frame_size: tuple[int, int]) -> list[tuple[int, int]]:
        """(h, w) of the passes over a frame (H, W), without repetition."""
        sizes = [self._size(p, frame_size) for p in self.passes]
        return list(dict.fromkeys(sizes))

    def run(self, frames: Iterable[Frame]) -> Iterator[tuple[Frame, FrameResult]]:
        """Each frame of a clip with its result; reads one frame ahead and keeps no more.

        The last frame pairs with itself. Raises DataError where there is no frame.
        """
        frame = None
        for following in frames:
            if frame is not None:
                yield frame, self.pair(frame.image, following.image)
            frame = following
        if frame is None:
            raise DataError("the clip has no frames")
        yield frame, self.pair(frame.image, frame.image)

    def step(self, frame: np.ndarray) -> FrameResult | None:
        """Take the next frame of a live video; the result is that of the frame before it.

        None at the first frame. `finish` gives the last one's.
        """
        self._check_frame(frame)
        last, self._last = self._last, frame
        return None if last is None else self.pair(last, frame)

    def finish(self) -> FrameResult | None:
        """The result of the last frame that `step` took, paired with itself."""
        last, self._last = self._last, None
        return None if last is None else self.pair(last, last)

    def pair(self, frame: np.ndarray, next_frame: np.ndarray) -> FrameResult:
        """The result of a frame (H, W, 3) uint8 RGB, given the next. Raises DataError."""
        self._check_frame(frame)
        self._check_frame(next_frame)
        if frame.shape != next_frame.shape:
            raise DataError(
                f"frames of different size: {frame.shape[1]}x{frame.shape[0]} and then "
                f"{next_frame.shape[1]}x{next_frame.shape[0]}"
            )
        size = frame.shape[:2]
        share = np.float32(1 / len(self.passes))
        probability = flow = None
        for one_pass in self.passes:
            blobs = self._forward(one_pass, frame, next_frame)
            if self.structure.mask_blob:
                score = blobs[self.structure.mask_blob].data
                logit = passes.logit_at_frame(score, size, one_pass.mirrored)
                seen = passes.probability_of(logit) * share
                probability = seen if probability is None else probability + seen
            if self.flow_blob:
                blob = blobs[self.flow_blob].data
                moved = passes.flow_at_frame(blob, size, one_pass.mirrored) * share
                flow = moved if flow is None else flow + moved
        mask = None if probability is None else (probability > 0.5).astype(np.uint8)
        return FrameResult(frame, mask, probability, flow)

    @property
    def _net(self) -> Any:
        return next(iter(self._nets.values()))

    def _new_net(self) -> Any:
        net = caffe.Net(str(self.files.deploy), caffe.TEST, keep=self.structure.result_blobs)
        if self._nets:
            net.share_with(self._net)
        return net

    def _chosen_passes(self, quality: str | Sequence[Pass]) -> tuple[Pass, ...]:
        if not isinstance(quality, str):
            chosen = tuple(quality)
        elif quality in QUALITIES:
            qualities = FULL_SIZE_QUALITIES if self.structure.at_full_size else QUALITIES
            chosen = qualities[quality]
        else:
            raise UsageError(f"quality {quality!r}: it is one of {', '.join(QUALITIES)}")
        if not chosen:
            raise UsageError("quality: at least one pass is needed")
        if self.structure.fixed_size:
            height = self.structure.fixed_size[0]
            return tuple(dict.fromkeys(Pass(height, p.mirrored) for p in chosen))
        return chosen

    def _size(self, one_pass: Pass, frame_size: tuple[int, int]) -> tuple[int, int]:
        return self.structure.fixed_size or passes.working_size(frame_size, one_pass.height)

    def _forward(self, one_pass: Pass, frame: np.ndarray, next_frame: np.ndarray) -> Any:
        """Run one pass and return the net's blobs."""
        net = self._nets[one_pass.height]
        size = self._size(one_pass, frame.shape[:2])
        shape = (1, 3, *size)
        names, mean = self.structure.frame_blobs, self.structure.mean_bgr
        if tuple(net.blobs[names[0]].shape) != shape:
            for name in names:
                net.blobs[name].reshape(*shape)
            net.reshape()
        for name, image in zip(names, (frame, next_frame), strict=True):
            net.blobs[name].data[...] = passes.frame_planes(image, size, one_pass.mirrored, mean)
        net.forward()
        return net.blobs

    def _check_frame(self, frame: np.ndarray) -> None:
        shape: tuple[int, ...] = getattr(frame, "shape", ())
        dtype = getattr(frame, "dtype", type(frame).__name__)
        if len(shape) != 3 or shape[2] != 3 or dtype != np.uint8 or 0 in shape:
            raise DataError(f"a frame is (H, W, 3) uint8 RGB, got {dtype} of shape {shape}")

    def _check_coverage(self, report: dict[str, list[str]]) -> None:
        """Refuse weights of another network."""
        if not report["loaded"]:
            raise DataError(
                f"{self.weights}: no layer of it has a name that is in {self.files.deploy}; "
                "these weights belong to another network"
            )
        learned = [
            layer.name
            for layer in self.structure.layers
            if layer.type in ("Convolution", "InnerProduct", "BatchNorm")
            and layer.convolution_param.weight_filler.type != "diagonal"  # keeps its filler's
        ]
        bare = [name for name in learned if name in report["untouched"]]
        if bare:
            raise DataError(
                f"{self.weights}: no weights for {networks.untouched_text(bare)} of "
                f"{self.files.deploy}; these weights belong to another network, or to a stage "
                "without these layers"
            )

    def _check_heads(self) -> None:
        """Refuse zero mask heads; where the flow decoder is zero, take FlowNetS's own flow."""
        self.notes = []
        if self.structure.mask_blob is None:
            self.notes.append("this net has no score: no masks are made")
        elif zeros := self._all_zero(self.structure.mask_blob):
            raise DataError(
                f"{self.weights}: the layers that make the mask hold only zeros "
                f"({', '.join(zeros)}): every mask would be empty. These weights were saved "
                "before the mask decoder was trained; take others"
            )
        self.flow_blob = next(iter(self.structure.flow_blobs), None)
        if self.flow_blob is None:
            self.notes.append("this net has no score_flow: no flow is made")
        elif self.flow_blob == "score_flow" and (zeros := self._all_zero("score_flow")):
            if "predict_flow_final" in self.structure.flow_blobs:
                self.flow_blob = "predict_flow_final"
                self.notes.append(
                    f"the flow decoder of these weights holds only zeros ({', '.join(zeros)}); "
                    "the flow is FlowNetS's own, predict_flow_final"
                )
            else:
                self.notes.append(
                    f"the layers that make the flow hold only zeros ({', '.join(zeros)}): the "
                    "flow will be zero"
                )

    def _all_zero(self, blob: str) -> list[str]:
        """Names of layers with zero weights that leave nothing of a result; [] if it is alive."""
        heads, deconvolutions = self.structure.heads(blob)
        zero_heads = networks.zero_layers(self._net, heads)
        if heads and len(zero_heads) == len(heads):
            return zero_heads
        # Whatever comes out of the last deconvolution has passed through it.
        return networks.zero_layers(self._net, deconvolutions[-1:])
