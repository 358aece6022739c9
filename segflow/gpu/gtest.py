"""GoogleTest programs in several processes, each test's outcome kept whatever happens.

A test that ends its process, hangs, or leaves the GPU's context broken (every later call fails
then) costs itself alone: the tests behind it run in a new process.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BROKEN = re.compile(
    r"illegal memory access|unspecified launch failure|misaligned address|illegal instruction|"
    r"device-side assert|an illegal address|hardware stack error|cudaErrorLaunchFailure"
)
ENDED = re.compile(r"^\[ +(OK|FAILED|SKIPPED) +\] (\S+?)(?:,| \(|$)")
MESSAGE_LINES = 12  # of a failure that go into the report


@dataclass
class Outcome:
    """What became of the tests, by name; `failed` with the first lines of the message."""

    passed: list[str] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    not_run: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        return not self.failed and not self.not_run and bool(self.passed)


def list_tests(program: Path, gtest_filter: str, env: Mapping[str, str]) -> list[str]:
    """Names as `Suite.Test`, without disabled ones."""
    listed = subprocess.run(
        [str(program), "--gtest_list_tests", f"--gtest_filter={gtest_filter}"],
        capture_output=True, text=True, env=dict(env), cwd=program.parent, timeout=60,
    )  # fmt: skip
    if listed.returncode != 0:
        raise RuntimeError((listed.stdout + listed.stderr).strip()[-600:] or "no list of tests")
    names, suite = [], ""
    for line in listed.stdout.splitlines():
        word = line.split("#")[0].strip()
        if line.startswith("  "):
            if "DISABLED_" not in suite + word:
                names.append(suite + word)
        elif word.endswith("."):
            suite = word
    return names


class _Worker:
    """Runs its tests one process after another until none is left."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]):
        self._command, self._folder, self._env = list(command), folder, dict(env)
        self.outcome = Outcome()

    def run(self, names: list[str], until: float, log: Callable[[str], None], most: float) -> None:
        left = list(names)
        while left and time.monotonic() < until:
            done = self._process(left, until, log, most)
            left = [name for name in left if name not in done]
            if not done:
                break
        self.outcome.not_run += left

    def _process(self, names: list[str], until: float, log, most: float) -> set[str]:
        """One process; the tests that have an outcome now."""
        with tempfile.NamedTemporaryFile("w", suffix=".flags") as flags:
            flags.write("--gtest_filter=" + ":".join(names) + "\n")
            flags.flush()
            process = subprocess.Popen(
                [*self._command, f"--gtest_flagfile={flags.name}"],
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace",
                env=self._env, cwd=self._folder, start_new_session=True,
            )  # fmt: skip
            try:
                return self._read(process, until, log, most)
            finally:
                if process.poll() is None:
                    os.killpg(process.pid, 9)
                process.wait()

    def _read(self, process: subprocess.Popen, until: float, log, most: float) -> set[str]:
        lines: queue.Queue[str | None] = queue.Queue()

        def pump() -> None:
            assert process.stdout is not None
            for line in process.stdout:
                lines.put(line)
            lines.put(None)

        threading.Thread(target=pump, daemon=True).start()
        done: set[str] = set()
        running, began = "", time.monotonic()
        said: list[str] = []
        while True:
            limit = min(until, began + most)
            try:
                line = lines.get(timeout=max(0.01, limit - time.monotonic()))
            except queue.Empty:
                if running and time.monotonic() < until:
                    self._fail(running, f"hangs: no end within {most:.0f} s", log)
                    done.add(running)
                return done
            if line is None:
                if running:
                    process.wait()
                    text = "".join(said[-MESSAGE_LINES:])
                    self._fail(running, f"ended its process ({process.returncode})\n{text}", log)
                    done.add(running)
                return done
            log(line)
            if line.startswith("[ RUN      ] "):
                running, began, said = line[13:].strip(), time.monotonic(), []
                continue
            ended = ENDED.match(line)
            if not (running and ended and ended[2] == running):
                said.append(line)
                continue
            done.add(running)
            text = "".join(said)
            if ended[1] == "OK":
                self.outcome.passed.append(running)
            elif ended[1] == "SKIPPED":
                self.outcome.skipped.append(running)
            else:
                self.outcome.failed[running] = "".join(said[:MESSAGE_LINES])
            running = ""
            if ended[1] == "FAILED" and BROKEN.search(text):
                return done  # the context is broken: the next tests want a new process

    def _fail(self, name: str, why: str, log: Callable[[str], None]) -> None:
        self.outcome.failed[name] = why
        log(f"{name} {why}\n")


def run_tests(
    command: Sequence[str],
    names: Sequence[str],
    seconds: float,
    log: Callable[[str], None],
    env: Mapping[str, str],
    workers: int = 4,
    most_per_test: float = 30,
) -> Outcome:
    """Run the named tests; `command` is the program, perhaps behind a tool that watches it."""
    until = time.monotonic() + seconds
    folder = Path(command[-1]).parent
    crew = [_Worker(command, folder, env) for _ in range(max(1, min(workers, len(names))))]
    threads = [
        threading.Thread(
            target=worker.run, args=(list(names[k :: len(crew)]), until, log, most_per_test)
        )
        for k, worker in enumerate(crew)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    whole = Outcome()
    for worker in crew:
        whole.passed += worker.outcome.passed
        whole.skipped += worker.outcome.skipped
        whole.failed.update(worker.outcome.failed)
        whole.not_run += worker.outcome.not_run
    return whole
