"""Safe reading of a Python layer's param_str: a Python or JSON literal, never evaluated."""

from __future__ import annotations

import ast
import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from types import NoneType, UnionType
from typing import Any, TypeVar, get_args, get_type_hints

from segflow.errors import DataError

Settings = TypeVar("Settings")


def read_settings(text: str, settings: type[Settings], layer: str) -> Settings:
    """The dictionary in `text` as an instance of the dataclass `settings`.

    Fields without a default are required. A value must have one of the field's kinds: int, float,
    bool (0 and 1 too), str, tuple (a list too), dict or None. Raises DataError, in the name of
    `layer`, for text that is not a dictionary and for a missing, unknown or wrong field.
    """
    values = parse_literal(text, layer)
    known = {field.name: field for field in fields(settings)}  # type: ignore[arg-type]
    for name in values:
        if name not in known:
            raise DataError(
                f"{layer}: param_str has an unknown key {name!r}{_nearest(name, known)}"
            )
    for name, field in known.items():
        required = field.default is MISSING and field.default_factory is MISSING
        if required and name not in values:
            raise DataError(
                f"{layer}: param_str lacks the key {name!r}; it takes {', '.join(known)}"
            )
    kinds = get_type_hints(settings)
    return settings(**{n: _of_kind(v, kinds[n], n, layer) for n, v in values.items()})


def parse_literal(text: str, layer: str) -> dict[str, Any]:
    """The dictionary written in `text`, as Python or as JSON. Raises DataError otherwise."""
    try:
        values = ast.literal_eval(text.strip())
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        try:
            values = json.loads(text)
        except (ValueError, RecursionError):
            raise DataError(
                f"{layer}: param_str must be a dictionary of plain values, as "
                f"\"{{'split': 'train', 'seed': 1}}\"; got {text!r}"
            ) from None
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise DataError(f"{layer}: param_str must be a dictionary with names as keys, got {text!r}")
    return values


def _nearest(name: str, known: Mapping[str, Any] | Sequence[str]) -> str:
    close = difflib.get_close_matches(name, list(known), 1, 0.5)
    return f"; did you mean {close[0]!r}?" if close else f"; it takes {', '.join(known)}"


def _of_kind(value: Any, hint: Any, name: str, layer: str) -> Any:
    """The value as one of the types of the field's hint (`str | tuple`, say), or DataError."""
    kinds = get_args(hint) if isinstance(hint, UnionType) else (hint,)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    for kind in kinds:
        if kind is bool and value in (0, 1):
            return bool(value)
        if kind is float and is_number:
            return float(value)
        if kind is tuple and isinstance(value, (list, tuple)):
            return tuple(value)
        if kind is int and is_number and isinstance(value, int):
            return value
        if kind in (str, dict, NoneType) and isinstance(value, kind):
            return value
    wanted = " or ".join("None" if kind is NoneType else kind.__name__ for kind in kinds)
    raise DataError(f"{layer}: param_str key {name!r} wants {wanted}, got {value!r}")
