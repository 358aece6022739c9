"""Train a network: segmentation and flow branch in turns, or both together.

python tools/train_iterative.py --net segflow_lite --davis data/DAVIS --stills data/stills
python tools/train_iterative.py --resume --output snapshots/segflow_lite

The mask branch learns from true masks, the flow branch from true flow; neither is the other's
label. What passes between them are features.

The output folder gets NAME.caffemodel (averaged weights of the last evaluation), best.caffemodel,
metrics.jsonl, curves.png, predictions/, the prototxt files that ran, and what --resume needs.
Ctrl-C ends the training after the iteration at hand, with a snapshot.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))  # a checkout needs no installing
sys.path.append(str(Path(__file__).resolve().parents[1] / "caffe" / "python"))

from segflow.training.command import main

if __name__ == "__main__":
    sys.exit(main(description=__doc__))
