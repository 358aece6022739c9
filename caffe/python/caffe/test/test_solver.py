"""Solvers: training, snapshots, callbacks, lifetimes."""

import gc
from pathlib import Path

import numpy as np
import pytest

import caffe

SOLVER = """net: '{net}' base_lr: 0.01 momentum: 0.9 weight_decay: 0.0005 lr_policy: 'inv'
gamma: 0.0001 power: 0.75 display: 100 max_iter: 100 snapshot_after_train: false
test_iter: 2 test_interval: 10 snapshot_prefix: '{prefix}' random_seed: 3 {more}
"""

NET = """
layer { name: 'data' type: 'DummyData' top: 'data' top: 'label' dummy_data_param {
  shape { dim: 5 dim: 2 dim: 3 dim: 4 } shape { dim: 5 }
  data_filler { type: 'gaussian' std: 1 } data_filler { type: 'constant' value: 2 } } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'data' top: 'ip'
  inner_product_param { num_output: 6 weight_filler { type: 'gaussian' std: 0.1 } } }
layer { name: 'loss' type: 'SoftmaxWithLoss' bottom: 'ip' bottom: 'label' top: 'loss' }
"""


@pytest.fixture
def solver_file(prototxt, tmp_path):
    net = prototxt(NET)

    def write(more="", name="solver.prototxt"):
        text = SOLVER.format(net=net, prefix=tmp_path / "model", more=more)
        return prototxt(text, name)

    return write


@pytest.fixture
def solver(solver_file):
    return caffe.SGDSolver(solver_file())


def test_solve_trains_to_the_last_iteration(solver):
    assert solver.iter == 0
    first = float(solver.net.forward()["loss"])
    solver.solve()
    assert solver.iter == 100
    assert float(solver.net.forward()["loss"]) < first


def test_step_trains_the_given_number(solver):
    solver.step(3)
    solver.step(4)
    assert solver.iter == 7
    assert np.isfinite(solver.net.blobs["loss"].data)


def test_apply_update_subtracts_rate_times_gradient(solver):
    weights = solver.net.params["ip"][1]
    before = weights.data.copy()
    weights.diff[...] = 1
    solver.apply_update()
    np.testing.assert_allclose(weights.data - before, -0.01, rtol=1e-4)
    assert solver.iter == 1


def test_the_parameter_view(solver):
    assert solver.param.max_iter == 100 and solver.param.display == 100
    assert solver.param.layer_wise_reduce in (True, False)
    assert solver.lr == pytest.approx(0.01)
    solver.param.base_lr = 0.5
    assert solver.lr == pytest.approx(0.5)
    with pytest.raises(AttributeError):
        solver.param.max_iter = 3


def test_the_net_is_the_same_object_each_time(solver):
    assert solver.net is solver.net
    solver.net.note = "mine"
    assert solver.net.note == "mine"
    assert len(solver.test_nets) == 1 and solver.test_nets[0] is solver.test_nets[0]


def test_nets_outlive_the_solver(solver):
    net, test_net = solver.net, solver.test_nets[0]
    del solver
    gc.collect()
    assert set(net.forward()) == set(test_net.forward()) == {"loss"}


def test_a_test_net_shares_the_train_nets_weights(solver):
    solver.test_nets[0].share_with(solver.net)
    solver.net.params["ip"][0].data[...] = 4
    assert (solver.test_nets[0].params["ip"][0].data == 4).all()


def test_share_weights_makes_another_net_follow(solver, solver_file):
    other = caffe.SGDSolver(solver_file(name="other.prototxt"))
    solver.share_weights(other.net)
    solver.net.params["ip"][0].data[...] = 4
    assert (other.net.params["ip"][0].data == 4).all()


def test_snapshot_and_restore(solver, solver_file, tmp_path):
    solver.snapshot()
    assert (tmp_path / "model_iter_0.caffemodel").is_file()
    assert (tmp_path / "model_iter_0.solverstate").is_file()
    solver.step(5)
    solver.snapshot()
    solver.step(2)
    other = caffe.SGDSolver(solver_file(name="other.prototxt"))
    other.restore(tmp_path / "model_iter_5.solverstate")
    assert other.iter == 5
    trained = caffe.Net(
        str(tmp_path / "net.prototxt"), str(tmp_path / "model_iter_5.caffemodel"), caffe.TEST
    )
    np.testing.assert_array_equal(other.net.params["ip"][0].data, trained.params["ip"][0].data)
    other.solve()
    assert other.iter == 100


