"""What the tables of broken inputs stand on: a folder to break files in, and what a case is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import caffe

RANDOM = bytes(np.random.default_rng(5).integers(0, 256, 5000, np.uint8))
GOOD = """name: 'good'
layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 3 dim: 8 dim: 9 } } }
layer { name: 'conv' type: 'Convolution' bottom: 'x' top: 'conv' convolution_param {
  num_output: 8 kernel_size: 3 pad: 1 weight_filler { type: 'xavier' } } }
layer { name: 'relu' type: 'ReLU' bottom: 'conv' top: 'conv' }
layer { name: 'pool' type: 'Pooling' bottom: 'conv' top: 'pool'
  pooling_param { kernel_size: 2 stride: 2 } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'pool' top: 'ip'
  inner_product_param { num_output: 4 weight_filler { type: 'xavier' } } }
layer { name: 'prob' type: 'Softmax' bottom: 'ip' top: 'prob' }
"""
SOLVER = "net: '{net}' base_lr: 0.1 lr_policy: 'fixed' max_iter: 9 snapshot_prefix: '{prefix}'\n"
TRAINED = """
layer { name: 'd' type: 'DummyData' top: 'x' top: 't' dummy_data_param {
  shape { dim: 4 dim: 3 } data_filler { type: 'constant' value: 1 }
  shape { dim: 4 dim: 2 } data_filler { type: 'constant' value: 2 } } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param {
  num_output: 2 weight_filler { type: 'xavier' } } }
layer { name: 'l' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'l' }
"""
LOSS = """
layer { name: 's' type: 'Input' top: 's' input_param { shape { dim: 1 dim: 2 dim: 40 dim: 50 } } }
layer { name: 't' type: 'Input' top: 't' input_param { shape { dim: 1 dim: 1 dim: 40 dim: 50 } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 's' bottom: 't' top: 'loss' }
"""


def frames(*shape: int, top: str = "x") -> str:
    """An Input layer."""
    dims = " ".join(f"dim: {size}" for size in shape)
    shape = f"input_param {{ shape {{ {dims} }} }}"
    return f"layer {{ name: '{top}' type: 'Input' top: '{top}' {shape} }}\n"


def layer(kind: str, parameters: str = "", bottoms: str = "x", top: str = "y") -> str:
    reads = " ".join(f"bottom: '{name}'" for name in bottoms.split())
    return f"layer {{ name: 'bad' type: '{kind}' {reads} top: '{top}' {parameters} }}\n"


class Workshop:
    """A folder with files to break, and the net whose numbers must stay."""

    def __init__(self, folder: Path):
        self.folder = folder
        caffe.set_random_seed(7)
        self.good = self.file(GOOD, "good.prototxt")
        self.net = caffe.Net(self.good, caffe.TEST)
        self.weights = str(folder / "good.caffemodel")
        self.net.save(self.weights)
        self.net.save_hdf5(str(folder / "good.h5"))
        self.x = np.random.default_rng(1).normal(size=(2, 3, 8, 9)).astype(np.float32)
        self.right = self.net.forward(x=self.x)["prob"].copy()

    def file(self, content: str | bytes, name: str = "net.prototxt") -> str:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return str(path)

    def build(self, text: str | bytes) -> Any:
        return caffe.Net(self.file(text), caffe.TEST)

    def run(self, text: str, **values: Any) -> Any:
        return self.build(text).forward(**values)

    def load(self, content: bytes | str, name: str = "bad.caffemodel") -> Any:
        return caffe.Net(self.good, caffe.TEST).copy_from(self.file(content, name))

    def solver(self, extra: str = "", net: str = TRAINED, name: str = "s") -> Any:
        text = SOLVER.format(net=self.file(net, f"{name}_net.prototxt"), prefix=self.folder / name)
        return caffe.get_solver(self.file(text + extra, f"{name}_solver.prototxt"))

    def python_layer(self, body: str, parameters: str) -> Any:
        self.file(body, "bad_layers.py")
        text = frames(1, 2) + layer("Python", f"python_param {{ {parameters} }}")
        return self.build(text)

    def picture(self, name: str, height: int = 40, width: int = 60) -> Path:
        path = self.folder / name
        Image.fromarray(np.full((height, width, 3), 90, np.uint8)).save(path)
        return path

    def still_works(self) -> None:
        """The old net, and a new one from the same files, give the numbers of the start."""
        for net in (self.net, caffe.Net(self.good, self.weights, caffe.TEST)):
            np.testing.assert_array_equal(net.forward(x=self.x)["prob"], self.right)


@dataclass(frozen=True)
class Case:
    """One broken input: what is done, which exception it is, and what its text must hold."""

    name: str
    do: Callable[[Workshop], Any]
    error: type[BaseException]
    words: tuple[str, ...]


def net_case(name: str, text: str | bytes, *words: str, error: type = caffe.Error) -> Case:
    return Case(name, lambda shop: shop.build(text), error, words)


def half(path: str) -> bytes:
    content = Path(path).read_bytes()
    return content[: len(content) // 2]


def snapshot(shop: Workshop, extra: str = "", name: str = "s") -> str:
    """Takes one step and a snapshot; returns the path without its ending."""
    solver = shop.solver(extra, name=name)
    solver.step(1)
    solver.snapshot()
    return str(shop.folder / f"{name}_iter_1")
