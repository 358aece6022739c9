"""Speed and memory of the engine: `forward` and `train` for comparing, `all` for people.

`forward` and `train` print one JSON line each (`seconds`, `peak_rss_mb`) from a process of its
own that imports only caffe and numpy, so that other frameworks can be run beside it. `all` runs
both and prints tables; `operators` prints the last of them, correlation and warp. `gpu` times
the same on a GPU by its clock. Seconds of different machines or days mean nothing: compare
ratios.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def _prepare_process(threads: int) -> None:
    """Thread count and log level, before caffe is imported."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("GLOG_minloglevel", "2")


def peak_rss_mb() -> float:
    """The highest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _median(run, repeats: int, warm_up: int) -> float:
    for _ in range(warm_up):
        run()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        run()
        seconds.append(time.perf_counter() - start)
    return sorted(seconds)[len(seconds) // 2]


def bench_forward(args: argparse.Namespace) -> dict:
    """The deploy net of segflow at 480x854, batch 1, buffers shared (`keep`) unless told not."""
    _prepare_process(args.threads)
    import caffe
    from segflow.bench import deploy_net

    keep = {} if args.everything else {"keep": deploy_net.OUTPUTS}
    net = caffe.Net(str(deploy_net.DEPLOY), caffe.TEST, **keep)
    deploy_net.fill_seeded(net)
    deploy_net.fill_frames(net)
    seconds = _median(net.forward, args.repeats, args.warm_up)
    return {"seconds": round(seconds, 4), "peak_rss_mb": round(peak_rss_mb(), 1)}


def bench_train(args: argparse.Namespace) -> dict:
    """Forward and backward of segflow with the flow branch frozen, without the update."""
    _prepare_process(args.threads)
    import caffe
    from segflow.bench import deploy_net

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.prototxt"
        path.write_text(deploy_net.training_text())
        net = caffe.Net(str(path), caffe.TRAIN)
    deploy_net.fill_seeded(net)
    deploy_net.fill_frames(net)

    def iteration() -> None:
        net.forward()
        net.backward()

    seconds = _median(iteration, args.repeats, args.warm_up)
    return {"seconds": round(seconds, 4), "peak_rss_mb": round(peak_rss_mb(), 1)}


def _run_self(*words: str) -> dict:
    """This script in a process of its own; its JSON line."""
    done = subprocess.run(
        [sys.executable, __file__, *words], check=True, capture_output=True, text=True
    )
    return json.loads(done.stdout.strip().splitlines()[-1])


def bench_all(args: argparse.Namespace) -> None:
    """Every table, for people."""
    from segflow.bench.tables import run_tables

    run_tables(_run_self, args)


def bench_operators(args: argparse.Namespace) -> None:
    """Correlation and warp alone, beside PyTorch where it is installed."""
    _prepare_process(args.threads)
    from segflow.bench.operators import print_operator_tables

    print_operator_tables(args.threads)


def bench_gpu(args: argparse.Namespace) -> None:
    """SegFlow, correlation and warp on the GPU; a line a row, then one line of JSON."""
    _prepare_process(args.threads)
    from segflow.bench.gpu import run_rows
    from segflow.errors import SegflowError

    try:
        run_rows(args.deadline, args.json, args.only, small=args.small)
    except SegflowError as error:
        sys.exit(f"bench.py: {error}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("forward", "train", "all", "operators", "gpu"))
    parser.add_argument("--repeats", type=int, default=5, help="timed runs, median taken")
    parser.add_argument("--warm-up", type=int, default=2, help="runs before the timed ones")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--everything", action="store_true", help="keep every blob (forward only)")
    gpu = parser.add_argument_group("gpu")
    gpu.add_argument("--deadline", type=float, default=90, help="seconds; later rows are skipped")
    gpu.add_argument("--json", type=Path, help="file that is written anew after each row")
    gpu.add_argument("--only", help="regular expression of the names of rows to run")
    gpu.add_argument("--small", action="store_true", help="tiny sizes, to try the command out")
    args = parser.parse_args()
    if args.what == "all":
        bench_all(args)
    elif args.what == "operators":
        bench_operators(args)
    elif args.what == "gpu":
        bench_gpu(args)
    else:
        run = bench_forward if args.what == "forward" else bench_train
        print(json.dumps(run(args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
