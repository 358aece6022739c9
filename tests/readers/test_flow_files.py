"""Flow files and sets of flow pairs."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from segflow.errors import DataError, MissingDataError
from segflow.flow_io import read_flo, read_flow, read_kitti_png, read_pfm, write_flo
from segflow.readers.flow_sets import open_flow_set

FLOW = np.random.default_rng(3).normal(0, 20, (3, 5, 2)).astype(np.float32)


def write_png16(path, channels):
    """A 16-bit RGB PNG, written from the format's definition (no filter, one IDAT)."""

    def chunk(kind, content):
        checksum = zlib.crc32(kind + content)
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", checksum)

    height, width = channels.shape[:2]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in channels)
    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*parts) for parts in chunks))


def write_image(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.zeros((3, 5, 3), np.uint8)).save(path)


def test_flo_has_the_bytes_of_its_definition(tmp_path):
    write_flo(tmp_path / "a.flo", FLOW)
    expected = struct.pack("<fii", 202021.25, 5, 3) + struct.pack("<30f", *FLOW.ravel())
    assert (tmp_path / "a.flo").read_bytes() == expected
    flow = read_flow(tmp_path / "a.flo")
    assert flow.dtype == np.float32
    np.testing.assert_array_equal(flow, FLOW)


def test_unknown_flow_is_nan_and_is_written_as_a_huge_number(tmp_path):
    flow = FLOW.copy()
    flow[1, 2] = np.nan
    write_flo(tmp_path / "a.flo", flow)
    stored = np.frombuffer((tmp_path / "a.flo").read_bytes(), "<f4", offset=12)
    assert np.isfinite(stored).all() and (np.abs(stored) > 1e9).sum() == 2
    np.testing.assert_array_equal(read_flo(tmp_path / "a.flo"), flow)


def test_one_unknown_component_hides_the_pixel(tmp_path):
    values = FLOW.copy()
    values[0, 0, 1] = -1.6e9
    (tmp_path / "a.flo").write_bytes(struct.pack("<4sii", b"PIEH", 5, 3) + values.tobytes())
    assert np.isnan(read_flo(tmp_path / "a.flo")).sum() == 2


def test_kitti_png_is_decoded_with_all_16_bits(tmp_path):
    channels = np.zeros((2, 3, 3), np.uint16)
    channels[0] = [[32768, 32768, 1], [32768 + 65, 32768 - 129, 1], [65535, 0, 1]]
    write_png16(tmp_path / "a.png", channels)
    flow = read_kitti_png(tmp_path / "a.png")
    expected = [[0, 0], [65 / 64, -129 / 64], [32767 / 64, -512]]
    np.testing.assert_array_equal(flow[0], np.array(expected, np.float32))
    assert np.isnan(flow[1]).all(), "no ground truth where the third channel is 0"


@pytest.mark.parametrize("order, scale", [("<", "-1.0"), (">", "1.0")])
def test_pfm_rows_run_from_the_bottom_in_the_order_of_the_scale_s_sign(tmp_path, order, scale):
    values = np.arange(2 * 3 * 3, dtype=np.float32).reshape(2, 3, 3)
    content = f"PF\n3 2\n{scale}\n".encode() + values[::-1].astype(order + "f4").tobytes()
    (tmp_path / "a.pfm").write_bytes(content)
    np.testing.assert_array_equal(read_pfm(tmp_path / "a.pfm"), values)
    np.testing.assert_array_equal(read_flow(tmp_path / "a.pfm"), values[:, :, :2])


def test_pfm_of_one_channel_is_two_dimensional_and_no_flow(tmp_path):
    (tmp_path / "a.pfm").write_bytes(b"Pf\n2 1\n-1\n" + struct.pack("<2f", 1, 2))
    np.testing.assert_array_equal(read_pfm(tmp_path / "a.pfm"), [[1, 2]])
    with pytest.raises(DataError, match="three channels"):
        read_flow(tmp_path / "a.pfm")


def test_bad_flow_files_are_refused_by_name(tmp_path):
    write_image(tmp_path / "eight.png")
    whole = struct.pack("<4sii", b"PIEH", 5, 3) + FLOW.tobytes()
    contents = {
        "magic.flo": (b"HEIP" + whole[4:], "begins with"),
        "header.flo": (whole[:9], "truncated"),
        "short.flo": (whole[:-1], "truncated, 131 bytes; 5x3 needs 132"),
        "negative.flo": (struct.pack("<4sii", b"PIEH", -5, 3), "size -5x3"),
        "text.pfm": (b"hello\n1\n1\n1\n", "not a .pfm"),
        "size.pfm": (b"PF\n1 x\n1\n", "bad .pfm header"),
        "short.pfm": (b"PF\n2 2\n-1\nabc", "truncated"),
        "text.png": (b"hello", "not a PNG"),
        "eight.png": ((tmp_path / "eight.png").read_bytes(), "16-bit"),
        "a.mat": (b"", "flow files end in"),
    }
    for name, (content, words) in contents.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=words) as caught:
            read_flow(tmp_path / name)
        assert name in str(caught.value)
    with pytest.raises(MissingDataError, match="absent.flo"):
        read_flow(tmp_path / "absent.flo")
    with pytest.raises(DataError, match=r"\(3, 5\)"):
        write_flo(tmp_path / "bad.flo", FLOW[:, :, 0])


