"""Score results: masks by the DAVIS benchmark's rules, flow by end-point error and Fl.

python tools/evaluate.py segmentation --davis data/DAVIS --results output/masks
python tools/evaluate.py flow --pred output/flow --truth data/flow/middlebury
"""

import argparse
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installing

from segflow import cli
from segflow.evaluation import SCORE_NAMES, evaluate_flow, evaluate_segmentation, write_json
from segflow.readers.davis import Davis


def main() -> int:
    parser = cli.Parser(description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    add_segmentation(commands)
    add_flow(commands)
    return cli.run(parser, lambda options: options.run(options))


def add_segmentation(commands) -> None:
    text = "region similarity J and boundary accuracy F of masks: mean, recall, decay"
    parser = commands.add_parser("segmentation", help=text, description=text)
    parser.add_argument("--davis", type=Path, required=True, metavar="ROOT", help="DAVIS folder")
    parser.add_argument(
        "--results",
        type=Path,
        required=True,
        metavar="MASKS_DIR",
        help="folder with <sequence>/<frame>.png; above zero is object",
    )
    parser.add_argument(
        "--sequences",
        metavar="A,B",
        help="names, or val, or all (default: val where there is such a list, else all)",
    )
    parser.add_argument("--csv", type=Path, metavar="FILE", help="write the table as CSV")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores as JSON")
    parser.set_defaults(run=segmentation)


def add_flow(commands) -> None:
    text = "end-point error in pixels and Fl in per cent of flow files"
    parser = commands.add_parser("flow", help=text, description=text)
    parser.add_argument(
        "--pred",
        type=Path,
        required=True,
        metavar="DIR",
        help="predictions NAME.flo or NAME/flow.flo",
    )
    parser.add_argument(
        "--truth",
        type=Path,
        required=True,
        metavar="DIR",
        help="true flow NAME/flow.{flo,png,pfm}, NAME_flow.* or NAME.*",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the scores as JSON")
    parser.set_defaults(run=flow)


def segmentation(options: argparse.Namespace) -> None:
    report = evaluate_segmentation(
        Davis(options.davis),
        options.results,
        options.sequences,
        lambda names: cli.track(names, "sequences"),
    )
    for text in report.missing:
        cli.complain(f"missing: {text}")
    cli.print_table(["sequence", *SCORE_NAMES], report.rows())
    if options.csv:
        report.write_csv(options.csv)
    if options.json:
        write_json(options.json, report)


def flow(options: argparse.Namespace) -> None:
    report = evaluate_flow(options.pred, options.truth, lambda names: cli.track(names, "pairs"))
    for text in report.missing:
        cli.complain(f"missing: {text}")
    cli.print_table(["pair", "EPE (px)", "Fl (%)"], report.rows())
    if options.json:
        write_json(options.json, report)


if __name__ == "__main__":
    sys.exit(main())
