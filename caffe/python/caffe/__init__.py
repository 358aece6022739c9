"""pycaffe: Caffe's nets, solvers and layers in Python."""

import sys as _sys
from pathlib import Path as _Path

try:
    from . import _caffe  # noqa: F401  (first, alone: what fails here is the build)
except ImportError as _error:
    _built = sorted(_Path(__file__).parent.glob("_caffe*.so"))
    if not _built:
        raise ImportError(
            f"{_Path(__file__).parent} is not built: run make pycaffe in the repository's root"
        ) from None
    _version = f"{_sys.version_info.major}.{_sys.version_info.minor}"
    raise ImportError(
        f"{_error}; built is {', '.join(path.name for path in _built)}, this is Python {_version}: "
        f"run make pycaffe PYTHON={_sys.executable}"
    ) from _error

from . import io, net_spec, pycaffe
from ._caffe import (
    NCCL,
    AdaDeltaSolver,
    AdaGradSolver,
    AdamSolver,
    Blob,
    Error,
    Layer,
    NesterovSolver,
    Net,
    RMSPropSolver,
    SGDSolver,
    Solver,
    Timer,
    allow_tf32,
    device_count,
    device_memory,
    device_name,
    empty_device_cache,
    get_solver,
    has_nccl,
    init_log,
    layer_type_list,
    log,
    read_net,
    set_device,
    set_logging_disabled,
    set_mode_cpu,
    set_mode_gpu,
    set_multiprocess,
    set_random_seed,
    set_solver_count,
    set_solver_rank,
    solver_count,
    solver_rank,
    synchronize,
    tf32_allowed,
)
from .net_spec import NetSpec, layers, params, to_proto
from .processes import Processes
from .proto.caffe_pb2 import TEST, TRAIN

__version__ = "1.0.0"

from .classifier import Classifier  # noqa: E402  (these two derive from caffe.Net)
from .detector import Detector  # noqa: E402

__all__ = [
    "NCCL", "TEST", "TRAIN", "AdaDeltaSolver", "AdaGradSolver", "AdamSolver", "Blob", "Classifier",
    "Detector", "Error", "Layer", "NesterovSolver", "Net", "NetSpec", "Processes", "RMSPropSolver",
    "SGDSolver", "Solver", "Timer", "allow_tf32", "device_count", "device_memory", "device_name",
    "empty_device_cache", "get_solver", "has_nccl", "init_log", "io", "layer_type_list", "layers",
    "log", "net_spec", "params", "pycaffe", "read_net", "set_device", "set_logging_disabled",
    "set_mode_cpu", "set_mode_gpu", "set_multiprocess", "set_random_seed", "set_solver_count",
    "set_solver_rank", "solver_count", "solver_rank", "synchronize", "tf32_allowed", "to_proto",
]  # fmt: skip
