"""The engine in our commands: import it, and choose what it works on."""

import argparse

from segflow import cli, processes
from segflow.errors import SegflowError


def add_gpu_argument(parser: argparse._ActionsContainer) -> None:
    """--gpu [ID]: work on a GPU instead of the CPU; `options.gpu` is its number or None."""
    parser.add_argument(
        "--gpu",
        nargs="?",
        type=int,
        const=0,
        metavar="ID",
        help="work on a GPU: number ID, by default 0 (wants a CUDA build; see caffe/docs/gpu.md)",
    )


def start_engine(gpu: int | None = None) -> None:
    """Import caffe, quietly, and choose the device.

    gpu: number of a GPU; None: the CPU. A build that has no GPU code works on the CPU, which is
    said. Raises SegflowError that says how to build caffe, and caffe.Error where there is no such
    GPU.
    """
    try:
        import caffe
    except ImportError as error:
        raise SegflowError(str(error)) from error
    caffe.set_logging_disabled()
    if gpu is None:
        return
    caffe.set_device(gpu)
    caffe.set_mode_gpu()
    if caffe.device_count() == 0 and processes.is_root():
        cli.complain(
            "note: caffe was built for CPUs only, so --gpu has no effect: all runs on the CPU "
            "(caffe/docs/gpu.md tells how to build it for GPUs)"
        )
