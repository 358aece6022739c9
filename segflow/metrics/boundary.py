"""Boundary accuracy F (Perazzi et al., CVPR 2016), exactly as the DAVIS evaluation defines it.

The benchmark dilates each boundary map by a disk of radius r and counts the other's boundary
pixels inside. The same count is had without dilating anything: a pixel is inside if one of the
2r+1 rows around it holds a boundary pixel within the disk's half width there, which two look-ups
in the row's running sum tell.
"""

import math

import numpy as np

BOUND_TH = 0.008  # radius as a share of the image diagonal


def boundary_map(mask: np.ndarray) -> np.ndarray:
    """(H, W) bool: pixels that differ from their right, lower or lower right neighbour.

    In the last row only the right neighbour counts, in the last column only the lower one; the
    last corner is never on the boundary.
    """
    inside = np.asarray(mask) > 0
    boundary = np.zeros(inside.shape, bool)
    here, right = inside[:, :-1], inside[:, 1:]
    boundary[:, :-1] = here ^ right
    boundary[:-1] |= inside[:-1] ^ inside[1:]
    boundary[:-1, :-1] |= here[:-1] ^ right[1:]
    return boundary


def boundary_accuracy(mask: np.ndarray, truth: np.ndarray, bound_th: float = BOUND_TH) -> float:
    """F of two masks (H, W), where above zero is object: 2PR / (P + R), 0 if P + R = 0.

    bound_th: tolerance as a share of the diagonal, rounded up to pixels (8 at 854x480); from 1
    on, in pixels. Raises ValueError where the shapes differ.
    """
    if mask.shape != truth.shape:
        raise ValueError(f"mask of shape {mask.shape} against a truth of shape {truth.shape}")
    radius = math.ceil(bound_th if bound_th >= 1 else bound_th * math.hypot(*mask.shape))
    mask_points, truth_points = _points(boundary_map(mask)), _points(boundary_map(truth))
    if not len(mask_points[0]) or not len(truth_points[0]):
        # An absent boundary has no wrong pixels; F is 1 only where both are absent.
        return float(len(mask_points[0]) == len(truth_points[0]))
    precision = _share_near(mask_points, truth_points, radius)
    recall = _share_near(truth_points, mask_points, radius)
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


_Points = tuple[np.ndarray, np.ndarray]  # rows, columns


def _points(boundary: np.ndarray) -> _Points:
    rows, columns = np.nonzero(boundary)
    return rows, columns


def _share_near(points: _Points, boundary: _Points, radius: int) -> float:
    """Share of the points at a distance of at most radius from a pixel of the boundary."""
    top, left = boundary[0].min() - radius, boundary[1].min() - radius
    height = boundary[0].max() - top + radius + 1
    width = boundary[1].max() - left + radius + 1
    rows, columns = points[0] - top, points[1] - left
    close = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    rows, columns = rows[close], columns[close]

    # sums[y, x] = boundary pixels of row y left of column x, in the box around the boundary with
    # a margin of radius for the points, and one more for the windows that reach over its edge.
    margin = radius
    sums = np.zeros((height + 2 * margin, width + 2 * margin + 1), np.int32)
    sums[boundary[0] - top + margin, boundary[1] - left + margin + 1] = 1
    np.cumsum(sums, axis=1, out=sums)
    flat, stride = sums.ravel(), sums.shape[1]
    centre = (rows + margin) * stride + columns + margin
    near = np.zeros(len(rows), bool)
    for offset in range(-radius, radius + 1):
        half = math.isqrt(radius * radius - offset * offset)
        at = centre + offset * stride
        near |= flat[at + half + 1] != flat[at - half]
    return np.count_nonzero(near) / len(points[0])
