"""Correlation and warp as one writes them in PyTorch: what the engine's layers are timed beside.

Importing this file needs PyTorch. Maps are float32 tensors (1, C, H, W); gradients come from
autograd. Each form gives the numbers of the layer (tests/bench compares them).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

MOST_PAIRS = 1 << 28  # all_pairs is not tried beyond: its product takes 1 GB, its gradients more

Form = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Window:
    """Displacements -reach, -reach + step, ..., reach of both coordinates, in pixels; reach is
    a multiple of step.
    """

    reach: int
    step: int

    @property
    def columns(self) -> int:
        return 2 * self.reach // self.step + 1

    def offsets(self) -> range:
        """Where the displacements begin in a map padded by `reach`."""
        return range(0, 2 * self.reach + 1, self.step)


def shifted_products(a: Tensor, b: Tensor, window: Window) -> Tensor:
    """One product of whole maps for each displacement, summed over the channels."""
    height, width = a.shape[2:]
    padded = functional.pad(b, [window.reach] * 4)
    planes = [
        (a * padded[:, :, dy : dy + height, dx : dx + width]).mean(1)
        for dy in window.offsets()
        for dx in window.offsets()
    ]
    return torch.stack(planes, 1)


def unfolded_rows(a: Tensor, b: Tensor, window: Window) -> Tensor:
    """`unfold` of the second map for one displacement row at a time (for all it takes GBs)."""
    _, channels, height, width = a.shape
    padded = functional.pad(b, [window.reach] * 4)
    rows = []
    for dy in window.offsets():
        row = padded[:, :, dy : dy + height]
        columns = functional.unfold(row, (1, window.columns), dilation=(1, window.step))
        columns = columns.view(1, channels, window.columns, height, width)
        rows.append((a[:, :, None] * columns).mean(1))
    return torch.cat(rows, 1)


def row_products(a: Tensor, b: Tensor, window: Window, tile: int) -> Tensor:
    """Batched matrix products of image rows (`bmm`), of which a band is kept.

    A row is cut into its `step` phases, which do not meet, and these into tiles of `tile`
    positions: the wider the tile, the better the product and the larger the part thrown away.
    """
    _, channels, height, width = a.shape
    step, columns, reach = window.step, window.columns, window.reach
    tiles = -(-width // (step * tile))
    beyond = tiles * step * tile - width
    left = functional.pad(a, [0, beyond, 0, 0]).view(channels, height, tiles, tile, step)
    left = left.permute(1, 2, 4, 3, 0).reshape(-1, tile, channels)
    span = tile + columns - 1
    padded = functional.pad(b, [reach, reach + beyond, reach, reach])
    right = (
        padded.view(channels, height + 2 * reach, -1, step)
        .unfold(2, span, tile)
        .permute(1, 2, 3, 0, 4)
        .contiguous()
    )
    rows = []
    for dy in window.offsets():
        products = left @ right[dy : dy + height].view(-1, channels, span)
        band = products.as_strided((len(left), tile, columns), (tile * span, span + 1, 1))
        band = band.view(height, tiles, step, tile, columns).permute(4, 0, 1, 3, 2)
        rows.append(band.reshape(columns, height, -1)[:, :, :width])
    return torch.cat(rows).unsqueeze(0) / channels


@functools.lru_cache
def _pair_places(height: int, width: int, window: Window) -> tuple[Tensor, Tensor]:
    """Of each position and displacement: the other's index, and whether it is inside."""
    shifts = torch.tensor(window.offsets()) - window.reach
    y = torch.arange(height)[:, None, None, None] + shifts[:, None]
    x = torch.arange(width)[:, None, None] + shifts
    inside = (y >= 0) & (y < height) & (x >= 0) & (x < width)
    places = y.clamp(0, height - 1) * width + x.clamp(0, width - 1)
    shape = (height * width, window.columns**2)
    return places.expand(inside.shape).reshape(shape), inside.reshape(shape).float()


def all_pairs(a: Tensor, b: Tensor, window: Window) -> Tensor:
    """The product of all pairs of positions, from which the displacements are gathered."""
    _, channels, height, width = a.shape
    pairs = a.view(channels, -1).t() @ b.view(channels, -1)
    places, inside = _pair_places(height, width, window)
    found = pairs.gather(1, places) * (inside / channels)
    return found.t().reshape(1, -1, height, width)


def correlation_forms(height: int, width: int, window: Window) -> dict[str, Form]:
    """Every form that fits into memory, by name."""
    forms: dict[str, Form] = {
        "shifted products": functools.partial(shifted_products, window=window),
        "unfold": functools.partial(unfolded_rows, window=window),
        "bmm of rows": functools.partial(
            row_products, window=window, tile=-(-width // window.step)
        ),
    }
    for tile in (16, 32):
        forms[f"bmm of {tile} positions"] = functools.partial(
            row_products, window=window, tile=tile
        )
    if (height * width) ** 2 <= MOST_PAIRS:
        forms["all pairs, gather"] = functools.partial(all_pairs, window=window)
    return forms


def grid_sampled(image: Tensor, flow: Tensor) -> Tensor:
    """`grid_sample` at the positions that a flow (1, 2, H, W) in pixels leads to."""
    height, width = image.shape[2:]
    x = torch.arange(width) + flow[:, 0]
    y = torch.arange(height)[:, None] + flow[:, 1]
    # The layer repeats the last row and column for less than a pixel, then gives zeros.
    inside = (x >= 0) & (x < width) & (y >= 0) & (y < height)
    grid = torch.stack([x * (2 / (width - 1)) - 1, y * (2 / (height - 1)) - 1], -1)
    sampled = functional.grid_sample(image, grid, padding_mode="border", align_corners=True)
    return sampled * inside[:, None]


def warp_forms() -> dict[str, Form]:
    return {"grid_sample": grid_sampled}
