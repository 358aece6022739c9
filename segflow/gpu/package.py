"""Builds the engine for one GPU generation and packs it with all that a bare machine lacks.

The package is a copy of the repository's tree as far as it is run: binaries with the shared
libraries that they need beside them, pycaffe, the Python half, nets, bundled weights, tests.
What it expects of the machine: a driver, the CUDA runtime and cuBLAS of the version that it was
built with, cuDNN 9, a Python of the version that it was built for with NumPy and protobuf.
"""

from __future__ import annotations

import io
import lzma
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NAME = "segflow-gpu"
FOLDERS = ("caffe/python", "segflow", "python_layers", "prototxt", "data", "demo", "tools", "tests")
FILES = (
    "pyproject.toml",
    "models/README.md",
    "models/segflow_lite.caffemodel",
    "caffe/src/caffe/proto/caffe.proto",
)
LEFT_OUT = ("tests/build/", "tests/samples/")  # need the sources or the sample programs
SOURCES = (".cpp", ".hpp")
LIBRARIES = "caffe/python/caffe/lib"  # where the Python module looks for libcaffe
#: Libraries that every such machine has, or that belong to its driver and CUDA.
OF_THE_MACHINE = re.compile(
    r"^(ld-linux|linux-vdso|libc\.|libm\.|libdl|librt|libpthread|libresolv|libstdc\+\+|libgcc_s|"
    r"libcrypto|libcuda|libcublas|libcudnn|libnvrtc|libnvJitLink|libnccl|libnvidia)"
)
#: HDF5 can read from S3 and loads this, and thirty libraries behind it. Nobody asks it to here,
#: so an empty one takes its place.
EMPTY = "libcurl.so.4"
WEIGHTS = ".caffemodel"


@dataclass(frozen=True)
class Target:
    """The machine that a package is for, and where things lie here."""

    architectures: str = "90-real"  # CMake's form
    python: str = sys.executable  # of the version there, with its headers
    build: Path = ROOT / "caffe/build_gpu"
    jobs: int = 0  # 0: as many as cores
    cmake: tuple[str, ...] = ()
    keep_going: bool = False  # compile what compiles, to see all errors at once


def _run(*words: str | Path, **more) -> str:
    """The command's output; its complaint as an error where it fails."""
    done = subprocess.run([str(w) for w in words], capture_output=True, text=True, **more)
    if done.returncode != 0:
        tail = (done.stdout + done.stderr).strip()[-2000:]
        raise RuntimeError(f"{words[0]} failed ({done.returncode}):\n{tail}")
    return done.stdout


def find_nvcc() -> str:
    """nvcc's path. FileNotFoundError where there is none."""
    for place in (os.environ.get("CUDACXX"), shutil.which("nvcc"), "/usr/local/cuda/bin/nvcc"):
        if place and Path(place).is_file():
            return place
    raise FileNotFoundError(
        "nvcc was not found on the PATH or in /usr/local/cuda/bin: install CUDA 12 or 13, or "
        "name it with CUDACXX=/path/to/nvcc"
    )


def environment(target: Target) -> Path:
    """A Python of the target's version that has pybind11: its own, or one made in the build
    folder."""
    check = "import pybind11, sys; sys.exit(int(pybind11.__version__.split('.')[0]) < 3)"
    if subprocess.run([target.python, "-c", check], capture_output=True).returncode == 0:
        return Path(target.python)
    python = target.build / "venv/bin/python"
    if not python.exists():
        _run(target.python, "-m", "venv", target.build / "venv")
        _run(python, "-m", "pip", "install", "-q", "pybind11>=3")
    return python


def static_blas() -> list[str]:
    """CMake's argument for the archive of OpenBLAS where it is: what libcaffe takes of it is half
    as large as the shared library, which drags a Fortran run-time along."""
    found = sorted(Path("/usr/lib").glob("*/openblas-openmp/libopenblas.a"))
    return [f"-DCAFFE_BLAS_LIBRARY={found[0]}"] if found else []


def build(target: Target) -> None:
    """Configure and compile; prints the compiler's progress on stderr."""
    target.build.mkdir(parents=True, exist_ok=True)
    ccache = shutil.which("ccache")
    launchers = (
        [f"-DCMAKE_{language}_COMPILER_LAUNCHER={ccache}" for language in ("CXX", "CUDA")]
        if ccache
        else []
    )
    # Old-style run paths: they hold for the libraries of the bundled libraries, too.
    links = [
        f"-DCMAKE_{kind}_LINKER_FLAGS=-Wl,--disable-new-dtags"
        for kind in ("EXE", "SHARED", "MODULE")
    ]
    _run(
        "cmake", "-S", ROOT / "caffe", "-B", target.build,
        *(["-G", "Ninja"] if shutil.which("ninja") else []),
        "-DCMAKE_BUILD_TYPE=Release", "-DCAFFE_USE_CUDA=ON",
        f"-DCMAKE_CUDA_COMPILER={find_nvcc()}",
        f"-DCAFFE_CUDA_ARCHITECTURES={target.architectures}",
        "-DCAFFE_USE_ONEDNN=OFF", "-DCAFFE_USE_MPI=OFF", "-DCAFFE_IN_TREE=OFF",
        "-DCMAKE_BUILD_RPATH_USE_ORIGIN=ON",
        f"-DPython_EXECUTABLE={environment(target)}",
        *static_blas(), *launchers, *links, *target.cmake,
    )  # fmt: skip
    jobs = ["-j", str(target.jobs or os.cpu_count() or 1)]
    variables = {"CCACHE_SLOPPINESS": "pch_defines,time_macros"} | dict(os.environ)
    subprocess.run(
        [
            "cmake",
            "--build",
            str(target.build),
            *jobs,
            *(["--", "-k", "0"] if target.keep_going else []),
        ],
        check=True,
        stdout=sys.stderr,
        env=variables,
    )


