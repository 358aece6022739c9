"""The operator benchmark: PyTorch's forms compute what the layers do, and it runs without them."""

import importlib.util
import subprocess
import sys
import time
from pathlib import Path

import pytest

from segflow.bench import operators
from segflow.bench.measure import interleaved_seconds

ROOT = Path(__file__).resolve().parents[2]
SMALL = [
    operators.correlation(5, 7, 9, 2, 1),
    operators.correlation(3, 6, 37, 4, 2),
    operators.correlation(4, 8, 70, 20, 2),
    operators.flow_warp(3, 11, 13),
]
NEEDS_PYTORCH = pytest.mark.skipif(
    importlib.util.find_spec("torch") is None, reason="PyTorch is not installed"
)


@NEEDS_PYTORCH
@pytest.mark.parametrize("operator", SMALL, ids=lambda operator: operator.name)
def test_pytorch_forms_give_the_layers_numbers(operator):
    net = operators.operator_net(operator)
    forms = operators.pytorch_forms(operator)
    assert len(forms) == (1 if operator.window is None else 6)
    for name, form in forms.items():
        operators.check_form(name, form, net)


@NEEDS_PYTORCH
def test_a_form_that_computes_something_else_is_refused():
    net = operators.operator_net(SMALL[0])
    forms = operators.pytorch_forms(operators.correlation(5, 7, 9, 2, 1))
    with pytest.raises(ArithmeticError, match='"off": top differs'):
        operators.check_form("off", lambda a, b: 1.01 * forms["shifted products"](a, b), net)


def test_without_pytorch_the_table_says_so(monkeypatch, capsys):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(operators, "OPERATORS", SMALL[:1])
    operators.print_operator_tables(1)
    lines = capsys.readouterr().out.splitlines()
    assert [operators.NO_PYTORCH in line for line in lines] == [False, False, True, True]


def test_a_slow_run_takes_fewer_turns():
    turns: list[str] = []
    runs = {
        "slow": lambda: (turns.append("slow"), time.sleep(0.02)),
        "fast": lambda: turns.append("fast"),
    }
    seconds = interleaved_seconds(runs, repeats=3, seconds_each=0.01)
    assert turns == ["slow", "fast", "fast", "fast", "fast"]
    assert seconds["slow"] >= 0.02


def test_the_compared_benchmarks_start_without_pytorch_and_segflow():
    code = (
        "import runpy, sys\n"
        "runpy.run_path('tools/bench.py', run_name='bench')\n"
        "print(sorted({'torch', 'segflow'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines()[-1] == "[]"
