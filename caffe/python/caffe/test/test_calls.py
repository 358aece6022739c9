"""Long calls among threads, signals and forks, and at the interpreter's end."""

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import caffe
from caffe.interrupts import DeferredInterrupt

CONVOLUTIONS = """layer { name: 'in' type: 'Input' top: 'y0'
  input_param { shape { dim: 1 dim: 64 dim: 128 dim: 128 } } }
"""
for number in range(4):
    CONVOLUTIONS += f"""layer {{ name: 'conv{number}' type: 'Convolution' bottom: 'y{number}'
  top: 'y{number + 1}' convolution_param {{ engine: CAFFE num_output: 64 kernel_size: 5 pad: 2
    weight_filler {{ type: 'xavier' }} }} }}
"""
CONVOLUTIONS += "layer { name: 'end' type: 'Softmax' bottom: 'y4' top: 'end' }"

SCALE = """
layer {{ name: 'in' type: 'Input' top: 'x' input_param {{ shape {{ dim: 2 dim: 3 }} }} }}
layer {{ name: 'factor' type: 'Python' bottom: 'x' top: 'y' python_param {{
  module: 'test_python_layer' layer: 'FactorLayer' param_str: '{factor}' }} }}
"""


@pytest.fixture(scope="module")
def slow_net(tmp_path_factory):
    file = tmp_path_factory.mktemp("slow") / "net.prototxt"
    file.write_text(CONVOLUTIONS)
    return caffe.Net(file, caffe.TEST)


def test_another_thread_counts_while_a_net_runs(slow_net):
    interval = sys.getswitchinterval()
    counted = []
    stop = threading.Event()

    def count():
        while not stop.is_set():
            counted.append(len(counted))
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    sys.setswitchinterval(1000)  # this thread gives way only where it releases the lock itself
    try:
        thread.start()
        before, passes = len(counted), 0
        while len(counted) < before + 2 and passes < 100:
            slow_net._forward(0, 5)
            passes += 1
        during = len(counted) - before
    finally:
        sys.setswitchinterval(interval)
        stop.set()
        thread.join()
    assert during >= 2


def test_a_net_is_used_from_another_thread(slow_net):
    image = np.random.randn(1, 64, 128, 128)
    here = slow_net.forward(y0=image)["end"].copy()
    results = []
    thread = threading.Thread(
        target=lambda: results.append(slow_net.forward(y0=image)["end"].copy())
    )
    thread.start()
    thread.join()
    np.testing.assert_array_equal(results[0], here)


def test_two_nets_with_python_layers_in_two_threads(prototxt):
    nets = {
        factor: caffe.Net(
            prototxt(SCALE.format(factor=factor), f"net{factor}.prototxt"), caffe.TEST
        )
        for factor in (2, 3)
    }
    wrong = []

    def run(factor):
        for i in range(200):
            x = np.full((2, 3), i)
            if not (nets[factor].forward(x=x)["y"] == factor * i).all():
                wrong.append((factor, i))

    threads = [threading.Thread(target=run, args=(factor,)) for factor in nets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_one_net_in_two_threads_takes_turns(prototxt):
    net = caffe.Net(prototxt(SCALE.format(factor=5)), caffe.TEST)
    net.blobs["x"].data[...] = 1
    threads = [
        threading.Thread(target=lambda: [net.forward() for _ in range(100)]) for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (net.blobs["y"].data == 5).all()


def test_an_exception_in_another_thread_comes_back_there(prototxt):
    caught = []

    def run():
        try:
            caffe.Net(prototxt("layer { nme: 'x' }"), caffe.TEST)
        except RuntimeError as error:
            caught.append(str(error))

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert len(caught) == 1 and "nme" in caught[0]


def run_script(tmp_path: Path, script: str, threads: int = 1) -> list[str]:
    """What a Python process of its own prints, with SIGINT as Python sets it."""
    result = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(caffe.__file__).parents[1]), "OMP_NUM_THREADS": str(threads)},
        capture_output=True,
        text=True,
        timeout=120,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split()


