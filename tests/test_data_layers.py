"""The data layers of python_layers/, driven as the engine drives them."""

import importlib
import json
import os
import random
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tiny_sets import texture, write_davis, write_flow, write_stills

from segflow.errors import DataError, UsageError
from segflow.samples.published_pairs import (
    SIZE,
    Change,
    DrawRules,
    Schedule,
    balance_weight,
    changed,
)

LAYERS = Path(__file__).resolve().parents[1] / "python_layers"
MEAN = (104.007, 116.669, 122.679)


class FakeBlob:
    """What a layer sees of a top."""

    def __init__(self):
        self.data = np.zeros((0,), np.float32)
        self.reshapes = 0

    def reshape(self, *shape):
        self.reshapes += 1
        self.data = np.zeros(shape, np.float32)


class Running:
    """A layer set up and reshaped once, as by a net."""

    def __init__(self, layer, tops: int, param_str: str, bottoms: int = 0):
        self.layer, self.top = layer, [FakeBlob() for _ in range(tops)]
        self.bottom = [FakeBlob() for _ in range(bottoms)]
        layer.param_str, layer.phase = param_str, 0
        layer.setup(self.bottom, self.top)
        layer.reshape(self.bottom, self.top)

    def forward(self) -> list[np.ndarray]:
        self.layer.reshape(self.bottom, self.top)
        self.layer.forward(self.bottom, self.top)
        return [blob.data.copy() for blob in self.top]


@pytest.fixture
def open_layer(monkeypatch):
    """open_layer(module, class) with a stand-in for caffe.Layer; layers are closed at the end."""
    stand_in = types.ModuleType("caffe")
    stand_in.Layer = type("Layer", (), {})  # type: ignore[attr-defined]
    stand_in.solver_count = lambda: 1
    monkeypatch.setitem(sys.modules, "caffe", stand_in)
    monkeypatch.syspath_prepend(str(LAYERS))
    names = [path.stem for path in LAYERS.glob("*.py")]
    for name in names:
        monkeypatch.delitem(sys.modules, name, raising=False)
    opened = []

    def make(module: str, name: str, tops: int, param_str: str, bottoms: int = 0) -> Running:
        layer = getattr(importlib.import_module(module), name)()
        opened.append(layer)
        return Running(layer, tops, param_str, bottoms)

    yield make
    for layer in opened:
        if hasattr(layer, "_feed"):
            layer._feed.close()
    for name in names:
        sys.modules.pop(name, None)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    return {
        "davis": write_davis(folder / "davis"),
        "stills": write_stills(folder / "stills"),
        "flow": write_flow(folder / "flow"),
    }


def davis_layer(open_layer, roots, **more):
    settings = {
        "davis_dir": str(roots["davis"]),
        "split": "train",
        "mean": MEAN,
        "seed": 1225,
        "scale": 1,
        "with_augmentation": 1,
        "aug_params": (1000, 0.05, 5, 0.05, 0.05, 1),
        **more,
    }
    name = ("SegFlow_davis_fgbg_data_layer", "SegFlowDAVISFgBgDataLayer")
    return open_layer(*name, 4, repr(settings))


def mixed_layer(open_layer, roots, tops=5, **more):
    settings = {
        "davis_dir": str(roots["davis"]),
        "stills_dir": str(roots["stills"]),
        "flow_dir": str(roots["flow"]),
        "height": 32,
        "width": 48,
        "batch_size": 3,
        "seed": 7,
        **more,
    }
    return open_layer("training_sample_data_layer", "TrainingSampleDataLayer", tops, repr(settings))


# the published layer


def test_published_layer_fills_four_tops_of_the_published_shapes(open_layer, roots):
    data, data2, label, weight = davis_layer(open_layer, roots).forward()
    assert data.shape == data2.shape == (1, 3, 480, 854)
    assert label.shape == weight.shape == (1, 480, 854)
    assert set(np.unique(label)) == {0, 1}
    bright = data[0].mean(axis=0) > 0
    assert (bright == (label[0] > 0)).mean() > 0.97


