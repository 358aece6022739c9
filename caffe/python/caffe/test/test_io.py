"""caffe.io: messages, images, and the Transformer."""

import numpy as np
import pytest
from PIL import Image

import caffe
from caffe.proto import caffe_pb2


def test_a_blobproto_of_either_shape_form():
    legacy = caffe_pb2.BlobProto(num=1, channels=3, height=2, width=2, data=range(12))
    assert caffe.io.blobproto_to_array(legacy).shape == (1, 3, 2, 2)
    current = caffe_pb2.BlobProto(data=range(12), diff=range(12, 24))
    current.shape.dim.extend([3, 2, 2])
    np.testing.assert_array_equal(
        caffe.io.blobproto_to_array(current), np.arange(12).reshape(3, 2, 2)
    )
    assert caffe.io.blobproto_to_array(current, return_diff=True)[0, 0, 0] == 12
    current.shape.dim.append(2)
    with pytest.raises(ValueError):
        caffe.io.blobproto_to_array(current)


def test_a_scalar_blobproto_and_one_of_doubles():
    scalar = caffe_pb2.BlobProto(data=[3])
    scalar.shape.SetInParent()
    assert caffe.io.blobproto_to_array(scalar).shape == ()
    doubles = caffe_pb2.BlobProto(double_data=[1 / 3, 2])
    doubles.shape.dim.append(2)
    assert caffe.io.blobproto_to_array(doubles)[0] == 1 / 3


def test_arrays_go_round_through_a_vector():
    arrays = [np.random.randn(2, 3), np.arange(4.0), np.float64(2)]
    back = caffe.io.blobprotovector_str_to_arraylist(
        caffe.io.arraylist_to_blobprotovector_str(arrays)
    )
    for before, after in zip(arrays, back, strict=True):
        np.testing.assert_allclose(after, before, rtol=1e-6)
    blob = caffe.io.array_to_blobproto(np.ones((2, 2)), diff=np.zeros((2, 2)))
    assert list(blob.diff) == [0, 0, 0, 0]


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.int64])
def test_a_datum_goes_round(dtype):
    array = np.random.randint(0, 200, (3, 4, 5)).astype(dtype)
    datum = caffe.io.array_to_datum(array, label=7)
    assert datum.label == 7 and (datum.channels, datum.height, datum.width) == (3, 4, 5)
    back = caffe.io.datum_to_array(datum)
    np.testing.assert_array_equal(back, array)
    assert back.dtype == (np.uint8 if dtype == np.uint8 else np.float64)
    assert not caffe.io.array_to_datum(array).HasField("label")


def test_a_datum_wants_three_axes():
    with pytest.raises(ValueError, match="Incorrect array shape."):
        caffe.io.array_to_datum(np.zeros((2, 2)))


@pytest.mark.parametrize(
    ("mode", "colour", "rgb"),
    [
        ("RGB", (255, 51, 0), (1, 0.2, 0)),
        ("RGBA", (255, 51, 0, 9), (1, 0.2, 0)),
        ("L", 51, (0.2, 0.2, 0.2)),
        ("LA", (51, 9), (0.2, 0.2, 0.2)),
        ("I;16", 13107, (0.2, 0.2, 0.2)),
        ("1", 1, (1, 1, 1)),
    ],
)
def test_load_image(tmp_path, mode, colour, rgb):
    file = tmp_path / "image.png"
    Image.new(mode, (4, 3), colour).save(file)
    image = caffe.io.load_image(str(file))
    assert image.shape == (3, 4, 3) and image.dtype == np.float32
    np.testing.assert_allclose(image[0, 0], rgb, atol=1e-4)
    grey = caffe.io.load_image(file, color=False)
    assert grey.shape == (3, 4, 1) and grey.dtype == np.float32
    np.testing.assert_allclose(
        grey[0, 0, 0], 0.2125 * rgb[0] + 0.7154 * rgb[1] + 0.0721 * rgb[2], atol=1e-4
    )


def test_load_image_of_a_palette(tmp_path):
    image = Image.new("P", (2, 2), 1)
    image.putpalette([0, 0, 0, 255, 0, 51] + 254 * [0, 0, 0])
    image.save(tmp_path / "p.png")
    loaded = caffe.io.load_image(tmp_path / "p.png")
    np.testing.assert_allclose(loaded[1, 1], [1, 0, 0.2], atol=1e-5)


def test_resize_image_aligns_centres_and_darkens_the_border():
    image = np.array([[0.0, 1], [2, 3]])[:, :, np.newaxis]
    expected = [
        [0, 0.1875, 0.5625, 0.5625],
        [0.375, 0.75, 1.25, 1.125],
        [1.125, 1.75, 2.25, 1.875],
        [1.125, 1.6875, 2.0625, 1.6875],
    ]
    np.testing.assert_allclose(caffe.io.resize_image(image, (4, 4))[:, :, 0], expected, atol=1e-6)


def test_resize_image_does_not_filter_when_it_shrinks():
    ramp = np.arange(16.0).reshape(4, 4, 1)
    np.testing.assert_allclose(
        caffe.io.resize_image(ramp, (2, 2))[:, :, 0], [[2.5, 4.5], [10.5, 12.5]], atol=1e-5
    )


