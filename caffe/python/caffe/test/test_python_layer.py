"""Layers written in Python; this module is itself the one that holds them."""

import gc

import numpy as np
import pytest

import caffe
from caffe.layer_modules import find_layer_class

HERE = "test_python_layer"


class SimpleLayer(caffe.Layer):
    """Multiplies by ten."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(*bottom[0].data.shape)

    def forward(self, bottom, top):
        top[0].data[...] = 10 * bottom[0].data

    def backward(self, top, propagate_down, bottom):
        bottom[0].diff[...] = 10 * top[0].diff


class ParameterLayer(caffe.Layer):
    """Puts out its one parameter; its gradient is one."""

    def setup(self, bottom, top):
        self.blobs.add_blob(1)
        self.blobs[0].data[0] = 0

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data[0] = self.blobs[0].data[0]

    def backward(self, top, propagate_down, bottom):
        self.blobs[0].diff[0] = 1


class FactorLayer(SimpleLayer):
    """Multiplies by its param_str."""

    def setup(self, bottom, top):
        assert self.param_str == self.param_str_
        self.factor = float(self.param_str)

    def forward(self, bottom, top):
        top[0].data[...] = self.factor * bottom[0].data


class PhaseLayer(caffe.Layer):
    """A scalar: the phase."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape()

    def forward(self, bottom, top):
        top[0].data[()] = self.phase


class CountingLayer(caffe.Layer):
    """A data layer that takes its next sample in reshape, as SegFlow's does."""

    def __init__(self, param):
        super().__init__(param)
        self.calls = []

    def setup(self, bottom, top):
        self.calls.append("setup")

    def reshape(self, bottom, top):
        self.calls.append("reshape")
        top[0].reshape(1, 2)

    def forward(self, bottom, top):
        self.calls.append("forward")
        top[0].data[...] = len(self.calls)

    def backward(self, top, propagate_down, bottom):
        self.calls.append("backward")


class MaskLayer(caffe.Layer):
    """Keeps what backward was told."""

    def setup(self, bottom, top):
        pass

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        top[0].data[0] = 1

    def backward(self, top, propagate_down, bottom):
        self.propagate_down = list(propagate_down)
        self.kept = bottom


class FailingLayer(SimpleLayer):
    """Raises in the method that its param_str names."""

    def _fail(self, method):
        if self.param_str == method:
            raise ValueError("no list")

    def setup(self, bottom, top):
        self._fail("setup")

    def reshape(self, bottom, top):
        self._fail("reshape")
        super().reshape(bottom, top)

    def forward(self, bottom, top):
        self._fail("forward")
        super().forward(bottom, top)

    def backward(self, top, propagate_down, bottom):
        self._fail("backward")
        super().backward(top, propagate_down, bottom)


class BrokenConstructor(caffe.Layer):
    def __init__(self, param):
        raise LookupError("built badly")


class NoReshape(caffe.Layer):
    def forward(self, bottom, top):
        pass


class NotALayer:
    def __init__(self, param):
        pass


def python_layer(layer, name="one", bottom="data", top=None, param_str="", module=HERE):
    bottom = f"bottom: '{bottom}'" if bottom else ""
    return f"""layer {{ name: '{name}' type: 'Python' {bottom} top: '{top or name}'
        python_param {{ module: '{module}' layer: '{layer}' param_str: '{param_str}' }} }}
    """


DATA = """layer { name: 'data' type: 'Input' top: 'data'
    input_param { shape { dim: 10 dim: 9 dim: 8 } } }
"""


@pytest.fixture
def chain(prototxt):
    text = "force_backward: true\n" + DATA + python_layer("SimpleLayer")
    text += python_layer("SimpleLayer", "two", "one") + python_layer("SimpleLayer", "three", "two")
    return caffe.Net(prototxt(text), caffe.TRAIN)


def test_forward_through_three_layers(chain):
    chain.blobs["data"].data[...] = 8
    out = chain.forward()["three"]
    assert out.shape == (10, 9, 8) and (out == 8 * 10**3).all()


def test_backward_through_three_layers(chain):
    chain.forward()
    chain.blobs["three"].diff[...] = 7
    chain.backward()
    assert (chain.blobs["data"].diff == 7 * 10**3).all()


def test_reshape_reaches_all_layers(chain):
    chain.blobs["data"].reshape(4, 4, 4, 4)
    chain.forward()
    assert all(blob.data.shape == (4, 4, 4, 4) for blob in chain.blobs.values())


def test_the_net_gives_the_users_own_object(chain):
    layer = chain.layer_dict["one"]
    assert type(layer).__name__ == "SimpleLayer" and isinstance(layer, caffe.Layer)
    layer.note = "mine"
    assert chain.layers[1] is layer and chain.layers[1].note == "mine"
    assert layer.type == "Python"