def test_published_weight_is_the_share_of_the_other_class():
    label = np.zeros((10, 20), np.uint8)
    label[:3] = 1
    weight = balance_weight(label)
    np.testing.assert_allclose(weight[label == 1], 1 - 60 / 200)
    np.testing.assert_allclose(weight[label == 0], 60 / 200)
    assert not balance_weight(np.zeros((4, 4), np.uint8)).any()


def test_published_draws_follow_the_order_of_the_facts():
    """segflow.md 3.2, written out once more with Python 2's randint."""
    clips = ["a"] * 6 + ["b"] * 5
    generator = random.Random(1225)

    def integer(low, high):
        return low + int(generator.random() * (high - low + 1))

    integer(0, 10)
    schedule = Schedule(clips, DrawRules(1225, aug_params=(3, 0.05, 5, 0.05, 0.1, 1)))
    plain = 0
    for number in range(200):
        index = integer(0, 10)
        while index == 10:
            index = integer(0, 10)
        second = index + 1
        if second == 10:
            second = index
        if clips[second] != clips[index]:
            second = index
        choice = schedule.choice(number)
        assert (choice.first, choice.second) == (index, second)
        if integer(0, 3) == 0:
            assert choice.change is None
            plain += 1
            continue
        scale = (2 * generator.random() - 1) * 0.05
        angle = (2 * generator.random() - 1) * 5
        trans_w = int((2 * generator.random() - 1) * 0.05 * 854)
        trans_h = int((2 * generator.random() - 1) * 0.1 * 480)
        assert choice.change == Change(scale, angle, (trans_w, trans_h), integer(0, 1) > 0)
    assert 20 < plain < 90


def test_published_draws_can_be_asked_for_again_from_any_point():
    clips = ["a"] * 20
    one, other = (Schedule(clips, DrawRules(3)) for _ in range(2))
    forward = [one.choice(i) for i in range(600)]
    assert other.choice(599) == forward[599]
    assert other.choice(5) == forward[5] and other.choice(450) == forward[450]


def test_published_layer_in_order_wraps_before_the_last_frame():
    rules = DrawRules(0, randomize=False, with_augmentation=False)
    schedule = Schedule(["a"] * 4, rules)
    pairs = [(c.first, c.second) for c in map(schedule.choice, range(5))]
    assert pairs == [(0, 1), (1, 2), (2, 2), (0, 1), (1, 2)]


def test_published_change_shifts_turns_and_mirrors():
    height, width = SIZE
    picture = np.zeros((height, width), np.uint8)
    picture[100:110, 200:210] = 1

    def centre(change):
        nearest = Image.Resampling.NEAREST
        seen = np.asarray(changed(Image.fromarray(picture), change, nearest, False))
        assert seen.shape == SIZE
        ys, xs = np.nonzero(seen)
        return xs.mean(), ys.mean()

    assert centre(Change(0, 0, (30, -20), False)) == (174.5, 124.5)
    assert centre(Change(0, 0, (0, 0), True)) == (853 - 204.5, 104.5)
    # counter-clockwise about the centre: a point left of and above it goes left and down
    x, y = centre(Change(0, 90, (0, 0), False))
    assert x == pytest.approx(427 - (240 - 104.5), abs=1) and y == pytest.approx(240 + 222.5, abs=1)


def test_published_scale_grows_but_never_shrinks_unless_asked():
    picture = Image.fromarray(np.full(SIZE, 1, np.uint8))
    nearest = Image.Resampling.NEAREST
    shrunk = Change(-0.05, 0, (0, 0), False)
    assert np.asarray(changed(picture, shrunk, nearest, False)).all()
    true_scale = np.asarray(changed(picture, shrunk, nearest, True))
    assert true_scale.mean() == pytest.approx(0.95**2, abs=0.01) and not true_scale[0].any()
    spot = np.zeros(SIZE, np.uint8)
    spot[200:280, 400:454] = 1
    grown = changed(Image.fromarray(spot), Change(0.05, 0, (0, 0), False), nearest, False)
    assert np.asarray(grown).sum() == pytest.approx(80 * 54 * 1.05**2, rel=0.04)


