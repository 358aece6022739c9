"""Test programs in several processes: every test has an outcome whatever one of them does."""

import os
import textwrap
from pathlib import Path

import pytest

from segflow.gpu.gtest import list_tests, run_tests

PROGRAM = """
    import os, re, sys, time
    TESTS = {
        "Sum.Adds": "pass", "Sum.Overflows": "fail", "Sum.NeedsMemory": "skip",
        "Warp.Reads": "break", "Warp.Writes": "pass", "Warp.Ends": "die", "Warp.Waits": "hang",
        "Flow/0.Moves": "pass", "Flow/0.DISABLED_Old": "fail",
    }
    wanted = [a[14:] for a in sys.argv if a.startswith("--gtest_filter=")]
    for a in sys.argv:
        if a.startswith("--gtest_flagfile="):
            wanted = [open(a[17:]).read().strip()[15:]]
    if "--gtest_list_tests" in sys.argv:
        print("Device 0: none")
        suite = None
        for name in TESTS:
            if name.split(".")[0] != suite:
                suite = name.split(".")[0]
                print(suite + ".  # TypeParam = float")
            print("  " + name.split(".")[1])
        sys.exit()
    broken = False
    for name in wanted[0].split(":"):
        print("[ RUN      ] " + name, flush=True)
        what = TESTS[name]
        if what == "die": os._exit(3)
        if what == "hang": time.sleep(60)
        if what == "break": broken = True
        if broken: print("CUDA error: an illegal memory access was encountered")
        elif what == "fail": print("x.cpp:3: Failure: 1 is not 2")
        state = "[  FAILED  ]" if what == "fail" or broken else (
            "[  SKIPPED ]" if what == "skip" else "[       OK ]")
        print(f"{state} {name} (0 ms)", flush=True)
"""


@pytest.fixture
def program(tmp_path: Path) -> Path:
    path = tmp_path / "tests"
    # Not sys.executable: a folder with a space in its name cannot stand in a first line.
    path.write_text(f"#!/usr/bin/env python3\n{textwrap.dedent(PROGRAM)}")
    path.chmod(0o755)
    return path


def test_disabled_tests_are_not_listed(program: Path) -> None:
    names = list_tests(program, "*", os.environ)
    assert len(names) == 8 and "Flow/0.Moves" in names


@pytest.mark.parametrize("workers", [1, 3])
def test_a_test_that_fails_ends_hangs_or_breaks_the_device_costs_itself_alone(
    program: Path, workers: int
) -> None:
    lines: list[str] = []
    names = list_tests(program, "*", os.environ)
    outcome = run_tests([str(program)], names, 60, lines.append, os.environ, workers, 5.0)
    assert sorted(outcome.passed) == ["Flow/0.Moves", "Sum.Adds", "Warp.Writes"]
    assert outcome.skipped == ["Sum.NeedsMemory"] and outcome.not_run == []
    words = {
        "Sum.Overflows": "1 is not 2",
        "Warp.Reads": "illegal memory access",
        "Warp.Ends": "ended its process (3)",
        "Warp.Waits": "hangs",
    }
    assert set(outcome.failed) == set(words) and not outcome.good
    for name, text in words.items():
        assert text in outcome.failed[name]
    assert any("1 is not 2" in line for line in lines)


def test_what_the_time_does_not_allow_is_named(program: Path) -> None:
    names = ["Warp.Waits", "Sum.Adds"]
    outcome = run_tests([str(program)], names, 1.0, lambda line: None, os.environ, 1, 30.0)
    assert outcome.not_run == names and not outcome.good
