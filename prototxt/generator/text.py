"""Prototxt as Python values, and the text they become.

A message is a dict: a str is quoted, a `Name` (an enumeration value) is not, a list is a repeated
field, a dict a nested message. Nothing here knows a layer type or needs the engine.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

LINE_LENGTH = 100


class Name(str):
    """The name of an enumeration value: written without quotes."""


Value = bool | int | float | str | Mapping | list


@dataclass(frozen=True)
class Rate:
    """Learning rate and weight decay of one parameter blob; None leaves the field out."""

    lr_mult: float | None = None
    decay_mult: float | None = None

    def message(self) -> dict[str, Value]:
        fields = {"lr_mult": self.lr_mult, "decay_mult": self.decay_mult}
        return {name: value for name, value in fields.items() if value is not None}


@dataclass(frozen=True)
class Layer:
    """One layer: `settings` holds its parameter messages, such as `convolution_param`."""

    name: str
    type: str
    bottoms: tuple[str, ...] = ()
    tops: tuple[str, ...] = ()
    settings: Mapping[str, Value] = field(default_factory=dict)
    rates: tuple[Rate, ...] = ()
    propagate_down: tuple[bool, ...] = ()
    loss_weight: float | None = None

    def message(self) -> dict[str, Value]:
        """The LayerParameter, fields in the order in which people write them."""
        fields: dict[str, Value] = {"name": self.name, "type": self.type}
        repeated = {
            "bottom": list(self.bottoms),
            "top": list(self.tops),
            "propagate_down": list(self.propagate_down),
            "param": [rate.message() for rate in self.rates],
        }
        fields.update({name: values for name, values in repeated.items() if values})
        if self.loss_weight is not None:
            fields["loss_weight"] = self.loss_weight
        fields.update(self.settings)
        return fields


class Net:
    """Layers in order, with headings between them; what `text` writes as a NetParameter."""

    def __init__(self, name: str, heading: str) -> None:
        self.name = name
        self.heading = heading
        self.entries: list[Layer | str] = []

    def add(self, layer: Layer) -> str:
        """Appends the layer and returns its first top, for the next layer's bottom."""
        self.entries.append(layer)
        return layer.tops[0] if layer.tops else ""

    def section(self, heading: str) -> None:
        self.entries.append(heading)

    @property
    def layers(self) -> list[Layer]:
        return [entry for entry in self.entries if isinstance(entry, Layer)]

    def names_since(self, start: int) -> list[str]:
        """Names of the layers from the start-th on."""
        return [layer.name for layer in self.layers[start:]]

    def set_rates(self, names: Iterable[str], *rates: Rate) -> None:
        """Gives the parameter blobs of the named layers these rates, the last one repeated.

        Layers without parameters are left alone.
        """
        wanted = set(names)
        for index, entry in enumerate(self.entries):
            if isinstance(entry, Layer) and entry.name in wanted:
                count = parameter_count(entry)
                filled = (*rates, *([rates[-1]] * count))[:count]
                self.entries[index] = replace(entry, rates=filled)

    def text(self) -> str:
        parts = [_comment(self.heading), f'name: "{self.name}"\n']
        for entry in self.entries:
            if isinstance(entry, Layer):
                parts.append(f"layer {{\n{_fields(entry.message(), '  ')}}}\n")
            else:
                parts.append("\n" + _comment(entry))
        return "".join(parts)


FROZEN = Rate(0, 0)


def parameter_count(layer: Layer) -> int:
    """How many parameter blobs a layer has that a prototxt may give rates to."""
    settings = layer.settings
    if layer.type in ("Convolution", "Deconvolution"):
        return 2 if settings["convolution_param"].get("bias_term", True) else 1
    if layer.type == "Scale":
        return 2 if settings.get("scale_param", {}).get("bias_term", False) else 1
    return {"BatchNorm": 3, "Normalize": 1}.get(layer.type, 0)


def solver_text(heading: str, fields: Mapping[str, Value]) -> str:
    """A SolverParameter as text, one field a line."""
    return _comment(heading) + _fields(fields, "")


def _comment(text: str) -> str:
    return "".join(f"# {line}".rstrip() + "\n" for line in text.splitlines())


def _fields(message: Mapping[str, Value], indent: str) -> str:
    """One line a field; a nested message that fits stays on its line."""
    lines = []
    for name, value in _flat(message):
        if isinstance(value, Mapping):
            short = f"{indent}{name} {{ {_inline(value)} }}\n"
            if len(short) <= LINE_LENGTH:
                lines.append(short)
            else:
                lines.append(f"{indent}{name} {{\n{_fields(value, indent + '  ')}{indent}}}\n")
        else:
            lines.append(f"{indent}{name}: {_scalar(value)}\n")
    return "".join(lines)


def _inline(message: Mapping[str, Value]) -> str:
    return " ".join(
        f"{name} {{ {_inline(value)} }}"
        if isinstance(value, Mapping)
        else f"{name}: {_scalar(value)}"
        for name, value in _flat(message)
    )


def _flat(message: Mapping[str, Value]) -> list[tuple[str, Value]]:
    pairs: list[tuple[str, Value]] = []
    for name, value in message.items():
        pairs += [(name, item) for item in value] if isinstance(value, list) else [(name, value)]
    return pairs


def _scalar(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Name):
        return str(value)
    if isinstance(value, str):
        escaped = value.replace("\\", "\\\\").replace('"', '\\"')
        return f'"{escaped}"'
    return repr(value)
