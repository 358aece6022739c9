"""Everything that wants a real GPU, in a few minutes: tests, sanitizer, benchmark.

Parts have time limits of their own; one that fails or takes too long does not stop the others.
What they say goes into files as it comes; `summary.md` and `results.json` are written anew
after each part, so that a run that is cut off leaves what it had.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from segflow.gpu.gtest import Outcome, list_tests, run_tests
from segflow.gpu.side_by_side import comparison

ROOT = Path(__file__).resolve().parents[2]
TESTS = ROOT / "caffe/build/caffe_tests"
GPU_TESTS = "Gpu*"
SANITIZED = (
    "GpuActivations*:GpuDense*:GpuElementwise*:GpuFlow*:GpuIm2col*:GpuLosses*:GpuMath*:"
    "GpuMemory.Reordering*:GpuPooling*:GpuRandom*:GpuScores*:GpuShapes*:GpuSolvers*"
)
PYTHON_TESTS = (
    "caffe/python/caffe/test",
    "tests/nets",
    "tests/inference",
    "tests/test_bundled_weights.py",
    "tests/test_data_layers.py",
)
LIBRARIES = re.compile(r"^\s*(lib(?:cudart|cublas|cublasLt|cudnn)\S*) => not found", re.M)


@dataclass
class Result:
    """One line of the summary, and what belongs below it."""

    part: str
    state: str  # "passed", "FAILED", "timed out", "not run"
    seconds: float
    detail: str
    below: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Options:
    """What a person chooses."""

    results: Path
    only: frozenset[str]  # parts; empty: all
    peers: Path | None = None  # gpu_peers.py
    table: Path | None = None  # its list of layers
    workers: int = 6
    scale: float = 1.0  # of the time limits


class Check:
    """The parts, in order; those of one stage run side by side."""

    def __init__(self, options: Options):
        self.options = options
        self.results: list[Result] = []
        self.began = time.monotonic()
        self.env = environment()
        self._lock = threading.Lock()
        options.results.mkdir(parents=True, exist_ok=True)

    def stages(self) -> list[dict[str, tuple[float, Callable[[float], Result]]]]:
        """Of each part: its seconds and what runs it."""
        sanitizer = {
            tool: (100.0, lambda most, tool=tool: self.sanitizer(tool, most))
            for tool in ("memcheck", "racecheck", "initcheck")
        }
        stages = [
            {"machine": (15.0, self.machine)},
            {
                "cpp_gpu": (60.0, lambda most: self.cpp("cpp_gpu", GPU_TESTS, False, most)),
                "cpp_all": (100.0, lambda most: self.cpp("cpp_all", "*", True, most)),
                "python": (140.0, self.python),
                **sanitizer,
            },
            {"bench": (75.0, self.bench)},
            {"peers": (115.0, self.peers)},
        ]
        only = self.options.only
        if self.options.peers is None:
            stages.pop()
        return [
            {name: part for name, part in stage.items() if not only or name in only}
            for stage in stages
        ]

    def run(self) -> bool:
        """All parts; True if each passed."""
        for stage in self.stages():
            threads = [
                threading.Thread(target=self._part, args=(name, seconds, body))
                for name, (seconds, body) in stage.items()
            ]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        print(self.summary(), flush=True)
        return all(result.state == "passed" for result in self.results)

    def _part(self, name: str, seconds: float, body: Callable[[float], Result]) -> None:
        began = time.monotonic()
        try:
            result = body(seconds * self.options.scale)
        except Exception as error:  # whatever it is, the other parts go on
            result = Result(name, "FAILED", 0, f"{type(error).__name__}: {error}"[:600])
        result.part, result.seconds = name, round(time.monotonic() - began, 1)
        print(f"{name}: {result.state}, {result.seconds} s, {result.detail}", flush=True)
        with self._lock:
            self.results.append(result)
            (self.options.results / "summary.md").write_text(self.summary())
            (self.options.results / "results.json").write_text(
                json.dumps([vars(result) for result in self.results], indent=1) + "\n"
            )

    def summary(self) -> str:
        lines = ["| part | result | seconds | |", "|---|---|---|---|"]
        for r in self.results:
            detail = r.detail.replace("\n", " ").replace("|", "/")
            lines.append(f"| {r.part} | {r.state} | {r.seconds} | {detail} |")
        lines.append(f"| all | | {time.monotonic() - self.began:.0f} | |")
        lines += comparison(
            self.options.results / "bench_caffe.json", self.options.results / "bench_peers.json"
        )
        for r in self.results:
            if r.below:
                lines += ["", f"## {r.part}", "", *r.below]
        return "\n".join(lines) + "\n"

    # ---- the parts ----------------------------------------------------------------------------

    def machine(self, most: float) -> Result:
        """Who the machine is, and whether the binaries find their libraries."""
        smi = _output(
            ["nvidia-smi", "--query-gpu=name,driver_version,memory.total", "--format=csv,noheader"]
        )
        missing = LIBRARIES.findall(_output(["ldd", TESTS], self.env))
        package = (ROOT / "PACKAGE").read_text() if (ROOT / "PACKAGE").exists() else "a checkout"
        below = [
            *package.splitlines(),
            f"python {sys.version.split()[0]} {sys.executable}",
            f"LD_LIBRARY_PATH={self.env.get('LD_LIBRARY_PATH', '')}",
        ]
        state = "FAILED" if missing else "passed"
        detail = f"not found: {', '.join(missing)}" if missing else smi.strip() or "no nvidia-smi"
        return Result("machine", state, 0, detail, ["```", *below, "```"])

    def cpp(self, part: str, gtest_filter: str, gpu_mode: bool, most: float) -> Result:
        """The C++ suite, or its GPU part; in GPU mode every test begins in it."""
        began = time.monotonic()
        env = self.env | ({"CAFFE_TEST_MODE": "gpu"} if gpu_mode else {})
        names = list_tests(TESTS, gtest_filter, env)
        with (self.options.results / f"{part}.log").open("w") as log:
            outcome = run_tests(
                [str(TESTS)], names, most - (time.monotonic() - began), _writer(log), env,
                self.options.workers if gpu_mode else 2,
            )  # fmt: skip
        return result_of_tests(part, outcome)

    def sanitizer(self, tool: str, most: float) -> Result:
        """compute-sanitizer over the kernels of our own."""
        began = time.monotonic()
        program = find_sanitizer()
        names = list_tests(TESTS, SANITIZED, self.env)
        command = [program, f"--tool={tool}", "--error-exitcode=9", "--print-limit=20", str(TESTS)]
        # Buffers as the driver gives them, so that an access beyond one is seen.
        env = self.env | {"CAFFE_DEVICE_CACHE": "off", "CAFFE_GRAPH": "off"}
        found: list[str] = []
        path = self.options.results / "sanitizer.log"
        with path.open("a") as file:
            write = _writer(file)

            def log(line: str) -> None:
                if line.startswith("========="):
                    write(f"{tool} {line}")
                    if re.search(r"ERROR SUMMARY: [1-9]|HAZARD|Error:|error", line):
                        found.append(line.strip("= \n"))
                elif line.startswith("[ RUN") or line.startswith("[  FAILED"):
                    write(f"{tool} {line}")

            seconds = most - (time.monotonic() - began)
            outcome = run_tests(command, names, seconds, log, env, 2, seconds)
        result = result_of_tests(tool, outcome)
        found = [line for line in found if not re.search(r"SUMMARY: 0 ", line)]
        if found:
            result.state = "FAILED"
            result.below = ["```", *found[:25], "```", *result.below]
        result.detail += f", {len(found)} complaints"
        return result

    def python(self, most: float) -> Result:
        """pycaffe's tests and those of the nets and of inference, in GPU mode."""
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--tb=short",
            "-rfE",
            "-p",
            "no:cacheprovider",
        ]
        modules = _output([sys.executable, "-c", _FIND_PLUGINS]).split()
        if "xdist" in modules:
            command += ["-n", str(self.options.workers)]
        if "pytest_timeout" in modules:
            command += ["--timeout=60"]
        command += [name for name in PYTHON_TESTS if (ROOT / name).exists()]
        log = self.options.results / "python.log"
        env = self.env | {"CAFFE_TEST_MODE": "gpu"}
        status = _logged(command, log, most, env)
        text = log.read_text(errors="replace")
        counts = re.findall(
            r"^(?:=+ )?(\d+ (?:passed|failed|skipped|error).*?)(?: =+)?$", text, re.M
        )
        failed = re.findall(r"^(?:FAILED|ERROR) (.*)$", text, re.M)
        state = "timed out" if status is None else "passed" if status == 0 else "FAILED"
        detail = counts[-1] if counts else f"exit status {status}"
        return Result("python", state, 0, detail, [f"- `{name[:300]}`" for name in failed[:60]])

    def bench(self, most: float) -> Result:
        """Our rows; choices.txt says what was measured for each convolution."""
        path = self.options.results / "bench_caffe.json"
        command = [sys.executable, "tools/bench.py", "gpu", "--threads", "8", "--json", str(path)]
        command += ["--deadline", str(max(5, most - 12))]
        env = self.env | {"CAFFE_REPORT_CHOICES": "1", "GLOG_minloglevel": "0"}
        return self._rows("bench", command, path, most, env)

    def peers(self, most: float) -> Result:
        """PyTorch's rows on the same card."""
        assert self.options.peers is not None
        path = self.options.results / "bench_peers.json"
        command = [
            sys.executable,
            str(self.options.peers),
            "--bench",
            str(self.options.peers.parent),
        ]
        if self.options.table is not None:
            command += ["--table", str(self.options.table)]
        command += ["--deadline", str(max(5, most - 8)), "--json", str(path)]
        return self._rows("peers", command, path, most, self.env)

    def _rows(
        self, part: str, command: list[str], path: Path, most: float, env: dict[str, str]
    ) -> Result:
        log = path.with_suffix(".log")
        status = _logged(command, log, most, env)
        said = log.read_text(errors="replace")
        choices = [line for line in said.splitlines() if ": ms; " in line]
        if choices:
            (self.options.results / "choices.txt").write_text("\n".join(choices) + "\n")
        log.unlink()  # its lines are in the JSON; what else it said goes into the summary
        rows = json.loads(path.read_text())["rows"] if path.exists() else []
        timed = [row for row in rows if "median_ms" in row]
        failed = [f"{row['name']}: {row['error']}" for row in rows if "error" in row]
        state = "timed out" if status is None else "FAILED" if status or failed else "passed"
        skipped = len(rows) - len(timed) - len(failed)
        detail = f"{len(timed)} rows, {len(failed)} failed, {skipped} skipped"
        below = [f"- {line}" for line in failed]
        if status != 0:
            below += ["```", *said.splitlines()[-25:], "```"]
        return Result(part, state if rows else "FAILED", 0, detail, below)


