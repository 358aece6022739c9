"""Nets written in Python: `n = NetSpec(); n.conv1 = L.Convolution(n.data, kernel_size=3, ...)`.

`layers` makes layers of any type, `params` gives enum values (`P.Pooling.MAX`); `to_proto` turns
what was written into a NetParameter.
"""

import difflib
from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from caffe.proto import caffe_pb2


def param_name_dict() -> dict[str, str]:
    """Layer type -> stem of its parameter field: Convolution -> convolution (`convolution_param`).

    Read from the schema: each field `<stem>_param` of LayerParameter whose message is
    `<Type>Parameter`. Where several fields share a message, the one named like it is taken.
    """
    names: dict[str, str] = {}
    for field in caffe_pb2.LayerParameter.DESCRIPTOR.fields:  # type: ignore[attr-defined]
        if not field.name.endswith("_param") or field.message_type is None:
            continue
        layer_type = field.message_type.name.removesuffix("Parameter")
        stem = field.name.removesuffix("_param")
        if layer_type not in names or stem.replace("_", "") == layer_type.lower():
            names[layer_type] = stem
    return names


_param_names = param_name_dict()


def assign_proto(proto: Any, name: str, val: Any) -> None:
    """Sets a field of a message from a Python value.

    A sequence fills a repeated field, a lone value becomes its one element; a dict fills a message,
    recursively. Raises AttributeError for a field that the message does not have.
    """
    field = proto.DESCRIPTOR.fields_by_name.get(name)
    if field is None:
        raise AttributeError(_unknown_field(proto.DESCRIPTOR, name))
    target = getattr(proto, name)
    if hasattr(target, "extend"):
        is_sequence = isinstance(val, (list, tuple, np.ndarray))
        for item in val if is_sequence else [val]:
            if isinstance(item, Mapping):
                element = target.add()
                for key, value in item.items():
                    assign_proto(element, key, value)
            elif field.message_type is not None:
                target.add().CopyFrom(item)
            else:
                target.append(_plain(field, item))
    elif isinstance(val, Mapping):
        target.SetInParent()
        for key, value in val.items():
            assign_proto(target, key, value)
    elif field.message_type is not None:
        target.CopyFrom(val)
    else:
        setattr(proto, name, _plain(field, val))


def _plain(field: Any, value: Any) -> Any:
    """A value as every protobuf release accepts it: no numpy scalars, no bool for a number."""
    if isinstance(value, np.generic):
        value = value.item()
    if field.enum_type is not None and isinstance(value, str):
        return field.enum_type.values_by_name[value].number
    if isinstance(value, bool) and field.cpp_type != field.CPPTYPE_BOOL:
        return int(value)
    if isinstance(value, int) and field.cpp_type == field.CPPTYPE_BOOL:
        return bool(value)
    return value


def _unknown_field(descriptor: Any, name: str) -> str:
    near = difflib.get_close_matches(name, descriptor.fields_by_name, n=1)
    hint = f'; did you mean "{near[0]}"?' if near else ""
    return f'{descriptor.name} has no field "{name}"{hint}'


class Top:
    """Output number `n` of the layer `fn`: what another layer takes as a bottom."""

    def __init__(self, fn: "Function", n: int) -> None:
        self.fn = fn
        self.n = n

    def to_proto(self) -> Any:
        """A NetParameter of all layers that this output needs."""
        return to_proto(self)


class Function:
    """One layer: its type, its bottoms (`inputs`), its parameters and its outputs (`tops`)."""

    def __init__(self, type_name: str, inputs: Iterable[Top], params: Mapping[str, Any]) -> None:
        self.type_name = type_name
        self.inputs = tuple(inputs)
        for index, bottom in enumerate(self.inputs):
            if not isinstance(bottom, Top):
                raise TypeError(f"{type_name} input {index} is not a Top (type is {type(bottom)})")
        self.params = dict(params)
        self.ntop: int = self.params.pop("ntop", 1)
        self.in_place: bool = self.params.pop("in_place", False)
        self.tops = tuple(Top(self, n) for n in range(self.ntop))


