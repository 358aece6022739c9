"""End-point error and Fl of a flow against the truth, over the pixels whose truth is known."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class FlowScores:
    """EPE: mean end-point error in pixels. Fl: outliers in per cent of the known pixels."""

    EPE: float
    Fl: float


def end_point_error(flow: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """(H, W) float32 length of the difference in pixels, NaN where the truth is unknown.

    flow, truth: (H, W, 2), pixels. Raises ValueError where shapes differ.
    """
    if flow.shape != truth.shape:
        raise ValueError(f"flow of shape {flow.shape} against a truth of shape {truth.shape}")
    difference = np.asarray(flow, np.float32) - np.asarray(truth, np.float32)
    return np.hypot(difference[:, :, 0], difference[:, :, 1])


def flow_scores(flow: np.ndarray, truth: np.ndarray) -> FlowScores:
    """EPE and Fl. An outlier (KITTI 2015) is off by more than 3 px and more than 5 % of the truth.

    Raises ValueError where the truth is known nowhere, or the flow is not where the truth is.
    """
    error = end_point_error(flow, truth)
    known = np.isfinite(truth).all(axis=2)
    if not known.any():
        raise ValueError("the true flow is known at no pixel")
    error = error[known].astype(np.float64)
    unknown = np.count_nonzero(~np.isfinite(error))
    if unknown:
        raise ValueError(f"the flow is unknown at {unknown} of {len(error)} pixels with truth")
    length = np.hypot(*truth[known].astype(np.float64).T)
    outliers = (error > 3.0) & (error > 0.05 * length)
    return FlowScores(EPE=float(error.mean()), Fl=100.0 * float(outliers.mean()))