def needed_libraries(binaries: list[Path]) -> dict[str, Path]:
    """Shared libraries that the binaries load and that the other machine may lack, by name."""
    places: dict[str, str] = {}
    for binary in binaries:
        places |= dict(re.findall(r"(\S+) => (\S+)", _run("ldd", binary)))
    found: dict[str, Path] = {}
    users = list(binaries)
    while users:
        for name in re.findall(r"NEEDED\s+(\S+)", _run("objdump", "-p", users.pop())):
            if name in found or name.startswith("libcaffe") or name == EMPTY:
                continue
            if OF_THE_MACHINE.match(name):
                continue
            if places.get(name, "not") == "not":
                raise FileNotFoundError(f"{name} is needed and not here")
            found[name] = Path(places[name])
            users.append(found[name])
    return found


def make_empty_library(name: str, user: Path, folder: Path) -> None:
    """A library with the functions that `user` wants of library `name`; each returns 0."""
    functions: dict[str, list[str]] = {}  # by the version that `user` requires
    of_library = False
    for line in _run("objdump", "-p", user).splitlines():
        match = re.match(r"\s+required from (\S+):", line)
        if match:
            of_library = match[1] == name
        elif of_library and (found := re.match(r"\s+0x\S+ 0x\S+ \d+ (\S+)", line)):
            functions[found[1]] = []
    for line in _run("nm", "-D", "--undefined-only", user).splitlines():
        symbol, _, at = line.split()[-1].partition("@")
        if at.lstrip("@") in functions:
            functions[at.lstrip("@")].append(symbol)
    code = "".join(
        f"void *{symbol}(void) {{ return 0; }}\n" for each in functions.values() for symbol in each
    )
    script = "".join(
        f"{key} {{ global: {' '.join(f'{symbol};' for symbol in each)} }};\n"
        for key, each in functions.items()
    )
    with tempfile.TemporaryDirectory() as work:
        (Path(work) / "empty.c").write_text(code)
        (Path(work) / "versions").write_text(script)
        _run(
            "cc", "-shared", "-fPIC", "-w", "-fno-builtin", f"-Wl,-soname,{name}",
            f"-Wl,--version-script={work}/versions", "-o", folder / name, f"{work}/empty.c",
        )  # fmt: skip


def source_files() -> list[Path]:
    """Files of the tree that belong into a package, relative to its root."""
    listed = _run(
        "git",
        "-C",
        ROOT,
        "ls-files",
        "-z",
        "-c",
        "-o",
        "--exclude-standard",
        "--",
        *FOLDERS,
        *FILES,
    )
    names = [
        name
        for name in listed.split("\0")
        if name and not name.startswith(LEFT_OUT) and not name.endswith(SOURCES)
    ]
    return [Path(name) for name in sorted(names) if (ROOT / name).is_file()]


def gather(target: Target, folder: Path) -> None:
    """The package's tree in an empty folder."""
    for path in source_files():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, folder / path)
    libraries = folder / LIBRARIES
    programs = folder / "caffe/build"
    for place in (libraries, programs / "tools", folder / "caffe/python/caffe/proto"):
        place.mkdir(parents=True, exist_ok=True)
    (programs / "lib").symlink_to(os.path.relpath(libraries, programs))
    module = next(target.build.rglob("_caffe.*.so"), None)
    if module is None:
        raise FileNotFoundError(f"{target.build} holds no _caffe.*.so: was pycaffe built?")
    binaries = {
        target.build / "lib/libcaffe.so": libraries,
        target.build / "caffe_tests": programs,
        target.build / "tools/caffe": programs / "tools",
        module: folder / "caffe/python/caffe",
    }
    for source, place in binaries.items():
        _run("strip", "--strip-unneeded", "-o", place / source.name, source)
    shutil.copy2(target.build / "caffe.desc", folder / "caffe/python/caffe/proto/caffe.desc")
    for name, path in needed_libraries(list(binaries)).items():
        shutil.copy2(path.resolve(), libraries / name)
        if EMPTY in _run("objdump", "-p", path):
            make_empty_library(EMPTY, path, libraries)
    (folder / "PACKAGE").write_text(
        f"{_run('git', '-C', ROOT, 'log', '-1', '--format=%H %s').strip()}\n"
        f"architectures {target.architectures}\n"
        f"python {_run(target.python, '--version').strip()}\n"
        f"{_run(find_nvcc(), '--version').strip().splitlines()[-1]}\n"
    )


def _compressed(folder: Path, paths: list[Path], filters: list[dict], last: bool) -> bytes:
    """One xz stream of a tar's part; the last part carries the end of the archive."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path in paths:
            tar.add(path, f"{NAME}/{path.relative_to(folder)}", recursive=False)
        end = tar.offset
    data = buffer.getvalue()
    return lzma.compress(data if last else data[:end], filters=filters)


def archive(folder: Path, path: Path) -> int:
    """Write the folder as a .tar.xz; its bytes.

    Weights and the rest are streams of their own: for 4-byte numbers another setting saves 8 %.
    """
    paths = sorted(folder.rglob("*"))
    weights = [p for p in paths if p.suffix == WEIGHTS]
    rest = [p for p in paths if p.suffix != WEIGHTS]
    plain = [
        {"id": lzma.FILTER_X86},
        {"id": lzma.FILTER_LZMA2, "preset": 9, "dict_size": 1 << 26},
    ]
    numbers = [{"id": lzma.FILTER_LZMA2, "preset": 6, "lc": 1, "lp": 2, "pb": 2}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        _compressed(folder, rest, plain, last=False)
        + _compressed(folder, weights, numbers, last=True)
    )
    return path.stat().st_size
