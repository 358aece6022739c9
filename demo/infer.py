"""Cut the object out of a video and measure its motion.

python demo/infer.py                                       the bundled clip
python demo/infer.py video.mp4 --quality best              any video, or a folder of frames
python demo/infer.py frames --mask first.png               fine-tuned to the first frame's mask
python demo/infer.py --davis data/DAVIS --sequence val     sequences of DAVIS, scored
mpirun -n 4 python demo/infer.py videos                    a folder of videos, shared out
python demo/infer.py video.mp4 --net pwcnet --weights F    its motion alone, no masks

Writes to --output: masks/<clip>/<frame>.png, flow/<clip>/<frame>.flo, flow_color/, overlay/,
<clip>.mp4 and summary.json.
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installing
sys.path.append(str(Path(__file__).resolve().parents[1] / "caffe" / "python"))

from segflow import cli, engine, processes
from segflow.inference import arguments


def main() -> int:
    parser = cli.Parser(description=__doc__)
    arguments.add_clip_arguments(parser)
    arguments.add_network_arguments(parser)
    parser.add_argument(
        "--quality",
        choices=("fast", "normal", "best"),
        default="normal",
        help="fast: small; normal (default): one pass; best: averaged passes",
    )
    arguments.add_online_arguments(parser)
    parser.add_argument(
        "--output", type=Path, default=Path("output"), metavar="DIR", help="default: output"
    )
    parser.add_argument(
        "--max-frames",
        type=arguments.positive(int),
        metavar="N",
        help="stop after N frames of each clip",
    )
    engine.add_gpu_argument(parser)
    return cli.run(parser, infer)


def infer(options: argparse.Namespace) -> None:
    tunes = bool(options.online_iters or options.online_seconds)
    jobs = arguments.chosen_jobs(options, tunes)
    group = processes.join()
    engine.start_engine(processes.own_gpu(options.gpu))
    own_jobs = jobs[group.rank :: group.size]
    from segflow.inference import OnlineSpec, VideoSegmenter
    from segflow.inference.demo import Demo

    segmenter = VideoSegmenter(options.net, options.weights, options.quality)
    for note in segmenter.notes if group.is_root else ():
        cli.complain(f"note: {note}")
    online = OnlineSpec(
        iterations=options.online_iters,
        seconds=options.online_seconds or (None if tunes else arguments.DEFAULT_ONLINE_SECONDS),
        height=segmenter.passes[0].height or OnlineSpec.height,
    )
    demo = Demo(segmenter, options.output, online, options.max_frames)
    demo.say = print
    if group.is_root:
        demo.track = lambda frames, name, total: cli.track(frames, name, total, unit="frames")
    for job in own_jobs:
        print_figures(job.clip.name, demo.run(job))
        if group.is_root:
            demo.write_summary()
    if group.size > 1:
        demo.gather(group, [job.clip.name for job in jobs])
    if not group.is_root:
        return
    demo.write_summary()
    if len(jobs) > 1:
        print_figures("overall", demo.summary()["overall"])
    print(f"results in {options.output}")


def print_figures(name: str, summary: dict) -> None:
    """One line."""
    figures = []
    if "frames_per_second" in summary:
        frames = f"{summary['frames']} frame{'s'[: summary['frames'] != 1]}"
        figures.append(f"{frames}, {summary['frames_per_second']:.1f} a second")
    figures += [f"{key} {summary[key]:.3f}" for key in ("J_mean", "F_mean") if key in summary]
    figures += [f"EPE {summary['EPE']:.2f} px"] if "EPE" in summary else []
    if figures:
        print(f"{name}: {', '.join(figures)}")


if __name__ == "__main__":
    sys.exit(main())