_FIND_PLUGINS = (
    "import importlib.util as u; print(*[n for n in ('xdist', 'pytest_timeout') if u.find_spec(n)])"
)


def result_of_tests(part: str, outcome: Outcome) -> Result:
    """Counts, and each failure's first lines."""
    state = "passed" if outcome.good else "timed out" if not outcome.failed else "FAILED"
    detail = (
        f"{len(outcome.passed)} passed, {len(outcome.failed)} failed, "
        f"{len(outcome.skipped)} skipped, {len(outcome.not_run)} not run"
    )
    below = []
    for name, message in sorted(outcome.failed.items())[:60]:
        below += [f"- `{name}`", "", *(f"      {line}" for line in message.splitlines()), ""]
    if outcome.not_run:
        below.append(f"not run: {', '.join(outcome.not_run[:40])}")
    return Result(part, state, 0, detail, below)


def environment() -> dict[str, str]:
    """This process's, with the folders of CUDA's libraries that the loader does not find."""
    env = dict(os.environ)
    modules = [ROOT, ROOT / "caffe/python"]
    if importlib.util.find_spec("av") is None:
        modules.append(_stand_in_for_av())
    env["PYTHONPATH"] = os.pathsep.join(map(str, modules))
    env["PYTHONDONTWRITEBYTECODE"] = env["PYTHONUNBUFFERED"] = "1"
    env.setdefault("OMP_NUM_THREADS", "2")
    env["OMP_WAIT_POLICY"] = "passive"
    places = [Path("/usr/local/cuda/lib64"), Path("/usr/local/cuda/lib")]
    for folder in sys.path:
        places += sorted(Path(folder).glob("nvidia/*/lib")) if folder else []
    for name in sorted(set(LIBRARIES.findall(_output(["ldd", TESTS], env)))):
        place = next((p for p in places if (p / name).exists()), None)
        paths = env.get("LD_LIBRARY_PATH", "").split(os.pathsep)
        if place is not None and str(place) not in paths:
            env["LD_LIBRARY_PATH"] = os.pathsep.join([str(place), *filter(None, paths)])
    return env


