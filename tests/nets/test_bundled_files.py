"""The committed prototxt files: generated, readable by protobuf, complete."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import generate
import pytest
from generator.catalogue import NETWORKS, bundled_files
from generator.segflow import flownet_size
from net_text import parse, read_net
from shape_walk import walk


def _all_files() -> dict[str, str]:
    return {str(path): text for net in NETWORKS for path, text in bundled_files(net).items()}


def test_committed_files_are_what_the_generator_writes(prototxt_dir: Path) -> None:
    committed = {
        str(path.relative_to(prototxt_dir)): path.read_text()
        for path in prototxt_dir.rglob("*.prototxt")
    }
    generated = _all_files()
    assert sorted(committed) == sorted(generated)
    stale = [path for path, text in generated.items() if committed[path] != text]
    assert not stale, "run python prototxt/generate.py"


def test_check_option_names_a_stale_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--net", "segflow_lite", "--no-ablations", "--output", str(tmp_path)]
    assert generate.main(arguments) == 0
    assert generate.main([*arguments, "--check"]) == 0
    deploy = tmp_path / "segflow_lite" / "deploy.prototxt"
    deploy.write_text(deploy.read_text().replace("score_flow", "score_float"))
    assert generate.main([*arguments, "--check"]) == 1
    assert "segflow_lite/deploy.prototxt is stale" in capsys.readouterr().err


@pytest.fixture(scope="module")
def messages(tmp_path_factory: pytest.TempPathFactory, prototxt_dir: Path) -> dict[str, type]:
    """NetParameter and SolverParameter of this tree's schema, made in a pool of their own."""
    if shutil.which("protoc") is None:
        pytest.skip("protoc is not installed")
    protobuf = pytest.importorskip("google.protobuf")
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    assert protobuf
    folder = prototxt_dir.parent / "caffe" / "src" / "caffe" / "proto"
    compiled = tmp_path_factory.mktemp("schema") / "caffe.desc"
    subprocess.run(
        ["protoc", f"-I{folder}", f"--descriptor_set_out={compiled}", folder / "caffe.proto"],
        check=True,
    )
    pool = descriptor_pool.DescriptorPool()
    for file in descriptor_pb2.FileDescriptorSet.FromString(compiled.read_bytes()).file:
        pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"caffe.{name}"))
        for name in ("NetParameter", "SolverParameter")
    }


def test_schema_accepts_every_file(messages: dict[str, type], prototxt_dir: Path) -> None:
    from google.protobuf import text_format

    for path in sorted(prototxt_dir.rglob("*.prototxt")):
        kind = "SolverParameter" if path.name.startswith("solver") else "NetParameter"
        message = text_format.Parse(path.read_text(), messages[kind]())
        if kind == "NetParameter":
            assert [layer.name for layer in message.layer] == [x.name for x in read_net(path)]


def test_every_solver_names_the_net_beside_it(prototxt_dir: Path) -> None:
    solvers = sorted(prototxt_dir.rglob("solver_*.prototxt"))
    assert len(solvers) > 20
    for path in solvers:
        net = prototxt_dir.parent / parse(path.read_text()).one("net")
        assert net.exists() and net.parent == path.parent
        assert path.name == f"solver_{net.name}"


def test_every_net_fits_together(prototxt_dir: Path) -> None:
    for path in sorted(prototxt_dir.rglob("*.prototxt")):
        if path.name.startswith("solver"):
            continue
        height, width = (192, 320) if "segflow_lite" in path.parts else (480, 854)
        channels = {"data": 3, "data2": 3, "img0": 3, "img1": 3, "label": 1, "weight": 1, "flow": 2}
        layers = read_net(path)
        found = walk(layers, {name: (1, c, height, width) for name, c in channels.items()})
        names = [layer.name for layer in layers]
        assert len(set(names)) == len(names), path
        for layer in layers:
            propagate = layer.message.get("propagate_down", [])
            assert len(propagate) in (0, len(layer.bottoms)), layer.name
            count = sum(name == layer.name for name, _, _ in found.params)
            assert len(layer.lr_mults) <= count, f"{path}: {layer.name}"


@pytest.mark.parametrize(("height", "width"), [(480, 854), (360, 640), (240, 427), (720, 1280)])
def test_segflow_for_another_size_fits_together(tmp_path: Path, height: int, width: int) -> None:
    arguments = ["--net", "segflow", "--no-ablations", "--output", str(tmp_path)]
    assert generate.main([*arguments, "--height", str(height), "--width", str(width)]) == 0
    found = walk(read_net(tmp_path / "segflow" / "deploy.prototxt"))
    for name, channels in {"score": 2, "score_flow": 2, "predict_flow_final": 2}.items():
        assert found.blobs[name] == (1, channels, height, width)


@pytest.mark.parametrize("remainder", range(8))
def test_segflow_size_formula_leaves_room_for_every_crop(tmp_path: Path, remainder: int) -> None:
    """Every residue modulo 8 over a spread of sizes; 1 and 2 cannot work and are refused."""
    for size in range(64 + remainder, 700, 8 * 31):
        if remainder in (1, 2):
            with pytest.raises(ValueError, match=f"height {size}.*pad frames to"):
                flownet_size(size, 128)
            continue
        text = bundled_files("segflow", (size, size), ablations=False)
        deploy = next(text[path] for path in text if path.name == "deploy.prototxt")
        file = tmp_path / f"{size}.prototxt"
        file.write_text(deploy)
        assert walk(read_net(file)).blobs["score"] == (1, 2, size, size)


def test_impossible_size_is_a_usage_error(tmp_path: Path) -> None:
    command = [sys.executable, Path(generate.__file__), "--net", "segflow", "--output", tmp_path]
    done = subprocess.run([*command, "--height", "481"], capture_output=True, text=True)
    assert done.returncode == 2
    assert "height 481" in done.stderr and "pad frames to 483" in done.stderr