def test_the_net_keeps_its_python_objects_and_lets_them_go(prototxt):
    net = caffe.Net(prototxt(DATA + python_layer("SimpleLayer")), caffe.TEST)
    gc.collect()
    assert (net.forward()["one"] == 0).all()
    layer = net.layers[1]
    del net
    gc.collect()
    assert layer.type == "Python" and len(layer.blobs) == 0


def test_param_str_reaches_the_layer(prototxt):
    text = DATA + python_layer("FactorLayer", "a", param_str="10")
    text += python_layer("FactorLayer", "b", "a", param_str="-1.5")
    net = caffe.Net(prototxt(text), caffe.TEST)
    net.blobs["data"].data[...] = 8
    assert (net.forward()["b"] == -120).all()


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_the_phase_is_an_attribute(prototxt, phase):
    net = caffe.Net(prototxt(python_layer("PhaseLayer", bottom="")), phase)
    assert net.forward()["one"] == phase


def test_reshape_is_called_once_before_each_forward(prototxt):
    net = caffe.Net(prototxt(python_layer("CountingLayer", bottom="")), caffe.TRAIN)
    layer = net.layers[0]
    assert layer.calls == ["setup", "reshape"]
    net.forward()
    net.forward()
    assert layer.calls == ["setup", "reshape"] + 2 * ["reshape", "forward"]
    net.reshape()
    assert layer.calls[-1] == "reshape" and len(layer.calls) == 7
    net.backward()
    assert "backward" not in layer.calls


def test_a_parameter_is_saved_loaded_and_shared(prototxt, tmp_path):
    file = prototxt("force_backward: true\n" + python_layer("ParameterLayer", bottom=""))
    net = caffe.Net(file, caffe.TRAIN)
    net.forward()
    net.backward()
    assert net.params["one"][0].diff[0] == 1
    net.params["one"][0].data[0] = 5
    weights = str(tmp_path / "one.caffemodel")
    net.save(weights)
    other = caffe.Net(file, caffe.TRAIN, weights=weights)
    assert other.forward()["one"][0] == 5
    shared = caffe.Net(file, caffe.TRAIN)
    shared.share_with(net)
    net.params["one"][0].data[0] = 6
    assert shared.forward()["one"][0] == 6


def test_propagate_down_says_which_bottoms_need_a_gradient(prototxt):
    text = """layer { name: 'data' type: 'Input' top: 'p' top: 'q'
        input_param { shape { dim: 1 } shape { dim: 1 } } }
      layer { name: 'ip' type: 'InnerProduct' bottom: 'p' top: 'learned'
        inner_product_param { num_output: 1 axis: 0 } }
      layer { name: 'mask' type: 'Python' bottom: 'learned' bottom: 'q' top: 'loss' loss_weight: 1
        python_param { module: 'test_python_layer' layer: 'MaskLayer' } }"""
    net = caffe.Net(prototxt(text), caffe.TRAIN)
    net.forward()
    net.backward()
    layer = net.layer_dict["mask"]
    assert layer.propagate_down == [True, False]
    kept = layer.kept[1]
    del net, layer
    gc.collect()
    assert kept.data.shape == (1,)  # a blob that was given to the layer owns its memory


@pytest.mark.parametrize("method", ["setup", "reshape", "forward", "backward"])
def test_an_exception_comes_back_as_itself_with_the_layers_name(prototxt, method):
    text = "force_backward: true\n" + DATA + python_layer("FailingLayer", "bad", param_str=method)
    with pytest.raises(ValueError) as raised:
        net = caffe.Net(prototxt(text), caffe.TRAIN)
        net.forward()
        net.backward()
    assert str(raised.value) == "no list"
    assert "'bad'" in raised.value.__notes__[0] and method in raised.value.__notes__[0]
    assert raised.traceback[-1].name == "_fail"


@pytest.mark.parametrize(
    ("layer", "module", "error", "words"),
    [
        ("SimpleLayer", "nowhere_at_all", ModuleNotFoundError, "'one'.*nowhere_at_all.*searched"),
        ("SimpleLayer", "layers/mine.py", ValueError, "give the module's name, 'mine'"),
        ("SimpleLayer", "mine.py", ValueError, "give the module's name, 'mine'"),
        ("Simple", HERE, AttributeError, "its classes: .*SimpleLayer"),
        ("", HERE, ValueError, "both module and layer"),
        ("BrokenConstructor", HERE, LookupError, "built badly"),
        ("NotALayer", HERE, TypeError, "derives from caffe.Layer"),
        ("NoReshape", HERE, NotImplementedError, r"reshape\(self, bottom, top\)"),
    ],
)
def test_what_cannot_be_made_says_why(prototxt, layer, module, error, words):
    with pytest.raises(error, match=words):
        caffe.Net(prototxt(DATA + python_layer(layer, module=module)), caffe.TEST)
    assert caffe.Net(prototxt(DATA + python_layer("SimpleLayer")), caffe.TEST).forward()


