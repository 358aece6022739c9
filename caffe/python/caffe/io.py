"""Arrays to and from Caffe's messages, images to and from a net's input blobs."""

from collections.abc import Mapping, Sequence
from os import PathLike
from typing import Any

import numpy as np
from PIL import Image
from scipy import ndimage

from caffe.proto import caffe_pb2

Sizes = Sequence[int] | np.ndarray  # (height, width)

_LUMINANCE = np.array([0.2125, 0.7154, 0.0721], dtype=np.float32)


# --- messages ----------------------------------------------------------------------------------


def blobproto_to_array(blob: Any, return_diff: bool = False) -> np.ndarray:
    """Values (or gradients) of a BlobProto, float32, float64 where it holds doubles.

    The shape is (num, channels, height, width) if any of these old fields is set, else `shape`.
    Raises ValueError if shape and number of values disagree.
    """
    if return_diff:
        single, double = blob.diff, blob.double_diff
    else:
        single, double = blob.data, blob.double_data
    if len(double) and not len(single):
        values = np.array(double, dtype=np.float64)
    else:
        values = np.array(single, dtype=np.float32)
    legacy = ("num", "channels", "height", "width")
    if any(blob.HasField(field) for field in legacy):
        return values.reshape([getattr(blob, field) for field in legacy])
    return values.reshape(list(blob.shape.dim))


def array_to_blobproto(arr: np.ndarray, diff: np.ndarray | None = None) -> Any:
    """A BlobProto with the shape and the values of `arr`, and the values of `diff` if given."""
    arr = np.asarray(arr)
    blob = caffe_pb2.BlobProto()
    blob.shape.dim.extend(arr.shape)
    blob.data.extend(arr.astype(float).flat)
    if diff is not None:
        blob.diff.extend(np.asarray(diff).astype(float).flat)
    return blob


def arraylist_to_blobprotovector_str(arraylist: Sequence[np.ndarray]) -> bytes:
    """A serialised BlobProtoVector of the arrays."""
    vector = caffe_pb2.BlobProtoVector()
    vector.blobs.extend([array_to_blobproto(arr) for arr in arraylist])
    return vector.SerializeToString()


def blobprotovector_str_to_arraylist(str: bytes) -> list[np.ndarray]:
    """The arrays of a serialised BlobProtoVector."""
    vector = caffe_pb2.BlobProtoVector()
    vector.ParseFromString(str)
    return [blobproto_to_array(blob) for blob in vector.blobs]


def array_to_datum(arr: np.ndarray, label: int | None = None) -> Any:
    """A Datum of an array (C, H, W): uint8 as bytes, every other type as floats."""
    arr = np.asarray(arr)
    if arr.ndim != 3:
        raise ValueError("Incorrect array shape.")
    datum = caffe_pb2.Datum()
    datum.channels, datum.height, datum.width = arr.shape
    if arr.dtype == np.uint8:
        datum.data = arr.tobytes()
    else:
        datum.float_data.extend(arr.astype(float).flat)
    if label is not None:
        datum.label = int(label)
    return datum


def datum_to_array(datum: Any) -> np.ndarray:
    """The array (C, H, W) of a Datum, not decoded: uint8, or float64 where it holds floats."""
    shape = (datum.channels, datum.height, datum.width)
    if len(datum.data):
        return np.frombuffer(datum.data, dtype=np.uint8).reshape(shape).copy()
    return np.array(datum.float_data, dtype=float).reshape(shape)


# --- images ------------------------------------------------------------------------------------


def load_image(filename: str | PathLike, color: bool = True) -> np.ndarray:
    """An image file as (H, W, 3) RGB, or (H, W, 1) luminance, float32 in [0, 1].

    A grey file gives three equal channels; alpha is dropped. Raises what Pillow raises.
    """
    with Image.open(filename) as file:
        file.load()
        image: Image.Image = file
        if image.mode in ("P", "CMYK", "YCbCr", "LAB", "HSV", "RGBX", "PA"):
            image = image.convert("RGB")
        pixels = np.asarray(image)
    if pixels.dtype == bool:
        pixels = pixels.astype(np.float32)
    elif np.issubdtype(pixels.dtype, np.integer):
        scale = 255.0 if pixels.dtype == np.uint8 else 65535.0
        pixels = pixels.astype(np.float32) / np.float32(scale)
    pixels = np.atleast_3d(pixels).astype(np.float32)
    if pixels.shape[2] in (2, 4):
        pixels = pixels[:, :, :-1]
    if color:
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
    return pixels if pixels.shape[2] == 1 else (pixels @ _LUMINANCE)[:, :, np.newaxis]