INTERRUPTED_PASS = """
import ctypes, functools, os, signal
import caffe
net = caffe.Net('net.prototxt', caffe.TEST)
net.blobs['end'].data[...] = -7
# Functions of C: while they run, Python has no occasion to answer the signal by itself. The
# second lasts longer than the time between two looks of a pass at the signals.
libc = ctypes.PyDLL(None)
net.before_forward(functools.partial(libc.kill, os.getpid(), signal.SIGINT))
net.before_forward(functools.partial(libc.usleep, 100000))
try:
    net.forward()
    print("never")
except KeyboardInterrupt:
    print((net.blobs['end'].data == -7).all())
signal.signal(signal.SIGINT, signal.SIG_IGN)
net.forward()
print((net.blobs['end'].data == 0.5).all())
"""


def test_ctrl_c_ends_a_pass_between_layers(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        """layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 } } }
        layer { name: 'twice' type: 'Power' bottom: 'x' top: 'y' power_param { scale: 2 } }
        layer { name: 'end' type: 'Sigmoid' bottom: 'y' top: 'end' }"""
    )
    # the pass did not come to its last layer, and the next one did
    assert run_script(tmp_path, INTERRUPTED_PASS) == ["True", "True"]


INTERRUPTED_SOLVER = """
import os, signal, threading, time
import caffe
def make():
    caffe.set_random_seed(1)
    return caffe.SGDSolver('solver.prototxt')
solver, again, seen = make(), make(), []
solver.add_callback(lambda: seen.append(1), lambda: seen.append(2))
def interrupt():
    while len(seen) < 100:
        time.sleep(0.01)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt).start()
try:
    solver.step(1000000000)
    print("never")
except KeyboardInterrupt:
    before = solver.iter
    again.step(before)
    weights = [s.net.params['ip'][0].data for s in (solver, again)]
    print(2 * before == len(seen) >= 100, (weights[0] == weights[1]).all())
    solver.step(2)
    print(solver.iter == before + 2)
"""


def test_ctrl_c_ends_a_solver_after_its_iteration(tmp_path):
    """Though Python code, a callback, runs within the iteration."""
    (tmp_path / "net.prototxt").write_text(
        """layer { name: 'd' type: 'DummyData' top: 'x' top: 't' dummy_data_param {
          shape { dim: 64 dim: 99 } data_filler { type: 'constant' value: 1 }
          shape { dim: 64 dim: 3 } data_filler { type: 'constant' value: 2 } } }
        layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param {
          num_output: 3 weight_filler { type: 'xavier' } } }
        layer { name: 'l' type: 'EuclideanLoss' bottom: 'y' bottom: 't' top: 'l' }"""
    )
    (tmp_path / "solver.prototxt").write_text(
        "net: 'net.prototxt' base_lr: 1e-9 lr_policy: 'fixed' max_iter: 1000000000"
    )
    # the weights are those of whole iterations, as a run without an interrupt leaves them
    assert run_script(tmp_path, INTERRUPTED_SOLVER) == ["True", "True", "True"]


SIGNALS_AT_ANY_MOMENT = """
import signal
import caffe
net = caffe.Net('net.prototxt', caffe.TRAIN)
came = []
signal.signal(signal.SIGALRM, lambda number, frame: came.append(number))
signal.setitimer(signal.ITIMER_REAL, 1e-4, 1e-4)
for i in range(300):
    net.forward()
    net.backward()
signal.setitimer(signal.ITIMER_REAL, 0)
print(len(came) > 10)
"""


