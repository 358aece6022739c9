"""Detection by classifying windows of an image, with context around each window (R-CNN)."""

from collections.abc import Iterable, Sequence
from os import PathLike
from typing import Any

import numpy as np

import caffe
from caffe.classifier import make_transformer


class Detector(caffe.Net):
    """A TEST net that scores windows of images.

    context_pad: pixels of context that surround a window in the net's input; mean, input_scale,
    raw_scale, channel_swap: as in caffe.io.Transformer.
    """

    def __init__(
        self,
        model_file: str | PathLike,
        pretrained_file: str | PathLike,
        mean: np.ndarray | None = None,
        input_scale: float | None = None,
        raw_scale: float | None = None,
        channel_swap: Sequence[int] | None = None,
        context_pad: int | None = None,
    ) -> None:
        caffe.Net.__init__(self, model_file, caffe.TEST, weights=pretrained_file)
        self.transformer = make_transformer(self, mean, input_scale, raw_scale, channel_swap)
        self.configure_crop(context_pad)

    def detect_windows(
        self, images_windows: Iterable[tuple[str | PathLike, Sequence[Sequence[int]]]]
    ) -> list[dict[str, Any]]:
        """Scores of windows: (file name, windows (ymin, xmin, ymax, xmax)) of each image.

        One dict a window, in the order given: window, prediction (row of the first output),
        filename.
        """
        in_ = self.inputs[0]
        pairs = [(name, window) for name, windows in images_windows for window in windows]
        if not pairs:
            return []
        images: dict[Any, np.ndarray] = {}
        crops = []
        for name, window in pairs:
            if name not in images:
                images = {name: caffe.io.load_image(name).astype(np.float32)}
            crops.append(self.transformer.preprocess(in_, self.crop(images[name], window)))
        arrays: dict[str, Any] = {in_: np.stack(crops)}
        predictions = self.forward_all(**arrays)[self.outputs[0]]
        return [
            {"window": window, "prediction": predictions[i], "filename": name}
            for i, (name, window) in enumerate(pairs)
        ]

    def detect_selective_search(self, image_fnames: Sequence[str]) -> list[dict[str, Any]]:
        """Scores of selective-search windows; needs selective_search_ijcv_with_python."""
        import selective_search_ijcv_with_python as selective_search

        names = [str(name) for name in image_fnames]
        windows = selective_search.get_windows(names, cmd="selective_search_rcnn")
        return self.detect_windows(list(zip(image_fnames, windows, strict=True)))

    def crop(self, im: np.ndarray, window: Sequence[int]) -> np.ndarray:
        """The part (ymin, xmin, ymax, xmax) of an image, with context where that is configured."""
        ymin, xmin, ymax, xmax = (int(edge) for edge in window)
        if not self.context_pad:
            return im[ymin:ymax, xmin:xmax]
        size = int(self.crop_dims[0])
        rows = ContextSpan((ymin, ymax), im.shape[0], size, self.context_pad)
        columns = ContextSpan((xmin, xmax), im.shape[1], size, self.context_pad)
        crop = self.crop_mean.copy()
        if rows.crop > 0 and columns.crop > 0:
            context = im[rows.start : rows.stop, columns.start : columns.stop]
            crop[rows.pad : rows.pad + rows.crop, columns.pad : columns.pad + columns.crop] = (
                caffe.io.resize_image(context, (rows.crop, columns.crop))
            )
        return crop

    def configure_crop(self, context_pad: int | None) -> None:
        """Sets the crop's size (H, W, K) and, for context, the mean that fills what is outside."""
        in_ = self.inputs[0]
        inverse = np.argsort(self.transformer.transpose[in_])
        self.crop_dims = np.array(self.blobs[in_].data.shape[1:])[inverse]
        self.context_pad = context_pad
        if not context_pad:
            return
        mean = self.transformer.mean.get(in_)
        if mean is None:
            self.crop_mean = np.zeros(self.crop_dims, dtype=np.float32)
            return
        crop_mean = np.broadcast_to(mean, self.blobs[in_].data.shape[1:])
        swap = self.transformer.channel_swap.get(in_)
        if swap is not None:
            crop_mean = crop_mean[np.argsort(swap)]
        crop_mean = crop_mean.transpose(inverse).astype(np.float32)
        raw_scale = self.transformer.raw_scale.get(in_)
        self.crop_mean = crop_mean if raw_scale is None else crop_mean / np.float32(raw_scale)


class ContextSpan:
    """One axis of a window grown by its context.

    start, stop: what is taken from the image; crop: pixels that it becomes in the input of `size`
    pixels; pad: where these begin there.
    """

    def __init__(self, edges: tuple[int, int], image_size: int, size: int, context: int) -> None:
        scale = size / (size - 2.0 * context)
        half = (edges[1] - edges[0] + 1) / 2.0
        centre = edges[0] + half
        first = int(round(centre - scale * half))
        last = int(round(centre + scale * half))
        resize = size / (last - first + 1.0)
        self.pad = int(round(max(0, -first) * resize))
        self.start = min(max(first, 0), image_size)
        self.stop = min(max(last, 0), image_size)
        self.crop = int(round((self.stop - self.start + 1) * resize))
        self.crop = min(self.crop, size - self.pad)
        if self.stop <= self.start:
            self.crop = 0
