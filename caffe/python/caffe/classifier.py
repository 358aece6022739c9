"""Image classification: a net with preprocessing and averaging over ten crops."""

from collections.abc import Sequence
from os import PathLike
from typing import Any

import numpy as np

import caffe


class Classifier(caffe.Net):
    """A TEST net that classifies images.

    image_dims: size (height, width) to which images are brought before cropping; default the
    net's input size. mean, input_scale, raw_scale, channel_swap: as in caffe.io.Transformer.
    """

    def __init__(
        self,
        model_file: str | PathLike,
        pretrained_file: str | PathLike,
        image_dims: "caffe.io.Sizes | None" = None,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
    ) -> None:
        caffe.Net.__init__(self, model_file, caffe.TEST, weights=pretrained_file)
        in_ = self.inputs[0]
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.crop_dims = np.array(self.blobs[in_].data.shape[2:])
        self.image_dims: caffe.io.Sizes = self.crop_dims if image_dims is None else image_dims

    def predict(self, inputs: Sequence[np.ndarray], oversample: bool = True) -> np.ndarray:
        """Class probabilities (N, classes) of N images (H, W, K) in [0, 1] RGB.

        oversample: average over ten crops; else the centre crop alone.
        """
        in_ = self.inputs[0]
        images = [caffe.io.resize_image(image, self.image_dims) for image in inputs]
        if oversample:
            crops = caffe.io.oversample(images, self.crop_dims)
        else:
            height, width = (int(size) for size in self.crop_dims)
            top, left = (
                int(dim / 2.0 - crop / 2.0)
                for dim, crop in zip(self.image_dims, self.crop_dims, strict=True)
            )
            crops = np.stack([image[top : top + height, left : left + width] for image in images])
        caffe_in = np.stack([self.transformer.preprocess(in_, crop) for crop in crops])
        arrays: dict[str, Any] = {in_: caffe_in}
        predictions = self.forward_all(**arrays)[self.outputs[0]]
        if oversample:
            predictions = predictions.reshape(len(images), 10, -1).mean(axis=1)
        return predictions


def make_transformer(
    net: "caffe.Net",
    mean: np.ndarray | None,
    input_scale: float | None,
    raw_scale: float | None,
    channel_swap: Sequence[int] | None,
) -> "caffe.io.Transformer":
    """The Transformer of a net's first input for images (H, W, K), with what is not None set."""
    in_ = net.inputs[0]
    transformer = caffe.io.Transformer({in_: net.blobs[in_].data.shape})
    transformer.set_transpose(in_, (2, 0, 1))
    if mean is not None:
        transformer.set_mean(in_, mean)
    if input_scale is not None:
        transformer.set_input_scale(in_, input_scale)
    if raw_scale is not None:
        transformer.set_raw_scale(in_, raw_scale)
    if channel_swap is not None:
        transformer.set_channel_swap(in_, channel_swap)
    return transformer
