"""Broken uses: trainings that cannot go on, Python layers that raise, arguments that do not fit."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from bad_input_workshop import LOSS, RANDOM, Case, Workshop, snapshot

import caffe


def nan_loss(shop: Workshop) -> Any:
    solver = shop.solver()
    solver.step(2)
    solver.net.params["ip"][0].data[0, 0] = np.nan
    solver.step(3)


def of_adam(shop: Workshop) -> Any:
    stem = snapshot(shop, "type: 'Adam' momentum: 0.9 momentum2: 0.999", "adam")
    return shop.solver("type: 'SGD' momentum: 0.9").restore(stem + ".solverstate")


NAN = ("Iteration 2", "'ip'", "nan")  # the layer whose weight or top is the first not finite
SOLVERS = [
    Case("a loss that is not a number", nan_loss, caffe.Error, NAN),
    Case("unknown solver", lambda shop: shop.solver("type: 'Adm'"), ValueError, ("Adm", "Adam")),
    Case(
        "unknown rate policy",
        lambda shop: (
            shop.solver()
            .__class__(
                shop.file(
                    Path(shop.folder / "s_solver.prototxt").read_text().replace("fixed", "fixt"),
                    "p.prototxt",
                )
            )
            .step(1)
        ),
        caffe.Error,
        ("fixt", "fixed"),
    ),
    Case(
        "solver whose net is missing",
        lambda shop: caffe.get_solver(
            shop.file("net: 'gone.prototxt' base_lr: 1 lr_policy: 'fixed'", "g.prototxt")
        ),
        FileNotFoundError,
        ("gone.prototxt",),
    ),
    Case(
        "resuming from weights",
        lambda shop: shop.solver().restore(snapshot(shop) + ".caffemodel"),
        caffe.Error,
        ("s_iter_1.caffemodel", "s_iter_1.solverstate"),
    ),
    Case("resuming SGD from Adam", of_adam, caffe.Error, ("Adam", "SGD", "2", "4")),
    Case(
        "resuming from random bytes",
        lambda shop: shop.solver().restore(shop.file(RANDOM, "r.solverstate")),
        caffe.Error,
        ("r.solverstate",),
    ),
    Case(
        "resuming from a missing file",
        lambda shop: shop.solver().restore(str(shop.folder / "no.solverstate")),
        FileNotFoundError,
        ("no.solverstate",),
    ),
]
RAISES = """import caffe
class Bad(caffe.Layer):
    def setup(self, bottom, top): self.fail("setup")
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): self.fail("forward")
    def backward(self, top, propagate_down, bottom): pass
    def fail(self, place):
        if self.param_str == place: raise ValueError("no list in " + place)
"""
NAMED = "module: 'bad_layers' layer: '{}' param_str: '{}'"
PYTHON = [
    Case(
        "Python layer that raises in setup",
        lambda shop: shop.python_layer(RAISES, NAMED.format("Bad", "setup")),
        ValueError,
        ("no list in setup",),
    ),
    Case(
        "Python layer that raises in forward",
        lambda shop: shop.python_layer(RAISES, NAMED.format("Bad", "forward")).forward(),
        ValueError,
        ("no list in forward",),
    ),
    Case(
        "Python class that is not there",
        lambda shop: shop.python_layer(RAISES, NAMED.format("Bda", "")),
        AttributeError,
        ("bad", "Bda", "Bad"),
    ),
    Case(
        "Python module that is not there",
        lambda shop: shop.python_layer(RAISES, "module: 'nowhere' layer: 'L'"),
        ModuleNotFoundError,
        ("bad", "nowhere"),
    ),
]


BEYOND = ("'loss'", "label 2", "1657", "0 to 1")  # the place is 33 * 50 + 7


def with_label(value: float) -> Callable[[Workshop], Any]:
    labels = np.zeros((1, 1, 40, 50), np.float32)
    labels[0, 0, 33, 7] = value
    return lambda shop: shop.run(LOSS, s=np.zeros((1, 2, 40, 50)), t=labels)


def after_reshape(shop: Workshop) -> Any:
    net = caffe.Net(shop.good, caffe.TEST)
    net.blobs["x"].reshape(2, 3, 20, 9)
    return net.forward()


CALLS = [
    Case(
        "a label beyond the classes",
        with_label(2),
        caffe.Error,
        ("'loss'", "label 2", "1657", "0 to 1"),
    ),
    Case("a label that is not a number", with_label(np.nan), caffe.Error, ("loss", "nan")),
    Case(
        "an input of another shape",
        lambda shop: shop.net.forward(x=np.zeros((2, 3, 8, 8))),
        Exception,
        ("(2, 3, 8, 8)", "reshape"),
    ),
    Case(
        "an input that is not there",
        lambda shop: shop.net.forward(z=np.zeros(1)),
        Exception,
        ("z",),
    ),
    Case(
        "a layer that is not there", lambda shop: shop.net.forward(start="pol"), Exception, ("pol",)
    ),
    Case("a blob that is not there", lambda shop: shop.net.blobs["q"], KeyError, ("q",)),
    Case("an inner product of another size", after_reshape, caffe.Error, ("ip",)),
    Case(
        "a negative reshape",
        lambda shop: caffe.Net(shop.good, caffe.TEST).blobs["x"].reshape(1, -1),
        ValueError,
        ("-1",),
    ),
]


CASES = SOLVERS + PYTHON + CALLS
