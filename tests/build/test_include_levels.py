"""The engine's levels (util, memory, backend, ...) include only themselves and what lies below.

A level is a list of files, not a folder: public headers stay where other people's code includes
them and belong to the level that they need.
"""

import re
from pathlib import Path

import pytest

CAFFE = Path(__file__).resolve().parents[2] / "caffe"
LEVELS = ["util", "memory", "backend", "layers", "net", "solvers", "programs"]

# The headers whose level their folder does not tell, by name below include/caffe.
LEVEL_OF_HEADER = {
    "common.hpp": "util",
    "packed_contents.hpp": "memory",
    "syncedmem.hpp": "memory",
    "device/channels_last.hpp": "memory",
    "device/convolution.hpp": "backend",
    "device/convolution_ops.hpp": "backend",
    "device/convolution_tail.hpp": "backend",
    "device/channelwise.hpp": "memory",
    "device/cudnn/cudnn_convolution.hpp": "backend",
    "device/no_cudnn/cudnn_convolution.hpp": "backend",
    "blob.hpp": "memory",
    "filler.hpp": "memory",
    "util/hdf5.hpp": "memory",
    "layer.hpp": "layers",
    "layer_factory.hpp": "layers",
    "data_transformer.hpp": "layers",
    "data_reader.hpp": "layers",
    "internal_thread.hpp": "util",
    "net.hpp": "net",
    "net_in_place.hpp": "net",
    "net_plan.hpp": "net",
    "net_recorder.hpp": "net",
    "net_targets.hpp": "net",
    "util/insert_splits.hpp": "net",
    "util/upgrade_proto.hpp": "net",
    "util/upgrade_solver.hpp": "net",
    "util/upgrade_v0.hpp": "net",
    "util/upgrade_v1.hpp": "net",
    "util/caffemodel_reader.hpp": "net",
    "solver.hpp": "solvers",
    "solver_factory.hpp": "solvers",
    "sgd_solvers.hpp": "solvers",
    "update_rules.hpp": "solvers",
    "parallel.hpp": "solvers",
    "parallel/gradient_reducer.hpp": "solvers",
    "util/signal_handler.h": "solvers",
    "caffe.hpp": "programs",
}
LEVEL_OF_FOLDER = {
    "device/convolution": "backend",
    "util": "util",
    "device": "util",
    "parallel": "util",
    "proto": "util",
    "memory": "memory",
    "backend": "backend",
    "layers": "layers",
    "data": "layers",
    "net": "net",
    "solvers": "solvers",
}


def level_of(name: str) -> str | None:
    """Level of a file named as below include/caffe or src/caffe, sources as their headers are."""
    header = re.sub(r"\.(cpp|cu)$", ".hpp", name)
    folder, _, base = header.rpartition("/")
    if header in LEVEL_OF_HEADER:
        return LEVEL_OF_HEADER[header]
    if folder in ("memory", "net", "solvers", "layers") and base in LEVEL_OF_HEADER:
        return LEVEL_OF_HEADER[base]
    return LEVEL_OF_FOLDER.get(folder) or LEVEL_OF_FOLDER.get(folder.split("/")[0])


def engine_files() -> list[str]:
    roots = [CAFFE / "include/caffe", CAFFE / "src/caffe"]
    names = [
        path.relative_to(root).as_posix()
        for root in roots
        for pattern in ("*.hpp", "*.h", "*.cpp", "*.cu")
        for path in root.rglob(pattern)
    ]
    return sorted(set(name for name in names if not name.startswith("test/")))


def includes(name: str) -> list[str]:
    path = CAFFE / "include/caffe" / name
    path = path if path.exists() else CAFFE / "src/caffe" / name
    return re.findall(r'^\s*#include "caffe/([^"]+)"', path.read_text(), re.M)


def headers_above(name: str) -> list[str]:
    rank = LEVELS.index(level_of(name) or "programs")
    return [
        header
        for header in includes(name)
        if LEVELS.index(level_of(header.replace(".pb.h", ".hpp")) or "programs") > rank
    ]


def test_every_file_has_a_level() -> None:
    homeless = [name for name in engine_files() if level_of(name) is None]
    assert not homeless, f"tell LEVEL_OF_HEADER where these belong: {homeless}"


@pytest.mark.parametrize("level", LEVELS)
def test_level_includes_nothing_above_itself(level: str) -> None:
    files = [name for name in engine_files() if level_of(name) == level]
    wrong = {name: headers_above(name) for name in files if headers_above(name)}
    assert not wrong


def test_a_blob_that_included_a_net_would_be_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(globals(), "includes", lambda name: ["net.hpp", "common.hpp"])
    assert headers_above("blob.hpp") == ["net.hpp"]
