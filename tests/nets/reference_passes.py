"""The committed reference passes: which nets, sizes and blobs, and how they are sampled.

Run `python tests/nets/reference_passes.py` to make the files again (about a minute).
"""

from __future__ import annotations

import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy_net
import seeded
from net_text import NetLayer, read_net
from reference_segflow_lite import SegFlowLite
from shape_walk import walk

Array = np.ndarray
ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(__file__).resolve().parent / "data"
MOST_SAMPLES = 500


@dataclass(frozen=True)
class ReferencePass:
    """One net at one size."""

    net: str
    height: int
    width: int
    count: int
    blobs: tuple[str, ...]

    @property
    def file(self) -> Path:
        return FOLDER / f"{self.net}_{self.count}x{self.height}x{self.width}.npz"

    @property
    def deploy(self) -> Path:
        return ROOT / "prototxt" / self.net / "deploy.prototxt"

    def layers(self) -> list[NetLayer]:
        """The deploy net's, its Input layers at this pass's size."""
        layers = read_net(self.deploy)
        for layer in layers:
            if layer.type == "Input":
                shape = layer.settings("input_param").sub("shape")
                shape["dim"] = [self.count, 3, self.height, self.width]
        return layers

    def frames(self) -> tuple[Array, Array]:
        return seeded.frames(self.height, self.width, self.count)


SEGFLOW = ReferencePass(
    "segflow",
    480,
    854,
    1,
    (
        *("conv1", "pool1", "res2c", "res3b3", "res4b22", "res5c", "input", "conv3_1", "conv6_1"),
        *("concat2", "predict_flow2", "predict_flow_final", "concat_res5", "score_res5"),
        *("fuse_res4", "concat_res3_flow", "score", "score_flow"),
    ),
)
SEGFLOW_LITE = ReferencePass(
    "segflow_lite",
    64,
    96,
    1,
    ("flow5", "flow4", "flow3", "flow2", "flow_conv2_3", "mask_conv2_2", "score", "score_flow"),
)
#: a size that is padded, and a batch
SEGFLOW_LITE_ODD = ReferencePass("segflow_lite", 75, 101, 2, SEGFLOW_LITE.blobs)


def seeded_weights(layers: list[NetLayer]) -> dict[str, list[Array]]:
    """Seeded blobs of every layer with parameters, shapes by the layers' rules."""
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for name, _, shape in walk(layers).params:
        shapes.setdefault(name, []).append(shape)
    return seeded.weights_of_net((x.name, x.type, shapes.get(x.name, [])) for x in layers)


def checksum(weights: dict[str, list[Array]]) -> int:
    """Tells whether another machine's seeded weights are the same values."""
    code = 0
    for name, blobs in sorted(weights.items()):
        for blob in blobs:
            code = zlib.crc32(blob.tobytes(), zlib.crc32(name.encode(), code))
    return code


def sample(blob: Array) -> Array:
    """Some 500 values at a constant step through the flat blob, coprime to its width."""
    step = max(1, blob.size // MOST_SAMPLES)
    while step > 1 and np.gcd(step, blob.shape[-1]) != 1:
        step += 1
    return blob.reshape(-1)[::step]


def by_text(reference: ReferencePass, dtype: type = np.float64) -> dict[str, Array]:
    """The named blobs, by running the deploy net's text in NumPy."""
    layers = reference.layers()
    frames = (frame.astype(dtype) for frame in reference.frames())
    inputs = dict(zip(("data", "data2"), frames, strict=True))
    weights = seeded_weights(layers)
    blobs = numpy_net.run(layers, weights, inputs, keep=reference.blobs)
    return {name: blobs[name] for name in reference.blobs}


def by_design(reference: ReferencePass) -> dict[str, Array]:
    """segflow_lite's named blobs, by the design written out in NumPy."""
    network = SegFlowLite(seeded_weights(reference.layers()))
    return network.forward(*reference.frames())


def make(reference: ReferencePass) -> None:
    started = time.monotonic()
    lite = reference.net == "segflow_lite"
    blobs = by_design(reference) if lite else by_text(reference)
    stored = {"weights": np.array(checksum(seeded_weights(reference.layers())))}
    for name in reference.blobs:
        blob = blobs[name]
        stored[name] = sample(blob).astype(np.float32)
        stored[f"{name}.shape"] = np.array(blob.shape)
        stored[f"{name}.rms"] = np.sqrt(np.mean(blob**2))
        print(
            f"{name:20} {blob.shape} rms {stored[f'{name}.rms']:.3g} max {np.abs(blob).max():.3g}"
        )
    reference.file.parent.mkdir(exist_ok=True)
    np.savez_compressed(reference.file, **stored)
    print(f"{reference.file.name}: {time.monotonic() - started:.1f} s")


if __name__ == "__main__":
    for each in (SEGFLOW, SEGFLOW_LITE, SEGFLOW_LITE_ODD):
        make(each)
