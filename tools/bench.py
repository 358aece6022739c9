"""Speed and memory of the engine: `forward` and `train` for comparing, `all` for people.

`forward` and `train` print one JSON line each (`seconds`, `peak_rss_mb`) from a process of its
own that imports only caffe and numpy, so that other frameworks can be run beside it. `all` runs
both and prints tables; `operators` prints the last of them, correlation and warp. Seconds of
different machines or days mean nothing: compare ratios.
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
FLOW_BRANCH = ("Eltwise2", "Convolution6")  # first and last layer of the frozen branch


def _prepare_process(threads: int) -> None:
    """Thread count and log level, before caffe is imported."""
    os.environ["OMP_NUM_THREADS"] = str(threads)
    os.environ.setdefault("GLOG_minloglevel", "2")


def peak_rss_mb() -> float:
    """The highest resident set of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _fill_seeded(net) -> None:
    """Weights that keep activations finite; the values do not matter for speed."""
    import numpy as np

    rng = np.random.default_rng(0)
    for name, blobs in net.params.items():
        kind = net.layers[list(net._layer_names).index(name)].type
        for index, blob in enumerate(blobs):
            shape = tuple(blob.shape)
            if kind == "BatchNorm":
                value = 1.0 if index > 0 else 0.0
            elif kind == "Scale":
                value = 1.0 if index == 0 else 0.0
            elif kind in ("Convolution", "Deconvolution") and index == 0:
                fan = int(np.prod(shape[1:]))
                value = rng.standard_normal(shape, dtype=np.float32) * np.float32(fan**-0.5)
            else:
                value = 0.0
            blob.data[...] = value


def _fill_frames(net) -> None:
    import numpy as np

    rng = np.random.default_rng(1)
    for name in ("data", "data2"):
        blob = net.blobs[name]
        blob.data[...] = rng.integers(0, 256, blob.data.shape) - np.float32(110)


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

    outputs = ["score", "score_flow", "predict_flow_final"]
    keep = {} if args.everything else {"keep": outputs}
    net = caffe.Net(str(ROOT / "prototxt/segflow/deploy.prototxt"), caffe.TEST, **keep)
    _fill_seeded(net)
    _fill_frames(net)
    seconds = _median(net.forward, args.repeats, args.warm_up)
    return {"seconds": round(seconds, 4), "peak_rss_mb": round(peak_rss_mb(), 1)}


def _training_net_text() -> str:
    """The deploy net with a summed softmax loss on `score` and the flow branch frozen."""
    from google.protobuf import text_format

    import caffe

    net = caffe.proto.caffe_pb2.NetParameter()
    text_format.Parse((ROOT / "prototxt/segflow/deploy.prototxt").read_text(), net)
    names = [layer.name for layer in net.layer]
    first, last = (names.index(name) for name in FLOW_BRANCH)
    for index, layer in enumerate(net.layer):
        frozen = first <= index <= last
        if layer.type in ("Convolution", "Deconvolution") and frozen:
            bias = not layer.HasField("convolution_param") or layer.convolution_param.bias_term
            del layer.param[:]
            for _ in range(1 + int(bias)):
                spec = layer.param.add()
                spec.lr_mult = 0
                spec.decay_mult = 0
    data = next(layer for layer in net.layer if "data" in layer.top)
    shape = list(data.input_param.shape[0].dim)
    label = caffe.proto.caffe_pb2.NetParameter()
    text_format.Parse(
        'layer { name: "label" type: "Input" top: "label" input_param { shape {'
        f" dim: {shape[0]} dim: 1 dim: {shape[2]} dim: {shape[3]} }} }} }}"
        'layer { name: "loss" type: "SoftmaxWithLoss" bottom: "score" bottom: "label" top: "loss"'
        " loss_param { normalization: NONE } }",
        label,
    )
    net.layer.extend(label.layer)
    net.keep.append("loss")
    return text_format.MessageToString(net)


def bench_train(args: argparse.Namespace) -> dict:
    """Forward and backward of segflow with the flow branch frozen, without the update."""
    _prepare_process(args.threads)
    import caffe

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "train.prototxt"
        path.write_text(_training_net_text())
        net = caffe.Net(str(path), caffe.TRAIN)
    _fill_seeded(net)
    _fill_frames(net)
    net.blobs["label"].data[...] = 0
    net.blobs["label"].data[..., 100:300, 200:500] = 1

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
    from segflow.bench import run_tables

    run_tables(_run_self, args)


def bench_operators(args: argparse.Namespace) -> None:
    """Correlation and warp alone, beside PyTorch where it is installed."""
    _prepare_process(args.threads)
    from segflow.bench.operators import print_operator_tables

    print_operator_tables(args.threads)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("forward", "train", "all", "operators"))
    parser.add_argument("--repeats", type=int, default=5, help="timed runs, median taken")
    parser.add_argument("--warm-up", type=int, default=2, help="runs before the timed ones")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--everything", action="store_true", help="keep every blob (forward only)")
    args = parser.parse_args()
    if args.what == "all":
        bench_all(args)
    elif args.what == "operators":
        bench_operators(args)
    else:
        run = bench_forward if args.what == "forward" else bench_train
        print(json.dumps(run(args)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