def resize_image(im: np.ndarray, new_dims: Sizes, interp_order: int = 1) -> np.ndarray:
    """`im` (H, W, K) resized to `new_dims` = (height, width); float32 (height, width, K).

    One or three channels: pixel centres are aligned, samples outside the image take the smallest
    value of the whole array, and nothing is filtered when shrinking. Other numbers of channels:
    corners are aligned. Also takes (H, W) and a batch (N, H, W, K).
    """
    im = np.asarray(im)
    height, width = (int(size) for size in new_dims)
    if im.ndim == 2:
        return resize_image(im[:, :, np.newaxis], new_dims, interp_order)[:, :, 0]
    if im.ndim == 4:
        return np.stack([resize_image(one, new_dims, interp_order) for one in im])
    if im.ndim != 3:
        raise ValueError(f"resize_image takes an image (H, W, K), not an array of shape {im.shape}")
    centred = im.shape[-1] in (1, 3)
    lowest, span = 0.0, 1.0
    if centred:
        lowest = float(im.min())
        span = float(im.max()) - lowest
        if span == 0:
            return np.full((height, width, im.shape[-1]), lowest, dtype=np.float32)
    result = np.empty((height, width, im.shape[-1]), dtype=np.float32)
    zoom = (height / im.shape[0], width / im.shape[1])
    for channel in range(im.shape[-1]):
        plane = (im[:, :, channel].astype(np.float64) - lowest) / span
        if centred:
            plane = ndimage.zoom(
                plane, zoom, order=interp_order, mode="grid-constant", grid_mode=True
            )
        else:
            plane = ndimage.zoom(plane, zoom, order=interp_order)
        result[:, :, channel] = plane * span + lowest
    return result


def oversample(images: Sequence[np.ndarray], crop_dims: Sizes) -> np.ndarray:
    """Ten crops an image: four corners, the centre, and their mirror images.

    images: equally sized (H, W, K); crop_dims: (height, width). Float32 (10 N, height, width, K).
    """
    height, width = (int(size) for size in crop_dims)
    im_height, im_width = images[0].shape[:2]
    if height > im_height or width > im_width:
        raise ValueError(
            f"crops of {height}x{width} do not fit into images of {im_height}x{im_width}"
        )
    corners = [(y, x) for y in (0, im_height - height) for x in (0, im_width - width)]
    centre = (int(im_height / 2 - height / 2), int(im_width / 2 - width / 2))
    crops = np.empty((10 * len(images), height, width, images[0].shape[-1]), dtype=np.float32)
    for i, image in enumerate(images):
        ten = crops[10 * i : 10 * i + 10]
        for j, (y, x) in enumerate([*corners, centre]):
            ten[j] = image[y : y + height, x : x + width]
        ten[5:] = ten[:5, :, ::-1]
    return crops


