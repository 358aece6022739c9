"""Published Caffe models of ../shared/models against their reference passes, blob by blob.

Every case runs three ways: as a user gets it, without the plan (CAFFE_PLAN=off) and on the
plain back-end (CAFFE_ENGINE=plain); and keeps only what it must where the net has `keep`.
"""

import csv
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import caffe

MODELS = [
    "efficientnet_lite0",
    "lpr_char",
    "mtcnn_onet",
    "mtcnn_pnet",
    "mtcnn_rnet",
    "resnet50_1by2_nsfw",
    "vanilla_face",
    "vdsr",
    "wechat_detect",
    "wechat_sr",
    "legacy/cifar10_full_v1",
    "legacy/cifar10_quick_h5",
    "legacy/cifar10_quick_v1",
    "legacy/lenet_small_v2",
    "legacy/lenet_v1",
    "legacy/lpr_finemap_fp16",
]
# Weights files whose name is not the usual one.
WEIGHTS = {
    "legacy/cifar10_quick_h5": "weights.caffemodel.h5",
    "legacy/lpr_finemap_fp16": "weights_fp16.caffemodel",
}
# Of the larger inputs one goes through the slow ways.
SLOW_CASES = {"photo", "trunk_batch2"}
WAYS = {
    "default": {},
    "no plan": {"CAFFE_PLAN": "off"},
    "plain": {"CAFFE_ENGINE": "plain", "CAFFE_PLAN": "off"},
}

Shared = Callable[[str], Path]


