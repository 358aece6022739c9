"""The package as a whole: its names, its types, what an unbuilt tree says, its settings."""

import ast
import inspect
import pickle
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import caffe
from caffe import _caffe
from caffe.proto import caffe_pb2

PACKAGE = Path(caffe.__file__).parent

NAMES = """
Net SGDSolver NesterovSolver AdaGradSolver RMSPropSolver AdaDeltaSolver AdamSolver get_solver NCCL
Timer Layer set_mode_cpu set_mode_gpu set_device set_random_seed solver_count set_solver_count
solver_rank set_solver_rank set_multiprocess has_nccl init_log log layer_type_list TRAIN TEST
Classifier Detector io layers params NetSpec to_proto __version__ set_logging_disabled
""".split()


@pytest.mark.parametrize("name", NAMES)
def test_the_package_has(name):
    assert hasattr(caffe, name)


def test_the_compiled_module_has_its_own_names():
    for name in (
        "Blob", "Solver", "SolverParameter", "LayerParameter", "BlobVec", "RawBlobVec", "LayerVec",
        "NetVec", "StringVec", "IntVec", "DtypeVec", "BoolVec",
    ):  # fmt: skip
        assert hasattr(_caffe, name), name


def test_layer_types_are_sorted_and_hold_the_basic_ones():
    types = list(caffe.layer_type_list())
    assert types == sorted(types)
    for layer_type in ("Convolution", "InnerProduct", "Input", "Python", "DummyData"):
        assert layer_type in types


def test_thread_settings_go_round():
    assert (caffe.solver_count(), caffe.solver_rank()) == (1, 0)
    caffe.set_solver_count(3)
    caffe.set_solver_rank(2)
    assert (caffe.solver_count(), caffe.solver_rank()) == (3, 2)
    caffe.set_solver_count(1)
    caffe.set_solver_rank(0)
    assert caffe.has_nccl() in (True, False)


def test_the_timer_measures():
    timer = caffe.Timer()
    assert timer.ms == 0
    timer.start()
    timer.start()
    sum(range(100000))
    timer.stop()
    assert timer.ms > 0 and timer.ms == timer.ms


def run(code: str, **variables: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": str(PACKAGE.parent), **variables},
        capture_output=True,
        text=True,
        timeout=60,
    )


@pytest.mark.skipif(caffe.device_count() > 0, reason="this build has a GPU")
def test_the_gpu_of_a_cpu_build_warns_once_and_goes_on():
    code = "import caffe; caffe.set_device(0); caffe.set_mode_gpu(); caffe.set_mode_gpu()"
    result = run(code + "; caffe.set_device(0); print('on')")
    if "there is no device" in result.stderr:
        pytest.skip("a build for GPUs where none is")
    assert result.returncode == 0 and result.stdout == "on\n"
    assert 1 <= len(result.stderr.splitlines()) <= 2 and "CPU" in result.stderr


def test_the_log_can_be_turned_up_and_down():
    code = """
import caffe
caffe.log('before')
caffe.init_log(); caffe.init_log(0, True)
caffe.log('shown')
caffe.set_logging_disabled(); caffe.set_logging_disabled()
caffe.log('hidden')
"""
    result = run(code)
    assert result.returncode == 0
    assert "shown" in result.stderr
    assert "hidden" not in result.stderr and "before" not in result.stderr


def test_an_unbuilt_tree_says_what_to_do(tmp_path):
    copy = tmp_path / "caffe"
    shutil.copytree(
        PACKAGE, copy, ignore=shutil.ignore_patterns("_caffe*.so", "caffe.desc", "test", "*.npy")
    )
    result = run("import caffe", PYTHONPATH=str(tmp_path))
    assert result.returncode == 1 and "run make pycaffe" in result.stderr
    (copy / "_caffe.so").write_bytes(b"not a library")
    result = run("import caffe", PYTHONPATH=str(tmp_path))
    assert result.returncode == 1 and "run make pycaffe PYTHON=" in result.stderr


def test_the_folders_that_scripts_append_to_the_path_do_no_harm():
    code = f"""
import sys
sys.path += [{str(PACKAGE.parent)!r}, {str(PACKAGE)!r}]
import caffe, io, json
print(io.StringIO, caffe.io.Transformer)
"""
    assert run(code).returncode == 0


def test_the_schema_is_complete_and_pickles():
    net = caffe_pb2.NetParameter(name="n")
    net.layer.add(name="a", type="Pooling").pooling_param.pool = caffe_pb2.PoolingParameter.AVE
    assert pickle.loads(pickle.dumps(net)) == net
    assert caffe_pb2.NetParameter.FromString(net.SerializeToString()) == net
    assert (caffe_pb2.TRAIN, caffe_pb2.TEST) == (0, 1) == (caffe.TRAIN, caffe.TEST)
    assert caffe_pb2.Phase.Value("TEST") == 1 and caffe.io.caffe_pb2 is caffe_pb2
    assert caffe_pb2.V1LayerParameter.CONVOLUTION == 4
    with pytest.raises(AttributeError, match="Nothing"):
        _ = caffe_pb2.Nothing


def in_stub(nodes: list[ast.FunctionDef]) -> tuple[set[str], str]:
    """Parameter names and words of a function's overloads."""
    names, words = set(), []
    for node in nodes:
        names |= {each.arg for each in ast.walk(node) if isinstance(each, ast.arg)}
        words += (ast.get_docstring(node) or "").split()
    return names - {"args", "kwargs"}, " ".join(words)


def in_module(function) -> tuple[set[str], str]:
    """The same, from the signatures that pybind11 writes into docstrings."""
    text = function.__doc__ or ""
    if inspect.isfunction(function):  # of pycaffe.py
        names = set(inspect.signature(function).parameters)
    else:
        signature = re.compile(r"^(?:\d+\. )?\w+\(.*\)(?: -> .+)?$|^Overloaded function\.$", re.M)
        names = {n for line in signature.findall(text) for n in re.findall(r"[(, ](\w+): ", line)}
        text = signature.sub("", text)
    return names - {"args", "kwargs"}, " ".join(text.split())


def test_the_stub_file_says_what_the_compiled_module_says():
    again = "run caffe/python/generate_stubs.py"
    module = ast.parse((PACKAGE / "_caffe.pyi").read_text())
    classes = {node.name: node for node in module.body if isinstance(node, ast.ClassDef)}
    compiled = {
        name: value
        for name, value in vars(_caffe).items()
        if inspect.isclass(value) and value.__module__.startswith("caffe")
    }
    assert set(classes) == {n for n, c in compiled.items() if not issubclass(c, Exception)}, again
    scopes = [(module, vars(_caffe)), *((classes[n], vars(compiled[n])) for n in classes)]
    for scope, members in scopes:
        stubbed: dict[str, list[ast.FunctionDef]] = {}
        for node in scope.body:
            if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
                stubbed.setdefault(node.name, []).append(node)
        functions = {
            name: value
            for name, value in members.items()
            if not name.startswith("_")
            and (inspect.isroutine(value) or isinstance(value, property))
        }
        assert set(stubbed) == set(functions), again
        for name, value in functions.items():
            names, words = in_stub(stubbed[name])
            if isinstance(value, property):
                names = set()
            assert (names, words) == in_module(value), f"{name}: {again}"