class Transformer:
    """Prepares images for a net's inputs, and brings input blobs back to images.

    inputs: input name -> blob shape (N, C, H, W). Steps that were not set are left out.
    """

    def __init__(self, inputs: Mapping[str, Sequence[int]]) -> None:
        self.inputs = inputs
        self.transpose: dict[str, Sequence[int]] = {}
        self.channel_swap: dict[str, Sequence[int]] = {}
        self.raw_scale: dict[str, float] = {}
        self.mean: dict[str, np.ndarray] = {}
        self.input_scale: dict[str, float] = {}

    def _check_input(self, in_: str) -> None:
        if in_ not in self.inputs:
            raise Exception(f"{in_} is not one of the net inputs: {self.inputs}")

    def preprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """An image (H', W', K) as the input `in_` wants it, (K, H, W) float32.

        In this order: resize, transpose, channel swap, raw scale, mean, input scale.
        The caller's array is left alone.
        """
        self._check_input(in_)
        caffe_in = np.array(data, dtype=np.float32)
        in_dims = tuple(self.inputs[in_][2:])
        if caffe_in.shape[:2] != in_dims:
            caffe_in = resize_image(caffe_in, in_dims)
        if self.transpose.get(in_) is not None:
            caffe_in = caffe_in.transpose(self.transpose[in_])
        if self.channel_swap.get(in_) is not None:
            caffe_in = caffe_in[self.channel_swap[in_], :, :]
        if self.raw_scale.get(in_) is not None:
            caffe_in *= self.raw_scale[in_]
        if self.mean.get(in_) is not None:
            caffe_in -= self.mean[in_]
        if self.input_scale.get(in_) is not None:
            caffe_in *= self.input_scale[in_]
        return caffe_in

    def deprocess(self, in_: str, data: np.ndarray) -> np.ndarray:
        """The inverse of `preprocess`, without resizing; axes of length 1 are dropped."""
        self._check_input(in_)
        decaf_in = np.array(data).squeeze()
        if not np.issubdtype(decaf_in.dtype, np.floating):
            decaf_in = decaf_in.astype(np.float32)
        if self.input_scale.get(in_) is not None:
            decaf_in /= self.input_scale[in_]
        if self.mean.get(in_) is not None:
            decaf_in += self.mean[in_]
        if self.raw_scale.get(in_) is not None:
            decaf_in /= self.raw_scale[in_]
        if self.channel_swap.get(in_) is not None:
            decaf_in = decaf_in[np.argsort(self.channel_swap[in_]), :, :]
        if self.transpose.get(in_) is not None:
            decaf_in = decaf_in.transpose(np.argsort(self.transpose[in_]))
        return decaf_in

    def set_transpose(self, in_: str, order: Sequence[int]) -> None:
        """Order of the image's axes in the blob: (2, 0, 1) makes (H, W, K) to (K, H, W)."""
        self._check_input(in_)
        if len(order) != len(self.inputs[in_]) - 1:
            raise Exception(
                f"transpose order {tuple(order)} must have one entry an axis of an image of {in_}: "
                f"{len(self.inputs[in_]) - 1}"
            )
        self.transpose[in_] = tuple(order)

    def set_channel_swap(self, in_: str, order: Sequence[int]) -> None:
        """Order of the channels in the blob: (2, 1, 0) makes RGB to BGR."""
        self._check_input(in_)
        if len(order) != self.inputs[in_][1]:
            raise Exception(
                f"channel swap {tuple(order)} must have one entry a channel of {in_}: "
                f"{self.inputs[in_][1]}"
            )
        self.channel_swap[in_] = list(order)

    def set_raw_scale(self, in_: str, scale: float) -> None:
        """A factor before the mean is taken off: 255 for images in [0, 1]."""
        self._check_input(in_)
        self.raw_scale[in_] = scale

    def set_mean(self, in_: str, mean: np.ndarray) -> None:
        """The mean to take off: (C,), (H, W) or (C, H, W); resized where it differs in size."""
        self._check_input(in_)
        mean = np.asarray(mean)
        if mean.ndim == 1:
            if mean.shape[0] != self.inputs[in_][1]:
                raise ValueError("Mean channels incompatible with input.")
            self.mean[in_] = mean[:, np.newaxis, np.newaxis]
            return
        if mean.ndim == 2:
            mean = mean[np.newaxis]
        if mean.ndim != 3:
            raise ValueError("Mean shape invalid")
        in_shape = tuple(self.inputs[in_][1:])
        if mean.shape != in_shape:
            if mean.shape[0] not in (1, in_shape[0]):
                raise ValueError("Mean channels incompatible with input.")
            mean = resize_image(mean.transpose(1, 2, 0), in_shape[1:]).transpose(2, 0, 1)
        self.mean[in_] = mean

    def set_input_scale(self, in_: str, scale: float) -> None:
        """A factor after the mean is taken off."""
        self._check_input(in_)
        self.input_scale[in_] = scale
