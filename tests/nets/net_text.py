"""Reads prototxt text without the engine or protobuf, as far as the bundled nets use it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TOKEN = re.compile(r'\s+|#[^\n]*|(?P<token>"(?:\\.|[^"\\])*"|[{}:]|[^\s{}:#"]+)')

Value = "bool | int | float | str | Message"


class Message(dict[str, list]):
    """Field name -> its values in order."""

    def one(self, name: str, default: object = None) -> object:
        values = self.get(name, [])
        assert len(values) <= 1, f"{name} is given {len(values)} times"
        return values[0] if values else default

    def sub(self, name: str) -> Message:
        return self.one(name, Message())


def parse(text: str) -> Message:
    tokens = (match["token"] for match in _TOKEN.finditer(text) if match["token"])
    return _message(tokens, top=True)


def _message(tokens: Iterator[str], *, top: bool = False) -> Message:
    message = Message()
    for token in tokens:
        if token == "}":
            assert not top, "a } too many"
            return message
        separator = next(tokens)
        value = _message(tokens) if separator == "{" else _scalar(next(tokens))
        message.setdefault(token, []).append(value)
    assert top, "a } is missing"
    return message


def _scalar(token: str) -> object:
    if token.startswith('"'):
        return token[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if token in ("true", "false"):
        return token == "true"
    for kind in (int, float):
        try:
            return kind(token)
        except ValueError:
            continue
    return token


@dataclass(frozen=True)
class NetLayer:
    """One layer of a net's text."""

    name: str
    type: str
    bottoms: tuple[str, ...]
    tops: tuple[str, ...]
    message: Message

    def settings(self, name: str) -> Message:
        return self.message.sub(name)

    @property
    def lr_mults(self) -> list[object]:
        """The rates given, None for a `param` without one."""
        return [param.one("lr_mult") for param in self.message.get("param", [])]


def read_net(path: Path) -> list[NetLayer]:
    return [
        NetLayer(
            layer.one("name"),
            layer.one("type"),
            tuple(layer.get("bottom", [])),
            tuple(layer.get("top", [])),
            layer,
        )
        for layer in parse(path.read_text()).get("layer", [])
    ]
