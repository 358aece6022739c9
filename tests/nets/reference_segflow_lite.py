"""segflow_lite as its design describes it, straight in NumPy, without a net's text.

Trunk: EfficientNet-Lite0 (stage table of the paper), frame 1. Flow: shared pyramid, at 1/32 to 1/4
warping, cosine correlation, three convolutions, residual flow in units of 20 pixels. Mask: top-down
decoder over the trunk's taps and the flow branch. Weights are looked up by layer name.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy_layers import (
    batch_norm,
    convolution,
    correlation,
    flow_warp,
    global_mean,
    normalize,
    pad_to_multiple,
    relu,
    resample_linear,
    scale,
)

Array = np.ndarray

#: repeats, kernel, stride of the first, expansion
TRUNK_STAGES = (
    (1, 3, 1, 1),
    (2, 3, 2, 6),
    (2, 5, 2, 6),
    (3, 3, 2, 6),
    (3, 5, 1, 6),
    (4, 5, 2, 6),
    (1, 3, 1, 6),
)
#: number of trunk blocks done -> level of its tap
TAP_AFTER_BLOCK = {3: 2, 5: 3, 11: 4, 16: 5}
DISPLACEMENT = {5: 4, 4: 4, 3: 4, 2: 3}


class SegFlowLite:
    """The network with given weights, computed in float64."""

    def __init__(self, weights: Mapping[str, Sequence[Array]]) -> None:
        self.weights = {
            name: [np.asarray(blob, np.float64) for blob in blobs]
            for name, blobs in weights.items()
        }

    def forward(self, frame1: Array, frame2: Array) -> dict[str, Array]:
        """score (N, 1, H, W) and score_flow (N, 2, H, W), with the levels' blobs beside them."""
        height, width = frame1.shape[2:]
        frame1, frame2 = (pad_to_multiple(x.astype(np.float64), 32) for x in (frame1, frame2))
        taps = self.trunk(frame1)
        results = self.flow_branch(frame1, frame2, taps)
        results |= self.mask_decoder(taps, results)
        full = {"score": results["score2"], "score_flow": 20 * results["flow2"]}
        for name, coarse in full.items():
            upsampled = resample_linear(coarse, *frame1.shape[2:])
            results[name] = upsampled[:, :, :height, :width]
        return results

    def trunk(self, x: Array) -> dict[int, Array]:
        """Level -> features of frame 1."""
        taps, number = {}, 0
        x = self._norm_convolution("stem", x, kernel=3, stride=2)
        for repeats, kernel, first_stride, expansion in TRUNK_STAGES:
            for repeat in range(repeats):
                number += 1
                stride = first_stride if repeat == 0 else 1
                y = x
                if expansion > 1:
                    y = self._norm_convolution(f"block{number}_expand", y)
                y = self._norm_convolution(f"block{number}_dw", y, kernel=kernel, stride=stride)
                y = self._norm_convolution(f"block{number}_project", y, clip=False)
                x = x + y if repeat > 0 else y
                if number in TAP_AFTER_BLOCK:
                    taps[TAP_AFTER_BLOCK[number]] = x
        return taps

    def flow_branch(self, frame1: Array, frame2: Array, taps: dict[int, Array]) -> dict[str, Array]:
        pyramid1, pyramid2 = self._pyramid(frame1), self._pyramid(frame2)
        results: dict[str, Array] = {}
        for level in (5, 4, 3, 2):
            a, b = pyramid1[level], pyramid2[level]
            size = a.shape[2:]
            coarser = []
            if level < 5:
                coarser = [
                    resample_linear(results[f"flow{level + 1}"], *size),
                    resample_linear(results[f"flow_conv{level + 1}_3"], *size),
                ]
                b = flow_warp(b, coarser[0] * 20 / 2**level)
            a_unit = normalize(a, self.weights[f"normalized{level}_frame1"][0], epsilon=1e-6)
            b_unit = normalize(b, self.weights[f"normalized{level}_frame2"][0], epsilon=1e-6)
            inputs = [
                relu(correlation(a_unit, b_unit, DISPLACEMENT[level]), 0.1),
                self._leaky(f"flow_lateral{level}", a),
                *coarser,
                self._leaky(f"segmentation_to_flow{level}", taps[level]),
            ]
            x = np.concatenate(inputs, 1)
            for index in (1, 2, 3):
                x = self._leaky(f"flow_conv{level}_{index}", x)
            results[f"flow_conv{level}_3"] = x
            if level == 5:
                results["flow5"] = self._convolution("flow5", x)
            else:
                change = self._convolution(f"flow_change{level}", x)
                results[f"flow{level}"] = coarser[0] + change
        return results

    def mask_decoder(self, taps: dict[int, Array], flows: dict[str, Array]) -> dict[str, Array]:
        x = None
        for level in (5, 4, 3, 2):
            tap = taps[level]
            lateral = self._leaky(f"mask_lateral{level}", tap)
            if level == 5:
                context = self._leaky("mask_context", global_mean(tap))
                context = np.broadcast_to(context, (*context.shape[:2], *tap.shape[2:]))
                inputs = [lateral, context]
            else:
                inputs = [resample_linear(x, *tap.shape[2:]), lateral]
            inputs += [flows[f"flow_conv{level}_3"], flows[f"flow{level}"]]
            x = self._leaky(f"mask_conv{level}_1", np.concatenate(inputs, 1))
        x = self._leaky("mask_conv2_2", x)
        return {"mask_conv2_2": x, "score2": self._convolution("score2", x)}

    def _pyramid(self, frame: Array) -> dict[int, Array]:
        x, levels = 0.017 * frame, {}
        for level in (1, 2, 3, 4, 5):
            x = self._leaky(f"pyramid{level}_1", x, stride=2)
            x = self._leaky(f"pyramid{level}_2", x)
            levels[level] = x
        return levels

    def _convolution(self, name: str, x: Array, *, stride: int = 1) -> Array:
        """3x3 or 1x1 by its weights' shape, size kept (or halved)."""
        kernel, bias = self.weights[name]
        return convolution(x, kernel, bias, stride=stride, pad=kernel.shape[2] // 2)

    def _leaky(self, name: str, x: Array, *, stride: int = 1) -> Array:
        return relu(self._convolution(name, x, stride=stride), 0.1)

    def _norm_convolution(
        self, name: str, x: Array, *, kernel: int = 1, stride: int = 1, clip: bool = True
    ) -> Array:
        """Convolution without bias (depthwise where its name says so), BatchNorm, Scale, ReLU6."""
        group = x.shape[1] if name.endswith("_dw") else 1
        y = convolution(x, *self.weights[name], stride=stride, pad=kernel // 2, group=group)
        y = batch_norm(y, *self.weights[f"{name}/bn"], epsilon=1e-3)
        y = scale(y, *self.weights[f"{name}/scale"])
        return np.clip(y, 0, 6) if clip else y
