"""The Python half of Net: dictionaries of its parts, and passes that take and give arrays."""

import collections
from collections.abc import Iterable, Iterator, Mapping
from itertools import zip_longest
from typing import Any

import numpy as np

from ._caffe import Blob, BlobVec, Layer, Net

Arrays = dict[str, np.ndarray]


def _cached(net: Net, name: str, make: Any) -> Any:
    """The attribute `name` of the net's Python object, made at first use."""
    if name not in net.__dict__:
        setattr(net, name, make())
    return getattr(net, name)


@property  # type: ignore[misc]
def _blobs(self: Net) -> "collections.OrderedDict[str, Blob]":
    """Blob name -> Blob, in the order in which the layers produce them."""
    return _cached(
        self,
        "_blobs_dict",
        lambda: collections.OrderedDict(zip(self._blob_names, self._blobs, strict=True)),
    )


@property  # type: ignore[misc]
def _blob_loss_weights(self: Net) -> "collections.OrderedDict[str, float]":
    """Blob name -> its weight in the loss."""
    return collections.OrderedDict(zip(self._blob_names, self._blob_loss_weights, strict=True))


@property  # type: ignore[misc]
def _layer_dict(self: Net) -> "collections.OrderedDict[str, Layer]":
    """Layer name -> Layer, in net order."""
    return _cached(
        self,
        "_layer_dict",
        lambda: collections.OrderedDict(zip(self._layer_names, self.layers, strict=True)),
    )


@property  # type: ignore[misc]
def _params(self: Net) -> "collections.OrderedDict[str, BlobVec]":
    """Layer name -> parameter blobs, of the layers that have any; [0] weights, [1] bias."""
    return _cached(
        self,
        "_params_dict",
        lambda: collections.OrderedDict(
            (name, layer.blobs) for name, layer in self.layer_dict.items() if len(layer.blobs) > 0
        ),
    )


@property  # type: ignore[misc]
def _inputs(self: Net) -> list[str]:
    """Names of the input blobs, in net order."""
    names = self._blob_names
    return _cached(self, "_input_list", lambda: [names[i] for i in self._inputs])


@property  # type: ignore[misc]
def _outputs(self: Net) -> list[str]:
    """Names of the blobs that no layer consumes, sorted."""
    names = self._blob_names
    return _cached(self, "_output_list", lambda: [names[i] for i in self._outputs])


def _names_of(net: Net, ids: Any) -> "collections.OrderedDict[str, list[str]]":
    names = net._blob_names
    return collections.OrderedDict(
        (layer, [names[blob] for blob in ids(i)]) for i, layer in enumerate(net._layer_names)
    )


@property  # type: ignore[misc]
def _top_names(self: Net) -> "collections.OrderedDict[str, list[str]]":
    """Layer name -> names of its outputs."""
    return _cached(self, "_top_names", lambda: _names_of(self, self._top_ids))


@property  # type: ignore[misc]
def _bottom_names(self: Net) -> "collections.OrderedDict[str, list[str]]":
    """Layer name -> names of its inputs."""
    return _cached(self, "_bottom_names", lambda: _names_of(self, self._bottom_ids))


def _layer_index(net: Net, name: str) -> int:
    """Position of a layer. Raises ValueError for a name that the net does not have."""
    names = list(net._layer_names)
    try:
        return names.index(name)
    except ValueError:
        raise ValueError(f"the net has no layer called {name!r}") from None


def _assign(net: Net, kind: str, values: Mapping[str, np.ndarray], refusal: str) -> None:
    """Writes arrays into `.data` or `.diff` of blobs; the first axes must agree."""
    for name, value in values.items():
        blob = net.blobs[name]
        if value.shape[0] != blob.shape[0]:
            raise Exception(refusal)
        target = getattr(blob, kind)
        try:
            target[...] = value
        except ValueError as error:
            error.add_note(
                f"blob {name!r} has shape {blob.shape}, the array {value.shape}; "
                f"net.blobs[{name!r}].reshape(...) changes the blob's"
            )
            raise


