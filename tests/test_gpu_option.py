"""--gpu of the commands, before any net: what is chosen and what is told."""

import sys
from types import SimpleNamespace

import pytest

from segflow import engine


@pytest.fixture
def calls(monkeypatch):
    """What a caffe with `calls.devices` GPUs is asked for."""
    made = SimpleNamespace(devices=0, list=[])

    def note(name):
        return lambda *values: made.list.append((name, *values))

    names = ("set_logging_disabled", "set_device", "set_mode_gpu")
    caffe = SimpleNamespace(**{name: note(name) for name in names})
    caffe.device_count = lambda: made.devices
    monkeypatch.setitem(sys.modules, "caffe", caffe)
    return made


def test_without_the_option_the_cpu_is_left_alone(calls, capsys):
    engine.start_engine(None)
    assert calls.list == [("set_logging_disabled",)]
    assert capsys.readouterr().err == ""


def test_a_build_without_gpu_code_works_on_the_cpu_and_says_so(calls, capsys):
    engine.start_engine(2)
    assert calls.list[1:] == [("set_device", 2), ("set_mode_gpu",)]
    assert "--gpu has no effect" in capsys.readouterr().err


def test_where_there_is_a_gpu_nothing_is_said(calls, capsys):
    calls.devices = 3
    engine.start_engine(2)
    assert calls.list[1:] == [("set_device", 2), ("set_mode_gpu",)]
    assert capsys.readouterr().err == ""