_STAND_IN = """
class _Naming(type):
    def __getattr__(cls, name):
        return cls

    def __call__(cls, *arguments, **more):
        raise RuntimeError("PyAV is not on this machine")


class Absent(Exception, metaclass=_Naming):
    pass


def __getattr__(name):
    if name.startswith("__"):
        raise AttributeError(name)
    return Absent
"""


def _stand_in_for_av() -> Path:
    """A folder with a module `av` for machines without PyAV: it can be imported, and says so
    where video is read or written."""
    folder = ROOT / "stand_ins"
    folder.mkdir(exist_ok=True)
    (folder / "av.py").write_text(_STAND_IN)
    return folder


def find_sanitizer() -> str:
    """compute-sanitizer's path; FileNotFoundError where there is none."""
    places = [
        shutil.which("compute-sanitizer"),
        "/usr/local/cuda/bin/compute-sanitizer",
        "/usr/local/cuda/compute-sanitizer/compute-sanitizer",
    ]
    for place in places:
        if place and Path(place).exists():
            return place
    raise FileNotFoundError("compute-sanitizer is not here")


def _output(command: Sequence[str | Path], env: dict[str, str] | None = None) -> str:
    """What a short command says; nothing where it cannot be run."""
    try:
        words = [str(word) for word in command]
        return subprocess.run(words, capture_output=True, text=True, env=env, timeout=20).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _writer(file) -> Callable[[str], None]:
    """Writes lines of several threads, at once."""
    lock = threading.Lock()

    def write(line: str) -> None:
        with lock:
            file.write(line)
            file.flush()

    return write


def _logged(command: Sequence[str], log: Path, most: float, env: dict[str, str]) -> int | None:
    """Exit status, None where the time was over: it is interrupted, and killed after 8 s more."""
    with log.open("w") as file:
        process = subprocess.Popen(
            list(command), stdout=file, stderr=subprocess.STDOUT, env=env, cwd=ROOT,
            start_new_session=True,
        )  # fmt: skip
        try:
            return process.wait(max(1, most - 8))
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(8)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            return None