class _Writer:
    """Writes layers, each once and after those it needs, and names what has no name."""

    def __init__(self, names: Mapping[Any, str]) -> None:
        self.names = dict(names)
        self.counts: Counter[str] = Counter()
        self.layers: dict[Function, Any] = {}

    def add(self, fn: Function) -> None:
        """Writes `fn` after its inputs, depth first, without recursion: nets can be deep."""
        pending = [(fn, iter(fn.inputs))]
        while pending:
            current, inputs = pending[-1]
            bottom = next((b for b in inputs if b.fn not in self.layers), None)
            if bottom is not None:
                pending.append((bottom.fn, iter(bottom.fn.inputs)))
                continue
            pending.pop()
            if current not in self.layers:
                self.layers[current] = self._layer(current)

    def net(self) -> Any:
        """The NetParameter of the layers written so far."""
        net = caffe_pb2.NetParameter()
        net.layer.extend(self.layers.values())
        return net

    def _layer(self, fn: Function) -> Any:
        layer = caffe_pb2.LayerParameter()
        layer.type = fn.type_name
        layer.bottom.extend(self.layers[bottom.fn].top[bottom.n] for bottom in fn.inputs)
        if fn.in_place:
            layer.top.extend(layer.bottom)
        else:
            layer.top.extend(self._name(top, fn.type_name) for top in fn.tops)
        layer.name = self._name(fn.tops[0] if fn.tops else fn, fn.type_name)
        for key, value in fn.params.items():
            _assign_parameter(layer, fn.type_name, key, value)
        return layer

    def _name(self, named: Any, type_name: str) -> str:
        if named not in self.names:
            self.counts[type_name] += 1
            self.names[named] = f"{type_name}{self.counts[type_name]}"
        return self.names[named]


def _assign_parameter(layer: Any, type_name: str, key: str, value: Any) -> None:
    """A keyword of `L.Type(...)`: a field of the type's own message first, then of the layer."""
    own = _param_names.get(type_name)
    if own is not None and not key.endswith("param"):
        message = getattr(layer, f"{own}_param")
        if key in message.DESCRIPTOR.fields_by_name:
            assign_proto(message, key, value)
            return
        if key not in layer.DESCRIPTOR.fields_by_name:
            raise AttributeError(f"{type_name} layer: {_unknown_field(message.DESCRIPTOR, key)}")
    try:
        assign_proto(layer, key, value)
    except AttributeError as error:
        raise AttributeError(f"{type_name} layer: {error}") from None


def to_proto(*tops: Top) -> Any:
    """A NetParameter of all layers that the tops need, with automatic names."""
    writer = _Writer({})
    for top in tops:
        writer.add(top.fn)
    return writer.net()


class _UnknownTop(AttributeError, KeyError):
    """A name that a NetSpec does not hold."""

    __str__ = AttributeError.__str__


class NetSpec:
    """A net under construction: assigned attributes (or items) are named tops, in order."""

    tops: "OrderedDict[str, Any]"

    def __init__(self) -> None:
        super().__setattr__("tops", OrderedDict())

    def __setattr__(self, name: str, value: Any) -> None:
        self.tops[name] = value

    def __getattr__(self, name: str) -> Any:
        if name == "tops" or name not in self.tops:
            raise _UnknownTop(f"the net has no top called {name!r}")
        return self.tops[name]

    def __setitem__(self, key: str, value: Any) -> None:
        self.tops[key] = value

    def __getitem__(self, item: str) -> Any:
        return self.__getattr__(item)

    def __delattr__(self, name: str) -> None:
        if name not in self.tops:
            raise _UnknownTop(f"the net has no top called {name!r}")
        del self.tops[name]

    __delitem__ = __delattr__

    def to_proto(self) -> Any:
        """A NetParameter of everything assigned, and of what that needs."""
        writer = _Writer({top: name for name, top in self.tops.items()})
        for top in self.tops.values():
            writer.add(top.fn if isinstance(top, Top) else top)
        return writer.net()


class Layers:
    """`L.Type(*bottoms, **params)` makes a layer and returns its top, tops, or (ntop=0) itself."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)

        def layer_fn(*args: Top, **kwargs: Any) -> Any:
            fn = Function(name, args, kwargs)
            if fn.ntop == 0:
                return fn
            return fn.tops[0] if fn.ntop == 1 else fn.tops

        return layer_fn


class _ParameterEnum:
    """The enum values of one parameter message."""

    def __init__(self, name: str) -> None:
        self._message = getattr(caffe_pb2, f"{name}Parameter")

    def __getattr__(self, value: str) -> int:
        values = self._message.DESCRIPTOR.enum_values_by_name
        if value not in values:
            raise AttributeError(f"{self._message.DESCRIPTOR.name} has no enum value {value!r}")
        return values[value].number


class Parameters:
    """`P.Pooling.MAX`: the value of an enum constant of PoolingParameter."""

    def __getattr__(self, name: str) -> _ParameterEnum:
        if name.startswith("__"):
            raise AttributeError(name)
        return _ParameterEnum(name)


layers = Layers()
params = Parameters()
