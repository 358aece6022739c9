"""Classifier, Detector, and the command lines on them, on nets whose answers are known."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import caffe

# Three outputs: the mean over each channel of the input.
MEANS = """
layer { name: 'in' type: 'Input' top: 'data'
  input_param { shape { dim: 4 dim: 3 dim: 8 dim: 8 } } }
layer { name: 'pool' type: 'Pooling' bottom: 'data' top: 'pool'
  pooling_param { pool: AVE global_pooling: true } }
layer { name: 'ip' type: 'InnerProduct' bottom: 'pool' top: 'ip'
  inner_product_param { num_output: 3 bias_term: false } }
"""
SCRIPTS = Path(caffe.__file__).parents[1]


@pytest.fixture
def model(prototxt, tmp_path):
    file = prototxt(MEANS)
    net = caffe.Net(file, caffe.TEST)
    net.params["ip"][0].data[...] = np.eye(3)
    weights = str(tmp_path / "w.caffemodel")
    net.save(weights)
    return file, weights


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "picture.png"
    pixels = np.zeros((20, 30, 3), dtype=np.uint8)
    pixels[:, :, 0] = 255
    pixels[:, 15:, 2] = 51
    Image.fromarray(pixels).save(file)
    return file


def test_classifier_averages_ten_crops(model):
    classifier = caffe.Classifier(
        *model, image_dims=(12, 12), mean=np.array([1.0, 2, 3]), raw_scale=10,
        channel_swap=(2, 1, 0),
    )  # fmt: skip
    image = np.zeros((12, 12, 3))
    image[:, :, 0] = np.linspace(0, 1, 12)  # left to right
    image[0, 0] = 0.5  # (constant images are resized by another rule)
    expected = [
        crop.transpose(2, 0, 1)[[2, 1, 0]].mean(axis=(1, 2)) * 10 - [1, 2, 3]
        for crop in caffe.io.oversample([image], (8, 8))
    ]
    both = classifier.predict([image, image])
    assert both.shape == (2, 3)
    np.testing.assert_allclose(both[0], np.mean(expected, axis=0), atol=1e-4)
    centre = classifier.predict([image], oversample=False)
    np.testing.assert_allclose(centre[0], expected[4], atol=1e-4)
    assert caffe.Classifier(*model, image_dims=np.array([9, 9])).image_dims[0] == 9


def test_detector_crops_windows(model, picture):
    detector = caffe.Detector(*model)
    windows = [(0, 0, 20, 15), (0, 15, 20, 30), np.array([2, 16, 10, 20])]
    found = detector.detect_windows([(str(picture), windows)])
    assert [one["filename"] for one in found] == 3 * [str(picture)]
    assert found[1]["window"] == windows[1]
    np.testing.assert_allclose(found[0]["prediction"].ravel()[2], 0, atol=1e-5)
    # a window of one colour with values 1, 0 and 0.2; the resized border is darkened
    inside = found[2]["prediction"].ravel()
    assert 0.1 < inside[2] < 0.2 and inside[2] == pytest.approx(0.2 * inside[0], rel=1e-3)
    assert detector.detect_windows([]) == []


def test_detector_surrounds_windows_with_context(model):
    mean = np.array([10.0, 20, 30])
    detector = caffe.Detector(
        *model, mean=mean, raw_scale=100, channel_swap=(2, 1, 0), context_pad=2
    )
    np.testing.assert_allclose(detector.crop_mean[0, 0], [0.3, 0.2, 0.1], rtol=1e-6)
    # S = 8, p = 2: scale 2; window rows and columns 10..13 -> half 2, centre 12, box 8..16
    image = np.random.rand(40, 40, 3).astype(np.float32)
    crop = detector.crop(image, (10, 10, 13, 13))
    np.testing.assert_allclose(crop, caffe.io.resize_image(image[8:16, 8:16], (8, 8)), atol=1e-6)
    # at the corner: half 2, centre 2, box -2..6, full 9: pad round(2 * 8 / 9) = 2, crop 6
    corner = detector.crop(image, (0, 0, 3, 3))
    np.testing.assert_array_equal(corner[:2], detector.crop_mean[:2])
    np.testing.assert_allclose(
        corner[2:, 2:], caffe.io.resize_image(image[:6, :6], (6, 6)), atol=1e-6
    )


def run(*words: object) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, *map(str, words)],
        env={"PYTHONPATH": str(SCRIPTS), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        timeout=120,
    )


def test_classify_writes_predictions(model, picture, tmp_path):
    output = tmp_path / "out.npy"
    result = run(
        SCRIPTS / "classify.py", picture, output, "--model_def", model[0], "--pretrained_model",
        model[1], "--images_dim", "8,8", "--mean_file", "", "--channel_swap", "",
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    assert "CPU mode" in result.stdout and np.load(output).shape == (1, 3)
    folder = run(
        SCRIPTS / "classify.py", tmp_path, output, "--model_def", model[0], "--pretrained_model",
        model[1], "--ext", "png", "--center_only",
    )  # fmt: skip
    assert folder.returncode == 0, folder.stderr
    assert np.load(output).shape == (1, 3)


def test_detect_reads_and_writes_csv(model, picture, tmp_path):
    windows = tmp_path / "windows.csv"
    windows.write_text(f"filename,xmin,ymin,xmax,ymax\n{picture},0,0,15,20\n{picture},15,0,30,20\n")
    output = tmp_path / "out.csv"
    result = run(
        SCRIPTS / "detect.py", windows, output, "--model_def", model[0], "--pretrained_model",
        model[1], "--crop_mode", "list", "--context_pad", 0,
    )  # fmt: skip
    assert result.returncode == 0, result.stderr
    with output.open() as lines:
        rows = list(csv.DictReader(lines))
    assert [row["xmin"] for row in rows] == ["0", "15"] and len(rows[0]) == 8
    assert float(rows[0]["class2"]) > float(rows[0]["class0"])  # BGR: red is last


def test_draw_net_upgrades_and_draws(prototxt, tmp_path):
    pytest.importorskip("pydot")
    old = prototxt("input: 'x' input_dim: 1 input_dim: 1 input_dim: 2 input_dim: 2\n"
                   "layers { name: 'r' type: RELU bottom: 'x' top: 'r' }")  # fmt: skip
    output = tmp_path / "net.raw"
    result = run(SCRIPTS / "draw_net.py", old, output, "--rankdir", "TB", "--phase", "TEST")
    assert result.returncode == 0, result.stderr
    assert "r_ReLU" in output.read_text()