def test_resize_image_of_two_channels_aligns_corners():
    ramp = np.zeros((2, 2, 2))
    ramp[:, :, 0] = [[0, 2], [4, 6]]
    resized = caffe.io.resize_image(ramp, (4, 4))
    np.testing.assert_allclose(resized[:, 0, 0], [0, 4 / 3, 8 / 3, 4], atol=1e-5)
    np.testing.assert_allclose(resized[:, -1, 0], [2, 10 / 3, 14 / 3, 6], atol=1e-5)


def test_resize_image_of_constants_batches_and_many_channels():
    assert (caffe.io.resize_image(np.full((5, 5, 3), 0.25), (3, 3)) == 0.25).all()
    assert caffe.io.resize_image(np.zeros((360, 480, 2)), (100, 100)).shape == (100, 100, 2)
    for channels in (1, 3, 7):
        images = np.random.rand(2, 6, 7, channels)
        resized = caffe.io.resize_image(images, (4, 5))
        assert resized.shape == (2, 4, 5, channels) and resized.dtype == np.float32
        np.testing.assert_array_equal(resized[1], caffe.io.resize_image(images[1], (4, 5)))
    with pytest.raises(ValueError, match=r"\(H, W, K\)"):
        caffe.io.resize_image(np.zeros(3), (2, 2))


def test_oversample_takes_corners_centre_and_mirrors():
    image = np.arange(63.0).reshape(7, 9, 1)
    crops = caffe.io.oversample([image, image + 100], (4, 4))
    assert crops.shape == (20, 4, 4, 1) and crops.dtype == np.float32
    for crop, (y, x) in zip(crops, [(0, 0), (0, 5), (3, 0), (3, 5), (1, 2)], strict=False):
        np.testing.assert_array_equal(crop, image[y : y + 4, x : x + 4])
    np.testing.assert_array_equal(crops[5:10], crops[:5, :, ::-1])
    np.testing.assert_array_equal(crops[10:], crops[:10] + 100)
    with pytest.raises(ValueError, match="do not fit"):
        caffe.io.oversample([image], (8, 4))


@pytest.fixture
def transformer():
    transformer = caffe.io.Transformer({"data": (1, 3, 4, 5)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_channel_swap("data", (2, 1, 0))
    transformer.set_raw_scale("data", 255)
    transformer.set_mean("data", np.array([10.0, 20, 30]))
    transformer.set_input_scale("data", 0.5)
    return transformer


def test_preprocess_and_back(transformer):
    image = np.random.rand(4, 5, 3)
    blob = transformer.preprocess("data", image)
    mean = np.array([10, 20, 30])
    expected = (image[:, :, ::-1] * 255 - mean).transpose(2, 0, 1) * 0.5
    np.testing.assert_allclose(blob, expected, atol=1e-4)
    np.testing.assert_allclose(transformer.deprocess("data", blob[np.newaxis]), image, atol=1e-5)


def test_preprocess_leaves_the_callers_array_alone():
    transformer = caffe.io.Transformer({"data": (1, 3, 4, 5)})
    transformer.set_transpose("data", (2, 0, 1))
    transformer.set_raw_scale("data", 255)
    image = np.random.rand(4, 5, 3).astype(np.float32)
    before = image.copy()
    transformer.preprocess("data", image)
    np.testing.assert_array_equal(image, before)


def test_preprocess_resizes_to_the_input(transformer):
    assert transformer.preprocess("data", np.random.rand(9, 9, 3)).shape == (3, 4, 5)


def test_means_of_all_forms(transformer):
    transformer.set_mean("data", np.ones((4, 5)))
    assert transformer.mean["data"].shape == (1, 4, 5)
    transformer.set_mean("data", np.random.rand(3, 8, 8))
    assert transformer.mean["data"].shape == (3, 4, 5)
    transformer.set_mean("data", np.full((3, 8, 8), 7.0))
    assert (transformer.mean["data"] == 7).all()
    transformer.set_mean("data", np.random.rand(8, 8))
    assert transformer.mean["data"].shape == (1, 4, 5)
    for mean, words in [(np.zeros(4), "channels"), (np.zeros((1, 3, 4, 5)), "shape invalid")]:
        with pytest.raises(ValueError, match=words):
            transformer.set_mean("data", mean)


@pytest.mark.parametrize(
    "call",
    [
        lambda t: t.preprocess("label", np.zeros((4, 5, 3))),
        lambda t: t.deprocess("label", np.zeros((3, 4, 5))),
        lambda t: t.set_mean("label", np.zeros(3)),
        lambda t: t.set_raw_scale("label", 1),
        lambda t: t.set_input_scale("label", 1),
    ],
)
def test_an_unknown_input_is_named(transformer, call):
    with pytest.raises(Exception, match="label is not one of the net inputs"):
        call(transformer)


def test_orders_of_the_wrong_length_are_refused(transformer):
    with pytest.raises(Exception, match="transpose order"):
        transformer.set_transpose("data", (1, 0))
    with pytest.raises(Exception, match="channel swap"):
        transformer.set_channel_swap("data", (1, 0))


def test_the_mean_file_has_the_published_means():
    from pathlib import Path

    mean = np.load(Path(caffe.__file__).parent / "imagenet" / "ilsvrc_2012_mean.npy")
    assert mean.shape == (3, 256, 256) and mean.dtype == np.float64
    np.testing.assert_allclose(
        mean.mean(axis=(1, 2)), [104.0069879, 116.6687676, 122.6789143], rtol=1e-9
    )