def test_published_frames_and_label_change_alike(open_layer, roots):
    layer = davis_layer(open_layer, roots, aug_params=(1000, 0.3, 30, 0.2, 0.2, 1))
    for _ in range(4):
        data, data2, label, _ = layer.forward()
        shown = data[0] > np.reshape((30, 30, 30), (3, 1, 1)) - np.reshape(MEAN, (3, 1, 1))
        assert (label[0][~shown.all(axis=0)] == 0).all()  # black fill is background
        assert ((data[0].mean(axis=0) > 0) == (label[0] > 0)).mean() > 0.97
        black = (data2[0] + np.reshape(MEAN, (3, 1, 1))).sum(axis=0) < 1
        assert (black == ((data[0] + np.reshape(MEAN, (3, 1, 1))).sum(axis=0) < 1)).all()


# all layers


@pytest.mark.parametrize("stage, tops", [("segmentation", 4), ("flow", 3), ("joint", 5)])
def test_mixed_layer_fills_the_tops_of_its_stage(stage, tops, open_layer, roots):
    arrays = mixed_layer(open_layer, roots, tops, stage=stage).forward()
    channels = {"segmentation": (3, 3, 1, 1), "flow": (3, 3, 2), "joint": (3, 3, 1, 1, 2)}[stage]
    assert [array.shape for array in arrays] == [(3, c, 32, 48) for c in channels]
    assert np.isfinite(arrays[0]).all() and arrays[0].std() > 5


def test_flow_layer_stretches_frames_and_flow(open_layer, roots):
    settings = {
        "flow_dir": str(roots["flow"]),
        "height": 180,
        "width": 140,
        "randomize": 0,
        "with_augmentation": 0,
    }
    layer = open_layer("flow_pair_data_layer", "FlowPairDataLayer", 3, repr(settings))
    data, data2, flow = layer.forward()
    assert data.shape == (1, 3, 180, 140) and flow.shape == (1, 2, 180, 140)
    known = np.isfinite(flow[0, 0])
    assert 0.9 < known.mean() < 1
    np.testing.assert_allclose(flow[0, 0][known], 5, atol=1e-3)  # 140 wide as the pictures
    np.testing.assert_allclose(flow[0, 1][known], -6, atol=1e-3)  # twice as high
    moved = np.roll(data2, (6, -5), (2, 3))
    assert np.abs(moved - data)[0, :, 12:-12, 12:-12].mean() < 1
    _, _, flow = layer.forward()
    assert np.nanmean(flow[0, 0]) == pytest.approx(-4, abs=1e-3)


@pytest.mark.parametrize("open_one", [davis_layer, mixed_layer])
def test_one_seed_gives_one_sequence_and_resumes_anywhere(open_one, open_layer, roots):
    first = open_one(open_layer, roots)
    seen = [first.forward() for _ in range(2)]
    state = json.loads(json.dumps(first.layer.get_state()))
    seen += [first.forward() for _ in range(2)]
    again = open_one(open_layer, roots)
    resumed = open_one(open_layer, roots)
    resumed.forward()
    resumed.layer.set_state(state)
    for wanted in seen:
        for a, b in zip(wanted, again.forward(), strict=True):
            np.testing.assert_array_equal(a, b)
    for wanted in seen[2:]:
        for a, b in zip(wanted, resumed.forward(), strict=True):
            np.testing.assert_array_equal(a, b)
    other = open_one(open_layer, roots, seed=99)
    assert any(not np.array_equal(a, b) for a, b in zip(seen[0], other.forward(), strict=True))


def test_further_reshapes_skip_no_sample(open_layer, roots):
    one, other = (mixed_layer(open_layer, roots) for _ in range(2))
    one.forward()
    other.forward()
    for _ in range(3):
        other.layer.reshape(other.bottom, other.top)
    np.testing.assert_array_equal(one.forward()[0], other.forward()[0])


def test_state_of_another_seed_is_refused(open_layer, roots):
    state = mixed_layer(open_layer, roots).layer.get_state()
    with pytest.raises(DataError, match="same data, seed and batch size"):
        mixed_layer(open_layer, roots, seed=8).layer.set_state(state)


def test_layer_without_a_seed_resumes_with_the_seed_that_it_drew(open_layer, roots):
    first = davis_layer(open_layer, roots, seed=None)
    state = first.layer.get_state()
    resumed = davis_layer(open_layer, roots, seed=None)
    resumed.layer.set_state(state)
    np.testing.assert_array_equal(first.forward()[0], resumed.forward()[0])