def rows_of(folder: Path) -> list[dict[str, str]]:
    with (folder / "golden.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def cases_of(folder: Path) -> list[str]:
    return sorted({row["case"] for row in rows_of(folder) if row["case"]})


def net_file_of(folder: Path, case: str) -> Path:
    """The prototxt that golden.md names for the case."""
    row = re.search(rf"^\| {case} \|.*\|([^|]*)\|$", (folder / "golden.md").read_text(), re.M)
    assert row, f"{folder}/golden.md has no row for {case}"
    return folder / row.group(1).split()[0].rstrip(",")


def load(net_file: Path, weights: Path, keep: list[str] | None = None) -> caffe.Net:
    return caffe.Net(str(net_file), caffe.TEST, weights=str(weights), keep=keep)


def weights_of(model: str, folder: Path) -> Path:
    return folder / WEIGHTS.get(model, "weights.caffemodel")


def feed(net: caffe.Net, case: str, arrays: np.lib.npyio.NpzFile) -> None:
    prefix = f"{case}.in."
    for key in arrays.files:
        if key.startswith(prefix):
            blob = net.blobs[key.removeprefix(prefix)]
            blob.reshape(*arrays[key].shape)
            blob.data[...] = arrays[key]


def tolerance(model: str, name: str, largest: float, folded: bool) -> float:
    """As models/README.md gives it."""
    relative = 1e-4 if folded else 2e-5
    behind_a_clip = name == "stem" or name.endswith(("_expand", "_dw"))
    if model == "efficientnet_lite0" and behind_a_clip and not folded:
        relative = 5e-5
    return relative * largest + 1e-6


def compare(
    net: caffe.Net, model: str, folder: Path, case: str, folded: bool, only: str | None = None
) -> int:
    """Compares the blobs of a case; the number of blobs compared."""
    arrays = np.load(folder / "golden.npz")
    compared = 0
    for row in rows_of(folder):
        name = row["name"]
        if row["case"] != case or row["kind"] != "blob" or (only and name != only):
            continue
        found = net.blobs[name].data
        assert "x".join(map(str, found.shape)) == row["shape"], name
        largest = max(abs(float(row["min"])), abs(float(row["max"])))
        allowed = tolerance(model, name, largest, folded)
        if row["npz_key"]:
            golden = arrays[row["npz_key"]].ravel()
            step = int(row["step"] or 1)
            difference = np.abs(found.ravel()[::step] - golden).max()
            assert difference <= allowed, f"{model} {case} {name}: {difference} > {allowed}"
        wide = found.astype(np.float64)
        assert abs(wide.min() - float(row["min"])) <= allowed, name
        assert abs(wide.max() - float(row["max"])) <= allowed, name
        assert abs(wide.sum() - float(row["sum"])) <= allowed * found.size, name
        abs_sum = float(row["abs_sum"])
        assert abs(np.abs(wide).sum() - abs_sum) <= allowed * found.size, name
        compared += 1
    return compared


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("model", MODELS)
def test_every_blob_equals_the_reference(
    model: str, way: str, shared: Shared, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = shared(f"models/{model}")
    for name, value in WAYS[way].items():
        monkeypatch.setenv(name, value)
    nets: dict[Path, caffe.Net] = {}
    for case in cases_of(folder):
        large = model in ("resnet50_1by2_nsfw", "efficientnet_lite0", "vdsr", "wechat_detect")
        if way != "default" and large and case not in SLOW_CASES:
            continue
        file = net_file_of(folder, case)
        if file not in nets:  # the next case of the same net reshapes it
            nets[file] = load(file, weights_of(model, folder))
        net = nets[file]
        feed(net, case, np.load(folder / "golden.npz"))
        net.forward()
        assert compare(net, model, folder, case, folded=way == "default") >= 6


@pytest.mark.parametrize("model", ["resnet50_1by2_nsfw", "efficientnet_lite0", "wechat_detect"])
def test_a_kept_blob_equals_the_reference_and_others_are_refused(
    model: str, shared: Shared
) -> None:
    folder = shared(f"models/{model}")
    case = "photo"
    stored = [
        row["name"]
        for row in rows_of(folder)
        if row["case"] == case and row["kind"] == "blob" and row["npz_key"]
    ]
    kept = stored[len(stored) // 2]
    net = load(net_file_of(folder, case), weights_of(model, folder), keep=[kept])
    for _ in range(2):
        feed(net, case, np.load(folder / "golden.npz"))
        net.forward()
        assert compare(net, model, folder, case, folded=True, only=kept) == 1
        for output in net.outputs:
            assert compare(net, model, folder, case, folded=True, only=output) == 1
    inner = next(name for name in stored if name not in (kept, *net.inputs, *net.outputs))
    with pytest.raises(caffe.Error, match="keep"):
        np.abs(net.blobs[inner].data).sum()


@pytest.mark.parametrize("model", MODELS)
def test_every_parameter_has_the_published_value(model: str, shared: Shared) -> None:
    folder = shared(f"models/{model}")
    net = load(net_file_of(folder, cases_of(folder)[0]), weights_of(model, folder))
    compared = 0
    for row in rows_of(folder):
        if row["kind"] != "param":
            continue
        layer, index = row["name"].rsplit("[", 1)
        if layer not in net.params:  # a layer that the deploy net leaves out
            continue
        values = net.params[layer][int(index.rstrip("]"))].data.astype(np.float64)
        assert values.size == np.prod([int(n) for n in row["shape"].split("x")]), row["name"]
        assert values.sum() == pytest.approx(float(row["sum"]), rel=1e-8, abs=1e-9), row["name"]
        assert np.abs(values).sum() == pytest.approx(float(row["abs_sum"]), rel=1e-8)
        assert values.min() == pytest.approx(float(row["min"]), rel=1e-6, abs=1e-12)
        assert values.max() == pytest.approx(float(row["max"]), rel=1e-6, abs=1e-12)
        compared += 1
    assert compared == sum(len(blobs) for blobs in net.params.values())


@pytest.mark.parametrize("text", ["deploy.prototxt", "deploy_v0.prototxt", "deploy_v2.prototxt"])
def test_three_generations_of_one_net_give_one_result(text: str, shared: Shared) -> None:
    folder = shared("models/legacy/lenet_v1")
    net = load(folder / text, folder / "weights.caffemodel")
    feed(net, "digit", np.load(folder / "golden.npz"))
    net.forward()
    assert compare(net, "legacy/lenet_v1", folder, "digit", folded=False) == 7
    assert net.blobs["prob"].data[0, 0] == pytest.approx(0.9987, abs=1e-4)


def test_half_precision_weights_are_the_rounded_ones(shared: Shared) -> None:
    folder = shared("models/legacy/lpr_finemap_fp16")
    half = load(folder / "deploy.prototxt", folder / "weights_fp16.caffemodel")
    full = load(folder / "deploy.prototxt", folder / "weights_fp32.caffemodel")
    for layer, blobs in full.params.items():
        for index, blob in enumerate(blobs):
            rounded = blob.data.astype(np.float16).astype(np.float32)
            assert np.array_equal(half.params[layer][index].data, rounded), layer


@pytest.mark.parametrize("name", ["cifar10_quick_v1", "cifar10_quick_h5", "lenet_small_v2"])
def test_a_published_solver_state_is_restored(name: str, shared: Shared, tmp_path: Path) -> None:
    """The states name their weights by a path of another machine: they lie beside the state."""
    folder = shared(f"models/legacy/{name}")
    with (folder.parent / "solverstates.csv").open(newline="") as file:
        row = next(row for row in csv.DictReader(file) if row["file"].startswith(f"{name}/"))
    weights = tmp_path / Path(row["learned_net"]).name
    weights.write_bytes((folder / WEIGHTS.get(f"legacy/{name}", "weights.caffemodel")).read_bytes())
    state = tmp_path / Path(row["file"]).name
    state.write_bytes((folder / state.name).read_bytes())
    net = (folder / "deploy.prototxt").read_text()
    (tmp_path / "net.prototxt").write_text(net)
    solver_file = tmp_path / "solver.prototxt"
    solver_file.write_text(
        f'net: "{tmp_path}/net.prototxt" base_lr: 0.01 lr_policy: "fixed" momentum: 0.9'
    )
    solver = caffe.SGDSolver(str(solver_file))
    solver.restore(str(state))
    assert solver.iter == int(row["iter"])
    first = next(row for row in rows_of(folder) if row["kind"] == "param")
    layer, index = first["name"].rsplit("[", 1)
    values = solver.net.params[layer][int(index.rstrip("]"))].data
    assert values.astype(np.float64).sum() == pytest.approx(float(first["sum"]), rel=1e-8)
