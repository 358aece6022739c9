"""Fine-tune a network to one video from the mask of its first frame, and write the weights.

python tools/finetune_online.py video.mp4 --mask first.png --output video.caffemodel
python tools/finetune_online.py --davis data/DAVIS --sequence dog --output dog.caffemodel
python demo/infer.py video.mp4 --weights video.caffemodel
"""

import argparse
import itertools
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installing
sys.path.append(str(Path(__file__).resolve().parents[1] / "caffe" / "python"))

from segflow import cli, engine
from segflow.errors import DataError, MissingDataError, UsageError
from segflow.inference import arguments
from segflow.readers.image import read_mask


def main() -> int:
    parser = cli.Parser(description=__doc__)
    arguments.add_clip_arguments(parser)
    arguments.add_network_arguments(parser)
    arguments.add_online_arguments(parser)
    parser.add_argument(
        "--height",
        type=arguments.positive(int),
        default=320,
        metavar="PIXELS",
        help="shorter side of the frame as the net sees it (default: 320, as --quality normal)",
    )
    parser.add_argument(
        "--output", type=Path, required=True, metavar="FILE", help="caffemodel to write"
    )
    engine.add_gpu_argument(parser)
    return cli.run(parser, finetune)


def finetune(options: argparse.Namespace) -> None:
    if not options.source and not options.davis:
        raise UsageError("give a video with --mask FIRST_MASK.png, or --davis and --sequence")
    jobs = arguments.chosen_jobs(options, tunes=True)
    if len(jobs) > 1:
        raise UsageError(
            f"one sequence at a time; {options.sequence or options.source} are {len(jobs)}"
        )
    if options.output.is_dir():
        raise UsageError(f"{options.output}: a folder; give the file to write")
    if not options.output.absolute().parent.is_dir():
        raise MissingDataError(f"{options.output}: its folder is not there")
    engine.start_engine(options.gpu)
    from segflow.inference import OnlineFineTuner, OnlineSpec, find_network, find_weights
    from segflow.inference.first_frame import check_first_mask
    from segflow.inference.online import LATER_SPAN

    clip, mask_file = jobs[0].clip, jobs[0].first_mask
    first = [frame.image for frame in itertools.islice(iter(clip), 2)]
    if not first:
        raise DataError(f"{clip.name}: the clip has no frames")
    mask = read_mask(mask_file)
    check_first_mask(first[0], mask, str(mask_file))
    seconds = options.online_seconds
    if seconds is None and options.online_iters is None:
        seconds = arguments.DEFAULT_ONLINE_SECONDS
    spec = OnlineSpec(options.online_iters, seconds, options.height)
    network = find_network(options.net)
    tuner = OnlineFineTuner(network, find_weights(network, options.weights), spec)
    later = (frame.image for frame in itertools.islice(iter(clip), 1, LATER_SPAN))
    report = tuner.tune(first[0], mask, first[-1], later=later)
    tuner.net.save(str(options.output))
    print(f"{clip.name}: {report}")
    print(f"weights in {options.output}")


if __name__ == "__main__":
    sys.exit(main())
