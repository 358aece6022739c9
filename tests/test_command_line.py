"""What all commands share: failing, tables, progress."""

import os

import pytest

from segflow import cli
from segflow.errors import DataError, UsageError


def run_raising(error, arguments=()):
    def command(_options):
        raise error

    return cli.run(cli.Parser(prog="tool"), command, list(arguments))


@pytest.mark.parametrize(
    "error, status, line",
    [
        (UsageError("a and b do not go together"), 2, "tool: a and b do not go together"),
        (DataError("x.png: not\nreadable"), 1, "tool: x.png: not readable"),
        (FileNotFoundError(2, "No such file", "x"), 1, "tool: x: No such file"),
        (RuntimeError("layer conv1 failed"), 1, "tool: layer conv1 failed"),
        (MemoryError(), 1, "tool: MemoryError"),
        (KeyboardInterrupt(), 130, "tool: interrupted"),
    ],
)
def test_expected_failure_is_one_line_and_a_status(capsys, error, status, line):
    assert run_raising(error) == status
    assert capsys.readouterr().err == line + "\n"


def test_debug_and_defects_keep_their_traceback():
    with pytest.raises(DataError):
        run_raising(DataError("x"), ["--debug"])
    with pytest.raises(TypeError):
        run_raising(TypeError("a defect"))


def test_status_of_the_command_is_handed_on():
    assert cli.run(cli.Parser(prog="tool"), lambda options: None, []) == 0
    assert cli.run(cli.Parser(prog="tool"), lambda options: 7, []) == 7


def test_wrong_arguments_are_one_line_with_status_2(capsys):
    with pytest.raises(SystemExit) as caught:
        cli.run(cli.Parser(prog="tool"), lambda options: None, ["--nonsense"])
    assert caught.value.code == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and "--nonsense" in error and "tool --help" in error


@pytest.mark.parametrize("given, policy", [(None, "passive"), ("active", "active")])
def test_threads_wait_without_spinning_unless_the_user_says_otherwise(monkeypatch, given, policy):
    monkeypatch.setenv("OMP_WAIT_POLICY", given or "")  # remembers what to restore
    if given is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    seen = []
    cli.run(cli.Parser(prog="tool"), lambda options: seen.append(os.environ["OMP_WAIT_POLICY"]), [])
    assert seen == [policy]


def test_table_has_aligned_columns_where_there_is_no_terminal(capsys):
    cli.print_table(["name", "J"], [["a", "0.5"], ["overall", "10.25"]])
    assert capsys.readouterr().out == "name         J\na          0.5\noverall  10.25\n"


def test_progress_passes_items_on_and_reports_in_lines(capsys):
    assert list(cli.track([1, 2, 3], "items", seconds_between_lines=0)) == [1, 2, 3]
    assert capsys.readouterr().err.splitlines() == [
        "items: 1 of 3",
        "items: 2 of 3",
        "items: 3 of 3",
    ]
    assert list(cli.track(iter([1, 2]), "items")) == [1, 2]
    assert capsys.readouterr().err == ""
