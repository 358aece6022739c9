"""What goes wrong becomes an exception of the fitting kind, and the next net works."""

import resource
from pathlib import Path

import numpy as np
import pytest

import caffe

GOOD = """layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 1 dim: 4 } } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param { num_output: 2 } }
"""
IMAGE = """layer { name: 'in' type: 'Input' top: 'x'
  input_param { shape { dim: 1 dim: 3 dim: 5 dim: 5 } } }
"""
CONVOLUTION = (
    IMAGE
    + """
layer { name: 'c' type: 'Convolution' bottom: 'x' top: 'c' convolution_param { %s } }
"""
)


def broken(prototxt, tmp_path: Path, what: str):
    """Does one thing that cannot work."""
    good = prototxt(GOOD, "good.prototxt")
    if what == "missing prototxt":
        caffe.Net(str(tmp_path / "missing.prototxt"), caffe.TEST)
    elif what == "directory":
        caffe.Net(str(tmp_path), caffe.TEST)
    elif what == "empty prototxt":
        caffe.Net(prototxt("", "empty.prototxt"), caffe.TEST)
    elif what == "missing weights":
        caffe.Net(good, str(tmp_path / "missing.caffemodel"), caffe.TEST)
    elif what == "missing weights by name":
        caffe.Net(good, caffe.TEST, weights=str(tmp_path / "missing.caffemodel"))
    elif what == "cut weights":
        net = caffe.Net(good, caffe.TEST)
        net.save(tmp_path / "cut.caffemodel")
        whole = (tmp_path / "cut.caffemodel").read_bytes()
        (tmp_path / "cut.caffemodel").write_bytes(whole[: len(whole) // 2])
        net.copy_from(tmp_path / "cut.caffemodel")
    elif what == "misspelt field":
        caffe.Net(prototxt("layer {\n name: 'a'\n tipe: 'ReLU' }", "field.prototxt"), caffe.TEST)
    elif what == "unknown type":
        caffe.Net(
            prototxt(GOOD + "layer { name: 'z' type: 'InnerProducts' bottom: 'y' top: 'z' }"), 0
        )
    elif what == "missing bottom":
        caffe.Net(prototxt(GOOD + "layer { name: 'z' type: 'Softmax' bottom: 'w' top: 'z' }"), 0)
    elif what == "kernel too large":
        caffe.Net(prototxt(CONVOLUTION % "num_output: 1 kernel_size: 9"), caffe.TEST)
    elif what == "group":
        caffe.Net(prototxt(CONVOLUTION % "num_output: 3 group: 2 kernel_size: 1"), caffe.TEST)
    elif what == "keep":
        caffe.Net(good, caffe.TEST, keep=["nothing"])
    elif what == "phase":
        caffe.Net(good, 7)
    elif what == "other shape":
        net = caffe.Net(good, caffe.TEST)
        net.save(tmp_path / "w.caffemodel")
        wider = prototxt(GOOD.replace("num_output: 2", "num_output: 3"), "wider.prototxt")
        caffe.Net(wider, caffe.TEST).copy_from(str(tmp_path / "w.caffemodel"))


@pytest.mark.parametrize(
    ("what", "error", "words"),
    [
        ("missing prototxt", FileNotFoundError, "Could not open file .*missing.prototxt"),
        ("directory", FileNotFoundError, "directory"),
        ("empty prototxt", RuntimeError, "empty.prototxt"),
        ("missing weights", FileNotFoundError, "Could not open file .*missing.caffemodel"),
        ("missing weights by name", FileNotFoundError, "missing.caffemodel"),
        ("cut weights", RuntimeError, "cut.caffemodel"),
        ("misspelt field", RuntimeError, "(?s)field.prototxt:3.*tipe.*type"),
        ("unknown type", ValueError, "(?s)'z'.*InnerProducts.*InnerProduct"),
        ("missing bottom", RuntimeError, "(?s)w"),
        ("kernel too large", RuntimeError, "(?s)'c'"),
        ("group", RuntimeError, "(?s)group"),
        ("keep", KeyError, "nothing"),
        ("phase", ValueError, "caffe.TRAIN"),
        ("other shape", RuntimeError, "(?s)ip"),
    ],
)
def test_a_mistake_is_an_exception_and_the_next_net_works(prototxt, tmp_path, what, error, words):
    with pytest.raises(error, match=words) as raised:
        broken(prototxt, tmp_path, what)
    assert isinstance(raised.value, caffe.Error) and isinstance(raised.value, RuntimeError)
    assert isinstance(raised.value, error)
    net = caffe.Net(prototxt(GOOD), caffe.TEST)
    assert net.forward(x=np.ones((1, 4)))["y"].shape == (1, 2)


@pytest.mark.parametrize(
    "call",
    [
        lambda file: caffe.Net(file),
        lambda file: caffe.Net(3, caffe.TEST),
        lambda file: caffe.Net(file, caffe.TEST, levels=1),
        lambda file: caffe.Net(file, caffe.TEST).copy_from(),
        lambda file: caffe.Net(file, caffe.TEST).before_forward("no function"),
        lambda file: caffe.SGDSolver(),
    ],
)
def test_wrong_arguments_are_type_errors(prototxt, call):
    with pytest.raises(TypeError):
        call(prototxt(GOOD))


def test_a_message_is_shown_as_it_is(prototxt, tmp_path):
    with pytest.raises(KeyError) as raised:
        broken(prototxt, tmp_path, "keep")
    assert "\\n" not in str(raised.value) and not str(raised.value).startswith('"')


def test_two_hundred_failures_leave_no_memory_behind(prototxt):
    text = GOOD + "layer { name: 'z' type: 'Sofmax' bottom: 'y' top: 'z' }"
    file = prototxt(text.replace("dim: 4", "dim: 100000").replace("num_output: 2", "num_output: 4"))

    def fail(times):
        for _ in range(times):
            with pytest.raises(caffe.Error):
                caffe.Net(file, caffe.TEST)
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    before = fail(20)
    assert fail(200) - before < 20_000  # kilobytes; one net holds 1.6 MB


def test_a_net_that_keeps_a_few_blobs_refuses_the_others(prototxt):
    text = IMAGE + "".join(
        f"""layer {{ name: 'c{i}' type: 'Convolution' bottom: '{bottom}' top: 'c{i}'
          convolution_param {{ num_output: 4 kernel_size: 3 pad: 1 }} }}"""
        for i, bottom in enumerate(["x", "c0", "c1", "c2"])
    )
    net = caffe.Net(prototxt(text), caffe.TEST, keep=["c1"])
    out = net.forward(x=np.ones((1, 3, 5, 5)))
    assert out["c3"].shape == net.blobs["c1"].data.shape == (1, 4, 5, 5)
    with pytest.raises(caffe.Error, match="(?s)c0.*keep"):
        _ = net.blobs["c0"].data
    alone = caffe.Net(prototxt(text), caffe.TEST, keep=[])
    alone.forward(x=np.ones((1, 3, 5, 5)))
    with pytest.raises(caffe.Error, match="c1"):
        _ = alone.blobs["c1"].data
