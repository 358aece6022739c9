"""Write the measured parts of models/README.md: scores, and pictures of good and bad masks.

python demo/infer.py --davis ROOT --sequence val --output OUT
python demo/infer.py --davis ROOT --sequence val --output OUT2 --online-seconds 60
python tools/model_card.py --davis ROOT --results OUT/masks --first-mask OUT2/masks --flow FLOWS
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installing

from segflow import cli

ROOT = Path(__file__).resolve().parents[1]


def main() -> int:
    parser = cli.Parser(description=__doc__)
    add = parser.add_argument
    add("--davis", type=Path, required=True, metavar="ROOT", help="DAVIS folder")
    add("--results", type=Path, required=True, metavar="DIR", help="masks made without a mask")
    add("--first-mask", type=Path, metavar="DIR", help="masks made with the first mask")
    add("--flow", type=Path, metavar="ROOT", help="flow pairs to score the flow on")
    add("--weights", type=Path, metavar="FILE", help="weights for --flow (default: bundled)")
    add("--card", type=Path, default=ROOT / "models/README.md", help="default: %(default)s")
    add(
        "--picture",
        type=Path,
        default=ROOT / "docs/segflow_lite_masks.jpg",
        help="default: %(default)s",
    )
    return cli.run(parser, write_card)


def write_card(options: argparse.Namespace) -> None:
    from segflow import model_card
    from segflow.evaluation import evaluate_segmentation
    from segflow.readers.davis import Davis
    from segflow.readers.image import write_image

    def track(items):
        return cli.track(items, "scored")

    davis = Davis(options.davis)
    report = evaluate_segmentation(davis, options.results, track=track)
    tuned = None
    if options.first_mask:
        tuned = evaluate_segmentation(davis, options.first_mask, track=track)
    card = options.card.read_text(encoding="utf-8")
    card = model_card.put_block(card, "masks", model_card.masks_table(report, tuned))
    if options.flow:
        card = model_card.put_block(card, "flow", flow_table(options))
    good, bad = model_card.examples(davis, options.results, report)
    write_image(options.picture, model_card.examples_picture([good, bad]))
    options.card.write_text(card, encoding="utf-8")


def flow_table(options: argparse.Namespace) -> str:
    from segflow import VideoSegmenter, model_card
    from segflow.readers.flow_sets import open_flow_set

    segmenter = VideoSegmenter(weights=options.weights)
    return model_card.flow_table(
        open_flow_set(options.flow).pairs,
        lambda first, second: segmenter.pair(first, second).flow,
        lambda pairs: cli.track(pairs, "flow pairs"),
    )


if __name__ == "__main__":
    sys.exit(main())