def test_unreadable_frame_is_an_error_in_the_forward_that_needs_it(open_layer, tmp_path):
    root = write_davis(tmp_path / "davis")
    for file in (root / "JPEGImages/480p").glob("*/*.png"):
        file.write_bytes(b"not a picture")
    layer = davis_layer(open_layer, {"davis": root})
    with pytest.raises(DataError, match="not a readable image"):
        layer.forward()
    Image.fromarray(texture(0, 60, 104)).save(tmp_path / "good.png")
    for file in (root / "JPEGImages/480p").glob("*/*.png"):
        file.write_bytes((tmp_path / "good.png").read_bytes())
    assert layer.forward()[0].std() > 5


@pytest.mark.parametrize(
    "more, words",
    [
        ({"sead": 1}, "SegFlowDAVISFgBgDataLayer: .*'sead'; did you mean 'seed'"),
        ({"split": "val"}, "ImageSets/480p/val.txt: no such list"),
        ({"aug_params": (1, 2)}, "aug_params: want"),
        ({"mean": (1, 2)}, "mean: want the three"),
        ({"image_filter": "cubic"}, "nearest, bilinear"),
    ],
)
def test_wrong_settings_of_the_published_layer_are_refused(more, words, open_layer, roots):
    with pytest.raises(DataError, match=words):
        davis_layer(open_layer, roots, **more)


@pytest.mark.parametrize("tops, bottoms, words", [(3, 0, "4 tops are wanted"), (4, 1, "no bottom")])
def test_wrong_tops_and_bottoms_are_refused(tops, bottoms, words, open_layer, roots):
    settings = {
        "davis_dir": str(roots["davis"]),
        "split": "train",
        "mean": MEAN,
        "aug_params": (1000, 0.05, 5, 0.05, 0.05, 1),
    }
    with pytest.raises(UsageError, match=words):
        open_layer(
            "segflow_davis_pair_layer", "SegFlowDavisPairLayer", tops, repr(settings), bottoms
        )


def test_wrong_stage_or_folder_of_the_mixed_layer_is_refused(open_layer, roots):
    with pytest.raises(UsageError, match="stage 'mask'"):
        mixed_layer(open_layer, roots, stage="mask")
    with pytest.raises(DataError, match="nowhere: no such folder"):
        mixed_layer(open_layer, roots, flow_dir="nowhere")


def test_layer_feeds_a_net_of_the_engine(tmp_path):
    """In a process of its own, since the other tests put a stand-in where caffe is."""
    param = "{'height': 32, 'width': 48, 'batch_size': 2, 'seed': 7}"
    (tmp_path / "net.prototxt").write_text(
        'layer { name: "data" type: "Python" top: "data" top: "data2" top: "label" top: "weight" '
        'top: "flow" python_param { module: "training_sample_data_layer" '
        f'layer: "TrainingSampleDataLayer" param_str: "{param}" }} }}'
    )
    script = (
        "import sys\n"
        "try:\n    import caffe; caffe.Net\n"
        "except (ImportError, AttributeError):\n    sys.exit(77)\n"
        "import numpy as np\n"
        "net = caffe.Net(sys.argv[1], caffe.TRAIN)\n"
        "sums = []\n"
        "for _ in range(2):\n"
        "    net.forward()\n"
        "    sums.append(float(np.abs(net.blobs['data'].data).sum()))\n"
        "assert net.blobs['flow'].data.shape == (2, 2, 32, 48), net.blobs['flow'].data.shape\n"
        "assert np.isfinite(net.blobs['flow'].data).all() and sums[0] != sums[1] > 0\n"
    )
    paths = [str(LAYERS.parent), str(LAYERS.parent / "caffe" / "python")]
    run = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "net.prototxt")],
        env={
            **os.environ,
            "CAFFE_PYTHON_LAYERS": str(LAYERS),
            "PYTHONPATH": os.pathsep.join([os.environ.get("PYTHONPATH", ""), *paths]),
        },
        capture_output=True,
        text=True,
        timeout=120,
    )
    if run.returncode == 77:
        pytest.skip("pycaffe is not built")
    assert run.returncode == 0, run.stderr