def test_a_signal_at_any_moment_of_a_pass_does_no_harm(tmp_path):
    """Where a kernel used the stack's pointer for other memory, its frame would lie there."""
    (tmp_path / "net.prototxt").write_text(
        """force_backward: true
        layer { name: 'in' type: 'Input' top: 'x'
          input_param { shape { dim: 2 dim: 19 dim: 14 dim: 14 } } }
        layer { name: 'odd' type: 'Convolution' bottom: 'x' top: 'c' convolution_param {
          num_output: 5 kernel_size: 3 pad: 1 dilation: 2 weight_filler { type: 'xavier' } } }
        layer { name: 'up' type: 'Deconvolution' bottom: 'c' top: 'd' convolution_param {
          num_output: 7 kernel_size: 4 stride: 2 weight_filler { type: 'xavier' } } }
        layer { name: 'lrn' type: 'LRN' bottom: 'd' top: 'n' }
        layer { name: 'ip' type: 'InnerProduct' bottom: 'x' top: 'y' inner_product_param {
          num_output: 3 weight_filler { type: 'xavier' } } }
        layer { name: 'rows' type: 'Reshape' bottom: 'x' top: 'r'
          reshape_param { shape { dim: 76 dim: -1 } } }
        layer { name: 'many' type: 'InnerProduct' bottom: 'r' top: 'z' inner_product_param {
          num_output: 3 weight_filler { type: 'xavier' } } }"""
    )
    assert run_script(tmp_path, SIGNALS_AT_ANY_MOMENT) == ["True"]


LEFT_BEHIND = """
import threading, time
import numpy as np
import caffe
class Slow(caffe.Layer):
    def setup(self, bottom, top): pass
    def reshape(self, bottom, top): top[0].reshape(1)
    def forward(self, bottom, top): time.sleep(0.001)
    def backward(self, top, propagate_down, bottom): pass
with open('python.prototxt', 'w') as file:
    file.write("layer { name: 'slow' type: 'Python' top: 'y' "
               "python_param { module: '__main__' layer: 'Slow' } }")
shared = caffe.Net('net.prototxt', caffe.TEST)
begun = []
def run(net):
    while True:
        net.forward()
        begun.append(net)
def train():
    caffe.SGDSolver('solver.prototxt').step(1000000000)
nets = [caffe.Net('net.prototxt', caffe.TEST), shared, shared,
        caffe.Net('python.prototxt', caffe.TEST)]
for net in nets:
    threading.Thread(target=run, args=(net,), daemon=True).start()
threading.Thread(target=train, daemon=True).start()
while len(begun) < 50:
    time.sleep(0.001)
print('end')
"""


def test_threads_in_the_engine_let_the_interpreter_end(tmp_path):
    (tmp_path / "net.prototxt").write_text(
        """layer { name: 'in' type: 'Input' top: 'x' input_param { shape { dim: 2 dim: 9 } } }
        layer { name: 'end' type: 'Sigmoid' bottom: 'x' top: 'y' }"""
    )
    (tmp_path / "train.prototxt").write_text(
        """layer { name: 'd' type: 'DummyData' top: 'x' dummy_data_param { shape { dim: 9 } } }
        layer { name: 'l' type: 'Reduction' bottom: 'x' top: 'l' loss_weight: 1 }"""
    )
    (tmp_path / "solver.prototxt").write_text(
        "net: 'train.prototxt' base_lr: 1 lr_policy: 'fixed' max_iter: 1000000000"
    )
    for _ in range(3):
        assert run_script(tmp_path, LEFT_BEHIND, threads=2) == ["end"]


FORKED = """
import os, time
import numpy as np
import caffe
net = caffe.Net('net.prototxt', caffe.TEST)
image = np.random.randn(*net.blobs['y0'].data.shape)
here = net.forward(y0=image)['end'].copy()
child = os.fork()
if child == 0:
    same = np.array_equal(net.forward(y0=image)['end'], here)
    os._exit(0 if same else 3)
for _ in range(600):
    done, status = os.waitpid(child, os.WNOHANG)
    if done:
        break
    time.sleep(0.1)
else:
    os.kill(child, 9)
print(done == child and status == 0, np.array_equal(net.forward(y0=image)['end'], here))
"""


def test_a_child_forked_after_a_pass_computes_too(tmp_path):
    """As with multiprocessing: its threads are not those of the parent."""
    (tmp_path / "net.prototxt").write_text(CONVOLUTIONS)
    assert run_script(tmp_path, FORKED, threads=2) == ["True", "True"]


@pytest.fixture
def usual_interrupt():
    """SIGINT as Python sets it: a job in the background of a shell finds it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_a_second_interrupt_is_answered_at_once(usual_interrupt):
    deferred = DeferredInterrupt()
    try:
        signal.raise_signal(signal.SIGINT)
        assert deferred.pending
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            deferred.finish()
    finally:
        deferred.restore()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
