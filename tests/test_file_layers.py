"""Reader and writer layers against Pillow's and the package's own readers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

caffe = pytest.importorskip("caffe", exc_type=ImportError)

from segflow.flow_io import read_flo, read_pfm  # noqa: E402

if "ImgReader" not in caffe.layer_type_list():
    pytest.skip("this caffe was built before the reader layers", allow_module_level=True)

RGB = np.random.default_rng(4).integers(0, 256, (5, 7, 3), np.uint8)


def net_of(folder: Path, text: str) -> Any:
    path = folder / "net.prototxt"
    path.write_text(text)
    return caffe.Net(str(path), caffe.TEST)


def read_by_layer(folder: Path, image: Path) -> np.ndarray:
    """What ImgReader makes of a file, as (H, W, 3) RGB."""
    text = f"layer {{ name: 'i' type: 'ImgReader' top: 'x' reader_param {{ file: '{image}' }} }}"
    blob = net_of(folder, text).forward()["x"]
    assert blob.shape[:2] == (1, 3)
    return blob[0, ::-1].transpose(1, 2, 0)


@pytest.mark.parametrize("kind", ["rgb", "grey", "palette", "transparent", "interlaced"])
def test_png_of_every_kind_is_read_as_pillow_reads_it(tmp_path: Path, kind: str) -> None:
    image = Image.fromarray(RGB)
    if kind == "grey":
        image = image.convert("L")
    elif kind == "palette":
        image = image.convert("P", palette=Image.Palette.ADAPTIVE)
    elif kind == "transparent":
        image.putalpha(Image.fromarray(RGB[:, :, 0]))
    image.save(tmp_path / "i.png", interlace=kind == "interlaced")
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(read_by_layer(tmp_path, tmp_path / "i.png"), expected)


def test_sixteen_bit_png_keeps_its_upper_bits(tmp_path: Path) -> None:
    grey = np.array([[0, 257 * 100, 65535]], np.uint16)
    Image.fromarray(grey).save(tmp_path / "i.png")
    expected = np.repeat([[0, 100, 255]], 3, 0).T[None]
    np.testing.assert_array_equal(read_by_layer(tmp_path, tmp_path / "i.png"), expected)


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("progressive", [False, True])
def test_jpeg_is_read_as_pillow_reads_it(tmp_path: Path, mode: str, progressive: bool) -> None:
    rows, columns = np.mgrid[:40, :50]
    smooth = np.stack([3 * rows, 4 * columns, 2 * rows + 2 * columns], -1).astype(np.uint8)
    path = tmp_path / "named.wrongly.png"  # the content tells the format
    image = Image.fromarray(smooth).convert(mode)
    image.save(path, format="JPEG", quality=90, progressive=progressive)
    expected = np.asarray(Image.open(path).convert("RGB"), int)
    # Two builds of libjpeg may round differently.
    assert np.abs(read_by_layer(tmp_path, path) - expected).max() <= 2


@pytest.mark.parametrize("name", ["i.png", "i.jpg"])
def test_image_that_is_cut_off_is_refused_by_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    Image.fromarray(np.tile(RGB, (20, 20, 1))).save(path)
    path.write_bytes(path.read_bytes()[:-3000])
    with pytest.raises(caffe.Error, match=name):
        read_by_layer(tmp_path, path)


def test_flow_written_by_the_layer_is_read_back(tmp_path: Path) -> None:
    net = net_of(
        tmp_path,
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { "
        "dim: 2 dim: 2 dim: 3 dim: 4 } } } layer { name: 'w' type: 'FLOWriter' bottom: 'x' "
        f"writer_param {{ folder: '{tmp_path}/out' prefix: 'net-pred-' }} }}",
    )
    flow = np.random.default_rng(1).normal(0, 20, (2, 2, 3, 4)).astype(np.float32)
    net.blobs["x"].data[...] = flow
    net.forward()
    net.forward()
    for iteration in range(2):
        for item in range(2):
            path = tmp_path / "out" / f"net-pred-{iteration:07d}({item:03d}).flo"
            np.testing.assert_array_equal(read_flo(path), flow[item].transpose(1, 2, 0))


def test_disparity_written_by_the_layer_is_read_back_negated(tmp_path: Path) -> None:
    net = net_of(
        tmp_path,
        "layer { name: 'x' type: 'Input' top: 'x' input_param { shape { "
        "dim: 1 dim: 1 dim: 3 dim: 4 } } } layer { name: 'w' type: 'PFMWriter' bottom: 'x' "
        f"writer_param {{ file: '{tmp_path}/d.pfm' }} }}",
    )
    disparity = np.random.default_rng(1).normal(0, 20, (3, 4)).astype(np.float32)
    net.blobs["x"].data[...] = disparity
    net.forward()
    np.testing.assert_array_equal(read_pfm(tmp_path / "d.pfm"), -disparity)