TELLING_LAYER = """
import caffe
WHO = {who!r}
class Telling(caffe.Layer):
    def setup(self, bottom, top): self.who = WHO
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): top[0].data[0] = 1
"""


def test_modules_are_found_beside_the_prototxt_then_in_the_variable(tmp_path, monkeypatch):
    for place in ("beside", "listed", "other"):
        (tmp_path / place).mkdir()
        (tmp_path / place / "pycaffe_tellers.py").write_text(TELLING_LAYER.format(who=place))
        text = python_layer("Telling", bottom="", module="pycaffe_tellers")
        (tmp_path / place / "net.prototxt").write_text(text)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "net.prototxt").write_text(text)
    monkeypatch.setenv("CAFFE_PYTHON_LAYERS", str(tmp_path / "listed"))

    def who(place):
        net = caffe.Net(tmp_path / place / "net.prototxt", caffe.TEST)
        return net.layers[0].who

    assert who("beside") == "beside"
    assert who("bare") == "listed"
    assert who("other") == "other"  # though a module of this name is loaded already
    assert who("beside") == "beside"
    monkeypatch.chdir(tmp_path / "listed")
    assert caffe.Net("net.prototxt", caffe.TEST).layers[0].who == "listed"


def test_an_import_error_inside_the_module_is_told_apart(tmp_path):
    (tmp_path / "pycaffe_importer.py").write_text("import a_package_that_is_not_there\n")
    with pytest.raises(ModuleNotFoundError, match="a_package_that_is_not_there") as raised:
        find_layer_class("one", "pycaffe_importer", "Layer", [str(tmp_path)])
    assert "pycaffe_importer" in raised.value.__notes__[0]


@pytest.mark.parametrize("phase", [caffe.TRAIN, caffe.TEST])
def test_a_net_with_keep_reshapes_a_python_layer_once_a_pass(prototxt, phase):
    text = python_layer("CountingLayer", bottom="")
    text += "layer { name: 'p' type: 'Power' bottom: 'one' top: 'p' power_param { scale: 2 } }"
    net = caffe.Net(prototxt(text), phase, keep=[])
    layer = net.layers[0]
    for _ in range(3):
        out = net.forward()["p"]
    assert layer.calls == ["setup", "reshape"] + 3 * ["reshape", "forward"]
    assert (out == 2 * len(layer.calls)).all()


def test_a_net_with_keep_trains_through_python_layers(prototxt):
    text = """layer { name: 'in' type: 'Input' top: 'data' input_param { shape { dim: 2 dim: 3 } } }
      layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip'
        inner_product_param { num_output: 4 weight_filler { type: 'xavier' } } }"""
    text += python_layer("SimpleLayer", "ten", "ip") + python_layer("SimpleLayer", "more", "ten")
    text += "layer { name: 'sum' type: 'Reduction' bottom: 'more' top: 'sum' loss_weight: 1 }"
    gradients = []
    for keep in (None, []):
        net = caffe.Net(prototxt(text), caffe.TRAIN, keep=keep)
        net.blobs["data"].data[...] = [[1, 2, 3], [4, 5, 6]]
        for _ in range(2):
            net.clear_param_diffs()
            net.forward()
            net.backward()
        gradients.append(net.params["ip"][0].diff.copy())
    np.testing.assert_allclose(gradients[0], np.tile([500, 700, 900], (4, 1)), rtol=1e-5)
    np.testing.assert_array_equal(gradients[0], gradients[1])


class PositionLayer(CountingLayer):
    """Has a state that a snapshot keeps."""

    def __init__(self, param):
        super().__init__(param)
        self.position = 0

    def reshape(self, bottom, top):
        top[0].reshape(1)

    def forward(self, bottom, top):
        self.position += 1
        top[0].data[0] = self.position

    def get_state(self):
        return {"position": self.position}

    def set_state(self, state):
        self.position = state["position"]


def test_a_snapshot_keeps_the_state_of_a_python_layer(prototxt, tmp_path):
    text = python_layer("PositionLayer", bottom="")
    text += """layer { name: 'ip' type: 'InnerProduct' bottom: 'one' top: 'loss' loss_weight: 1
      inner_product_param { num_output: 1 axis: 0 } }"""
    net = prototxt(text)
    file = prototxt(
        f"net: '{net}' base_lr: 0.1 lr_policy: 'fixed' snapshot_prefix: '{tmp_path}/s'",
        "solver.prototxt",
    )
    solver = caffe.SGDSolver(file)
    solver.step(3)
    solver.snapshot()
    other = caffe.SGDSolver(file)
    other.restore(tmp_path / "s_iter_3.solverstate")
    assert other.net.layers[0].position == 3
    other.step(1)
    assert other.net.layers[0].position == 4