def test_solve_goes_on_from_a_state(solver, solver_file, tmp_path):
    solver.step(97)
    solver.snapshot()
    other = caffe.SGDSolver(solver_file(name="other.prototxt"))
    other.solve(str(tmp_path / "model_iter_97.solverstate"))
    assert other.iter == 100


@pytest.mark.parametrize("kind", ["SGD", "Nesterov", "AdaGrad", "RMSProp", "AdaDelta", "Adam"])
def test_get_solver_gives_the_class_of_the_type(solver_file, kind):
    file = Path(solver_file(f"type: '{kind}'"))
    if kind in ("AdaGrad", "RMSProp"):
        file.write_text(file.read_text().replace("momentum: 0.9", "momentum: 0"))
    solver = caffe.get_solver(file)
    assert type(solver) is getattr(caffe, f"{kind}Solver")
    assert isinstance(solver, caffe.SGDSolver) and isinstance(solver, caffe.Solver)
    solver.step(2)
    assert solver.iter == 2 and solver.lr > 0


def test_callbacks_surround_each_iteration(solver):
    seen = []
    solver.add_callback(lambda: seen.append("start"), lambda: seen.append("gradients"))
    solver.step(2)
    assert seen == ["start", "gradients", "start", "gradients"]


def test_an_exception_in_a_callback_reaches_the_caller(solver):
    def fail():
        raise KeyError("from the callback")

    solver.add_callback(lambda: None, fail)
    with pytest.raises(KeyError, match="from the callback"):
        solver.step(1)


def test_two_weight_files_of_disjoint_layers_are_loaded(solver, prototxt, tmp_path):
    text = NET.replace("'ip'", "'elsewhere'")
    other = caffe.Net(prototxt(text, "elsewhere.prototxt"), caffe.TRAIN)
    other.save(tmp_path / "a.caffemodel")
    solver.net.params["ip"][0].data[...] = 3
    solver.net.save(tmp_path / "b.caffemodel")
    solver.net.params["ip"][0].data[...] = 0
    assert solver.net.copy_from(str(tmp_path / "a.caffemodel"))["loaded"] == []
    solver.net.copy_from(str(tmp_path / "b.caffemodel"))
    assert (solver.net.params["ip"][0].data == 3).all()
    other.copy_from(tmp_path / "a.caffemodel")


def test_python_layers_of_a_solvers_net_are_found_beside_the_net(tmp_path):
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "pycaffe_beside_net.py").write_text(
        "import caffe\n"
        "class One(caffe.Layer):\n"
        "    def setup(self, bottom, top): self.blobs.add_blob(1)\n"
        "    def reshape(self, bottom, top): top[0].reshape(1)\n"
        "    def forward(self, bottom, top): top[0].data[0] = self.blobs[0].data[0]\n"
        "    def backward(self, top, propagate_down, bottom): self.blobs[0].diff[0] += 1\n"
    )
    (tmp_path / "nets" / "net.prototxt").write_text(
        "layer { name: 'one' type: 'Python' top: 'one' loss_weight: 1\n"
        "  python_param { module: 'pycaffe_beside_net' layer: 'One' } }"
    )
    (tmp_path / "solver.prototxt").write_text(
        f"net: '{tmp_path}/nets/net.prototxt' base_lr: 0.5 lr_policy: 'fixed'"
    )
    solver = caffe.SGDSolver(tmp_path / "solver.prototxt")
    solver.step(2)
    assert solver.net.params["one"][0].data[0] == -1


def test_a_missing_solver_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing.prototxt"):
        caffe.SGDSolver(str(tmp_path / "nothing.prototxt"))
    with pytest.raises(RuntimeError, match="nothing.prototxt"):
        caffe.get_solver(str(tmp_path / "nothing.prototxt"))