def forward(
    self: Net,
    blobs: list[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    **kwargs: np.ndarray,
) -> Arrays:
    """Runs the layers from `start` to `end`, both inclusive; all by default.

    kwargs: an array for every net input; cast and broadcast into the blob, which keeps its shape.
    Returns views of the net's outputs (of the tops of `end`, where given) and of `blobs`.
    The next pass overwrites them.
    Raises ValueError for an unknown layer, Exception for arrays that do not match the inputs.
    """
    first = 0 if start is None else _layer_index(self, start)
    if end is None:
        last = len(self.layers) - 1
        names = set(self.outputs)
    else:
        last = _layer_index(self, end)
        names = set(self.top_names[end])
    names.update(blobs or [])
    if kwargs:
        if set(kwargs) != set(self.inputs):
            raise _mismatch("Input blob arguments do not match net inputs.", self.inputs, kwargs)
        _assign(self, "data", kwargs, "Input is not batch sized")
    self._forward(first, last)
    return {name: self.blobs[name].data for name in names}


def backward(
    self: Net,
    diffs: list[str] | None = None,
    start: str | None = None,
    end: str | None = None,
    **kwargs: np.ndarray,
) -> Arrays:
    """Runs the layers backward from `start` down to `end`, both inclusive; all by default.

    kwargs: a gradient for every net output. Without them the diffs in memory are used.
    Returns views of the gradients of the net's inputs (of the bottoms of `end`, where given) and
    of `diffs`. Gradients of parameters are added up: see `clear_param_diffs`.
    """
    first = len(self.layers) - 1 if start is None else _layer_index(self, start)
    if end is None:
        last = 0
        names = set(self.inputs)
    else:
        last = _layer_index(self, end)
        names = set(self.bottom_names[end])
    names.update(diffs or [])
    if kwargs:
        if set(kwargs) != set(self.outputs):
            raise _mismatch("Top diff arguments do not match net outputs.", self.outputs, kwargs)
        _assign(self, "diff", kwargs, "Diff is not batch sized")
    self._backward(first, last)
    return {name: self.blobs[name].diff for name in names}


def _batch_size(net: Net) -> int:
    return next(iter(net.blobs.values())).shape[0]


def _batch(self: Net, blobs: Mapping[str, Any]) -> Iterator[Arrays]:
    """Cuts arrays into batches of the net's size; the last one is filled up with zeros."""
    if not blobs:
        return
    size = _batch_size(self)
    arrays = {name: np.asarray(values) for name, values in blobs.items()}
    count = len(next(iter(arrays.values())))
    for begin in range(0, count - count % size, size):
        yield {name: values[begin : begin + size] for name, values in arrays.items()}
    rest = count % size
    if rest:
        padded = {}
        for name, values in arrays.items():
            padded[name] = np.zeros((size, *values.shape[1:]))
            padded[name][:rest] = values[count - rest :]
        yield padded


def _mismatch(text: str, wanted: Iterable[str], given: Iterable[str]) -> Exception:
    """The original's error, whose text scripts compare, with the names as a note."""
    error = Exception(text)
    error.add_note(f"the net has: {', '.join(wanted)}; given: {', '.join(given) or 'nothing'}")
    return error


def _join(batches: Iterable[np.ndarray], batch_size: int, count: int) -> np.ndarray:
    """Batches in one array without the padding; scalars become one value a batch."""
    batches = list(batches)
    if batches[0].ndim == 0:
        return np.stack(batches)
    whole = np.concatenate(batches)
    return whole[:count] if len(batches[0]) == batch_size else whole


def forward_all(self: Net, blobs: list[str] | None = None, **kwargs: np.ndarray) -> Arrays:
    """`forward` over arrays of any length, batch by batch; returns copies of that length."""
    if not kwargs:
        raise _mismatch("Input blob arguments do not match net inputs.", self.inputs, kwargs)
    collected: dict[str, list[np.ndarray]] = {}
    batch: Any
    for batch in self._batch(kwargs):
        for name, value in self.forward(blobs=blobs, **batch).items():
            collected.setdefault(name, []).append(value.copy())
    count = len(next(iter(kwargs.values())))
    return {name: _join(values, _batch_size(self), count) for name, values in collected.items()}


def forward_backward_all(
    self: Net, blobs: list[str] | None = None, diffs: list[str] | None = None, **kwargs: np.ndarray
) -> tuple[Arrays, Arrays]:
    """`forward` and `backward` batch by batch; returns (outputs and blobs, gradients).

    kwargs named like inputs go forward, those named like outputs backward.
    """
    unknown = set(kwargs) - set(self.inputs) - set(self.outputs)
    if unknown:
        raise Exception(f"{sorted(unknown)} are neither inputs nor outputs of the net")
    ahead = {name: value for name, value in kwargs.items() if name in self.inputs}
    back = {name: value for name, value in kwargs.items() if name in self.outputs}
    outs: dict[str, list[np.ndarray]] = {}
    gradients: dict[str, list[np.ndarray]] = {}
    forward_batch: Any
    backward_batch: Any
    for forward_batch, backward_batch in zip_longest(
        self._batch(ahead), self._batch(back), fillvalue={}
    ):
        for name, value in self.forward(blobs=blobs, **forward_batch).items():
            outs.setdefault(name, []).append(value.copy())
        for name, value in self.backward(diffs=diffs, **backward_batch).items():
            gradients.setdefault(name, []).append(value.copy())
    count = max((len(value) for value in kwargs.values()), default=0)
    size = _batch_size(self)
    return (
        {name: _join(values, size, count) for name, values in outs.items()},
        {name: _join(values, size, count) for name, values in gradients.items()},
    )


def set_input_arrays(self: Net, data: np.ndarray, labels: np.ndarray) -> None:
    """Arrays that the net's first layer, a MemoryData layer, reads in place.

    data: (N, C, H, W), labels: (N,) or (N, 1, 1, 1); float32, C-contiguous, N a multiple of the
    batch size. They stay alive as long as the net.
    """
    if labels.ndim == 1:
        labels = np.ascontiguousarray(labels[:, np.newaxis, np.newaxis, np.newaxis])
    self._set_input_arrays(data, labels)


_ADDED = {
    "blobs": _blobs,
    "blob_loss_weights": _blob_loss_weights,
    "layer_dict": _layer_dict,
    "params": _params,
    "inputs": _inputs,
    "outputs": _outputs,
    "top_names": _top_names,
    "bottom_names": _bottom_names,
    "forward": forward,
    "backward": backward,
    "forward_all": forward_all,
    "forward_backward_all": forward_backward_all,
    "set_input_arrays": set_input_arrays,
    "_batch": _batch,
}
for _name, _member in _ADDED.items():
    setattr(Net, _name, _member)
