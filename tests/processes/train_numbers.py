"""Trains a small net: FOLDER BATCH ITERATIONS [--restore FILE] [--dropout] [--gpu] [--fail N].

Writes FOLDER/weights.npz and FOLDER/losses.json; snapshots go to FOLDER. --fail N: rank 1 raises
an error in iteration N.
"""

import argparse
import json
from pathlib import Path

import numpy as np

import caffe

NET = """
name: "numbers"
layer { name: "data" type: "Python" top: "x" top: "t"
  python_param { module: "numbers_layer" layer: "NumbersLayer" param_str: '{"batch_size": %d}' } }
layer { name: "conv" type: "Convolution" bottom: "x" top: "c1" param { name: "w" }
  param { name: "b" }
  convolution_param { num_output: 3 kernel_size: 3 pad: 1 weight_filler { type: "xavier" } } }
layer { name: "relu" type: "ReLU" bottom: "c1" top: "c1" }
layer { name: "again" type: "Convolution" bottom: "c1" top: "c2" param { name: "w" }
  param { name: "b" } convolution_param { num_output: 3 kernel_size: 3 pad: 1 } }
layer { name: "frozen" type: "InnerProduct" bottom: "c2" top: "f" param { lr_mult: 0 }
  param { lr_mult: 0 } inner_product_param { num_output: 300 weight_filler { type: "xavier" } } }
layer { name: "wide" type: "InnerProduct" bottom: "f" top: "h"
  inner_product_param { num_output: 1000 weight_filler { type: "xavier" } } }
%s
layer { name: "last" type: "InnerProduct" bottom: "h" top: "y"
  inner_product_param { num_output: 2 weight_filler { type: "xavier" } } }
layer { name: "loss" type: "EuclideanLoss" bottom: "y" bottom: "t" top: "loss" }
"""
DROPOUT = 'layer { name: "drop" type: "Dropout" bottom: "h" top: "h" }'
SOLVER = """
net: "%s" base_lr: 0.05 lr_policy: "fixed" momentum: 0.9 weight_decay: 0.01 clip_gradients: 1.5
max_iter: 100 iter_size: 2 snapshot: 3 snapshot_prefix: "%s" random_seed: 7
weight_average: 0.9
"""


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("batch", type=int)
    parser.add_argument("iterations", type=int)
    parser.add_argument("--restore")
    parser.add_argument("--dropout", action="store_true")
    parser.add_argument("--gpu", action="store_true")
    parser.add_argument("--fail", type=int, default=0)
    options = parser.parse_args()
    caffe.set_logging_disabled()
    if options.gpu:
        caffe.set_mode_gpu()
    with caffe.Processes() as processes:
        processes.train_together()
        train(options, processes)


def train(options: argparse.Namespace, processes: caffe.Processes) -> None:
    folder = options.folder
    if processes.is_root:
        folder.mkdir(exist_ok=True)
        text = NET % (options.batch, DROPOUT if options.dropout else "")
        (folder / "net.prototxt").write_text(text)
        prefix = folder / "run"
        (folder / "solver.prototxt").write_text(SOLVER % (folder / "net.prototxt", prefix))
    processes.barrier()
    solver = caffe.get_solver(str(folder / "solver.prototxt"))
    if options.restore:
        solver.restore(options.restore)
    losses = []
    while solver.iter < options.iterations:
        if solver.iter == options.fail and options.fail and processes.rank == 1:
            raise ValueError("the disk is full of numbers")
        solver.step(1)
        losses.append(float(solver.smoothed_loss))
    weights = {
        f"{name}{i}": blob.data.copy()
        for name, blobs in solver.net.params.items()
        for i, blob in enumerate(blobs)
    }
    alike = [float(np.abs(array).sum(dtype=np.float64)) for array in weights.values()]
    means = np.array(processes.sum(alike)) / processes.size
    np.testing.assert_array_equal(means, alike, "all processes hold the same weights")
    if processes.is_root:
        np.savez(folder / "weights.npz", **weights)
        (folder / "losses.json").write_text(json.dumps(losses))


if __name__ == "__main__":
    main()
