"""A SegFlow with few channels, all else as published, learns two pairs of frames by heart.

The alternating training in small: first the masks, with the flow trunk frozen, then the flow,
with the segmentation branch frozen.
"""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tiny_sets

caffe = pytest.importorskip("caffe", exc_type=ImportError)

from google.protobuf import text_format  # noqa: E402

from segflow.inference.networks import read_net  # noqa: E402
from segflow.training.start_weights import upsampling_surgery  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
NARROWER = 16  # of 64 to 2048 channels remain 4 to 128
HEIGHT, WIDTH = 48, 64
SHIFTS = ((3.0, -2.0), (-4.0, 1.0))  # (u, v) of the two pairs, pixels
SOLVER = """net: "{}" type: "Adam" base_lr: 0.003 lr_policy: "fixed" momentum: 0.9
momentum2: 0.999 max_iter: 1000 random_seed: 5 clip_gradients: 100
"""


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with the nets of all stages for small frames."""
    folder = tmp_path_factory.mktemp("narrow")
    size = ["--height", str(HEIGHT), "--width", str(WIDTH), "--output", str(folder)]
    command = [sys.executable, str(ROOT / "prototxt" / "generate.py"), "--net", "segflow", *size]
    subprocess.run([*command, "--no-ablations"], check=True, capture_output=True)
    return folder / "segflow"


def narrow_solver(published: Path, stage: str, inputs: dict[str, np.ndarray]) -> Any:
    """A solver of the stage's net with fewer channels and Input layers that hold `inputs`."""
    net = read_net(published / f"{stage}.prototxt")
    narrow = type(net)(name=net.name)
    for name, values in inputs.items():
        data = narrow.layer.add(name=name, type="Input", top=[name])
        data.input_param.shape.add(dim=values.shape)
    for layer in net.layer:
        if layer.type == "Python":
            continue
        new = narrow.layer.add()
        new.CopyFrom(layer)
        if new.convolution_param.num_output >= NARROWER:
            new.convolution_param.num_output //= NARROWER
        if new.type == "Convolution" or not new.name.startswith("upscore"):
            new.convolution_param.weight_filler.type = "msra"
        if new.type not in ("Convolution", "Deconvolution"):
            new.ClearField("convolution_param")
    file = published / f"narrow_{stage}.prototxt"
    file.write_text(text_format.MessageToString(narrow))
    solver_file = published / f"narrow_solver_{stage}.prototxt"
    solver_file.write_text(SOLVER.format(file))
    solver = caffe.get_solver(str(solver_file))
    for name, values in inputs.items():
        solver.net.blobs[name].data[...] = values
    return solver


def start_as_trained_nets_do(net: Any) -> None:
    """Statistics of unit variance, residual branches that begin small, bilinear upsampling."""
    for name, blobs in net.params.items():
        if name.startswith("bn"):
            blobs[1].data[...] = blobs[2].data[...] = 1
        if name.startswith("scale") and name.endswith("branch2c"):
            blobs[0].data[...] = 0.2
    net.params["scale_conv1"][0].data[...] = 0.01  # frames have values up to 150
    assert upsampling_surgery(net, "upscore")


def two_pairs() -> dict[str, np.ndarray]:
    """Frames (2, 3, H, W), masks (2, 1, H, W) and flow (2, 2, H, W) of two moving textures."""
    first, second, masks, flows = [], [], [], []
    for seed, (u, v) in enumerate(SHIFTS):
        mask = tiny_sets.disc(HEIGHT + 20, WIDTH + 20, (34 + 9 * seed, 36), 13)
        large = tiny_sets.object_picture(seed, mask)
        for frames, (x, y) in ((first, (10, 10)), (second, (10 - int(u), 10 - int(v)))):
            frames.append(large[y : y + HEIGHT, x : x + WIDTH, ::-1].transpose(2, 0, 1) - 115.0)
        masks.append(mask[None, 10 : 10 + HEIGHT, 10 : 10 + WIDTH])
        flows.append(np.broadcast_to(np.array([u, v])[:, None, None], (2, HEIGHT, WIDTH)))
    arrays = {"data": first, "data2": second, "label": masks, "flow": flows}
    return {name: np.array(values, np.float32) for name, values in arrays.items()}


def moved(net: Any, before: dict[str, list[np.ndarray]]) -> set[str]:
    """The layers one of whose parameters differs from `before`."""
    return {
        name
        for name, blobs in net.params.items()
        if any(not np.array_equal(b.data, old) for b, old in zip(blobs, before[name], strict=True))
    }


def copies(net: Any) -> dict[str, list[np.ndarray]]:
    return {name: [blob.data.copy() for blob in blobs] for name, blobs in net.params.items()}


@pytest.mark.slow
def test_two_pairs_are_learned_by_heart_branch_by_branch(published: Path) -> None:
    pairs = two_pairs()
    frames = {name: pairs[name] for name in ("data", "data2")}
    weight = {"label": pairs["label"], "weight": np.ones_like(pairs["label"])}
    masks = narrow_solver(published, "train_seg", frames | weight)
    start_as_trained_nets_do(masks.net)
    start = copies(masks.net)
    masks.step(1)
    loss = float(masks.net.blobs["loss"].data)
    masks.step(120)
    assert float(masks.net.blobs["loss"].data) < 0.35 * loss
    wrong = masks.net.blobs["score"].data.argmax(axis=1) != pairs["label"][:, 0]
    assert wrong.mean() < 0.5 * pairs["label"].mean()
    assert "conv6" not in moved(masks.net, start)
    assert {"res5c_branch2c", "score_res3_con"} <= moved(masks.net, start)

    flow = narrow_solver(published, "train_flow", frames | {"flow": pairs["flow"]})
    for name, blobs in flow.net.params.items():
        for mine, theirs in zip(blobs, masks.net.params[name], strict=True):
            mine.data[...] = theirs.data
    start = copies(flow.net)
    flow.step(1)
    error_px = float(flow.net.blobs["end_point_error"].data)
    flow.step(40)
    assert float(flow.net.blobs["end_point_error"].data) < 0.3 * error_px
    learned = moved(flow.net, start)
    assert {"conv6", "score_res3_con_flow"} <= learned
    assert not {name for name in learned if name.startswith(("res", "bn", "scale"))}
