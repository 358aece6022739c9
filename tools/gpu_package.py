"""Build the engine for a GPU machine and pack it, so that it runs there with nothing installed.

Unpack the archive there (`python3 -m tarfile -e ARCHIVE FOLDER`) and run
`FOLDER/segflow-gpu/tools/gpu_check RESULTS`. See caffe/docs/gpu.md.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installing

from segflow.cli import Parser, run
from segflow.gpu.package import ROOT, Target, archive, build, gather


def command(options) -> None:
    target = Target(
        architectures=options.architectures,
        python=shutil.which(options.python) or options.python,
        build=options.build.resolve(),
        jobs=options.jobs,
        cmake=tuple(options.cmake),
        keep_going=options.keep_going,
    )
    if not options.no_build:
        build(target)
    with tempfile.TemporaryDirectory(dir=target.build) as folder:
        gather(target, Path(folder))
        size = archive(Path(folder), options.output)
    print(f"{options.output}: {size / 2**20:.1f} MiB")
    if size > options.most_mib * 2**20:
        raise RuntimeError(
            f"{options.output} is larger than {options.most_mib} MiB: leave out weights or "
            "architectures, or raise --most-mib"
        )


def main() -> int:
    parser = Parser(description=__doc__)
    parser.add_argument("output", type=Path, help="the archive to write (.tar.xz)")
    parser.add_argument("--architectures", default="90-real", help="as CMake has them: 90-real")
    parser.add_argument("--python", default=sys.executable, help="a Python of the version there")
    parser.add_argument("--build", type=Path, default=ROOT / "caffe/build_gpu")
    parser.add_argument("--jobs", type=int, default=0, help="files compiled at once")
    parser.add_argument("--cmake", action="append", default=[], help="one more -D... for CMake")
    parser.add_argument("--keep-going", action="store_true", help="show all compile errors")
    parser.add_argument("--no-build", action="store_true", help="pack what was built before")
    parser.add_argument("--most-mib", type=float, default=25, help="a larger archive is an error")
    return run(parser, command)


if __name__ == "__main__":
    sys.exit(main())
