"""Region similarity J (Perazzi et al., CVPR 2016): intersection over union of two masks."""

import numpy as np


def region_similarity(mask: np.ndarray, truth: np.ndarray) -> float:
    """J of two masks (H, W), where above zero is object. 1 where both are empty.

    Raises ValueError where their shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(f"mask of shape {mask.shape} against a truth of shape {truth.shape}")
    mask, truth = mask > 0, truth > 0
    union = np.count_nonzero(mask | truth)
    return np.count_nonzero(mask & truth) / union if union else 1.0
