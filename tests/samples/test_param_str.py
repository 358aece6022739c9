"""Reading of param_str: literals only, unknown keys by name."""

from dataclasses import dataclass

import pytest

from segflow.errors import DataError
from segflow.samples.param_str import read_settings


@dataclass(frozen=True)
class Toy:
    split: str
    seed: int | None = None
    rate: float = 1.0
    randomize: bool = True
    mean: tuple = ()
    folders: str | tuple = ""


def test_python_and_json_dictionaries_are_read():
    want = Toy("train", 3, 2.0, False, (1, 2.5))
    text = "{'split': 'train', 'seed': 3, 'rate': 2, 'randomize': 0, 'mean': (1, 2.5)}"
    assert read_settings(text, Toy, "L") == want
    json = '{"split": "train", "seed": 3, "rate": 2, "randomize": false, "mean": [1, 2.5]}'
    assert read_settings(json, Toy, "L") == want
    assert read_settings("{'split': 'a', 'seed': None, 'folders': ['b']}", Toy, "L").seed is None


@pytest.mark.parametrize(
    "text, words",
    [
        ("{'splt': 'train'}", "L: .*unknown key 'splt'; did you mean 'split'"),
        ("{'split': 'a', 'zzzz': 1}", "unknown key 'zzzz'; it takes split, seed"),
        ("{'seed': 1}", "lacks the key 'split'"),
        ("{'split': 3}", "'split' wants str, got 3"),
        ("{'split': 'a', 'seed': 1.5}", "'seed' wants int or None"),
        ("{'split': 'a', 'seed': True}", "'seed' wants int or None"),
        ("{'split': 'a', 'randomize': 2}", "'randomize' wants bool"),
        ("", "must be a dictionary"),
        ("[1, 2]", "must be a dictionary"),
        ("{'split': open('x')}", "plain values"),
        ("__import__('os').system('true')", "plain values"),
        ("{1: 2}", "names as keys"),
    ],
)
def test_bad_text_is_refused_with_what_is_wrong(text, words):
    with pytest.raises(DataError, match=words):
        read_settings(text, Toy, "L")