def write_flying_chairs(folder, numbers):
    for number in numbers:
        write_image(folder / f"{number:05d}_img1.ppm")
        write_image(folder / f"{number:05d}_img2.ppm")
        write_flo(folder / f"{number:05d}_flow.flo", FLOW + number)


def test_flying_chairs_layout_is_found_with_its_split(tmp_path):
    write_flying_chairs(tmp_path / "data", [1, 2, 4])
    (tmp_path / "split.txt").write_text("1\n2\n1\n1\n")
    names = [pair.name for pair in open_flow_set(tmp_path).pairs]
    assert names == ["data/00001", "data/00002", "data/00004"]
    train = open_flow_set(tmp_path, tmp_path / "split.txt", "train").pairs
    val = open_flow_set(tmp_path, tmp_path / "split.txt", "val").pairs
    assert [p.name for p in train] == ["data/00001", "data/00004"]
    assert [p.name for p in val] == ["data/00002"]
    np.testing.assert_array_equal(val[0].flow(), FLOW + 2)


def write_pair_folder(folder, flow="flo"):
    write_image(folder / "img0.png")
    write_image(folder / "img1.jpg")
    if flow == "flo":
        write_flo(folder / "flow.flo", FLOW)
    else:
        write_png16(folder / "flow.png", np.full((3, 5, 3), 32768 + 64, np.uint16))


def test_pair_folders_are_found_with_either_flow_file(tmp_path):
    write_pair_folder(tmp_path / "b/y")
    write_pair_folder(tmp_path / "a/x", "png")
    flow_set = open_flow_set(tmp_path)
    assert [pair.name for pair in flow_set.pairs] == ["a/x", "b/y"]
    assert [pair.name for pair in flow_set.named("b")] == ["b/y"]
    image0, image1 = flow_set.pairs[0].images()
    assert image0.shape == image1.shape == (3, 5, 3)
    np.testing.assert_array_equal(flow_set.pairs[0].flow(), np.ones((3, 5, 2)))
    assert [pair.name for pair in open_flow_set(tmp_path / "a/x").pairs] == ["x"]


def test_incomplete_and_absent_pairs_are_named(tmp_path):
    write_pair_folder(tmp_path / "a/x")
    write_pair_folder(tmp_path / "a/y")
    write_flying_chairs(tmp_path / "chairs", [1])
    (tmp_path / "a/y/flow.flo").unlink()
    (tmp_path / "chairs/00001_img2.ppm").unlink()
    (tmp_path / "pairs.csv").write_text("set,pair\na,x\na,y\na,z\n")
    flow_set = open_flow_set(tmp_path)
    assert [pair.name for pair in flow_set.pairs] == ["a/x"]
    assert set(flow_set.missing) == {"a/y (flow)", "chairs/00001 (00001_img2)", "a/z"}


def test_frames_of_different_size_and_folders_without_pairs_are_refused(tmp_path):
    write_pair_folder(tmp_path / "a")
    Image.fromarray(np.zeros((3, 4, 3), np.uint8)).save(tmp_path / "a/img1.jpg")
    with pytest.raises(DataError, match="img1.jpg: frame of 4x3, img0.png has 5x3"):
        open_flow_set(tmp_path).pairs[0].images()
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no flow pairs"):
        open_flow_set(tmp_path / "empty")


def test_shared_flow_sets_have_the_statistics_of_their_table(shared):
    import csv

    root = shared("data/flow")
    with (root / "pairs.csv").open() as file:
        rows = {f"{row['set']}/{row['pair']}": row for row in csv.DictReader(file)}
    flow_set = open_flow_set(root)
    assert flow_set.missing == () and {pair.name for pair in flow_set.pairs} == set(rows)
    for pair in flow_set.pairs:
        row, flow = rows[pair.name], pair.flow()
        assert flow.shape == (int(row["height"]), int(row["width"]), 2)
        magnitude = np.linalg.norm(flow, axis=2)
        valid = np.isfinite(magnitude)
        assert valid.mean() == pytest.approx(float(row["valid_fraction"]), abs=1e-4)
        assert magnitude[valid].mean() == pytest.approx(float(row["mean_magnitude"]), abs=0.01)
        assert magnitude[valid].max() == pytest.approx(float(row["max_magnitude"]), abs=0.01)


def test_shared_flo_file_is_written_back_bit_for_bit(shared, tmp_path):
    original = shared("data/flow/flyingchairs/0000001/flow.flo")
    write_flo(tmp_path / "copy.flo", read_flo(original))
    assert (tmp_path / "copy.flo").read_bytes() == original.read_bytes()
