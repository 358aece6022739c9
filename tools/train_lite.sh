#!/bin/sh
# Trains the bundled segflow_lite weights, as models/README.md describes them.
#
#   tools/train_lite.sh [DATA] [further options of tools/train_iterative.py]
#
# DATA (default ../shared/data) holds davis/, saliency/SET/ and flow/. The flow pairs and the val
# sequences are only judged: flow is learnt from stills and composites, whose flow is exact. A flow
# stage comes first, because the flow must mean something before the masks have learnt the training
# videos by heart. To go on after a stop:
#
#   tools/train_lite.sh DATA --resume
set -e
root=$(cd "$(dirname "$0")/.." && pwd)
data=$root/../shared/data
case ${1:--} in -*) ;; *) data=$1; shift ;; esac
python=$root/.venv/bin/python
[ -x "$python" ] || python=python3
exec "$python" "$root/tools/train_iterative.py" \
  --net segflow_lite --weights "$root/models/efficientnet_lite0.caffemodel" \
  --davis "$data/davis" --stills "$data/saliency" --flow '' --eval-flow "$data/flow" \
  --mode joint --flow-first "${FLOW_FIRST:-800}" --rounds 1 --joint-iters "${JOINT_ITERS:-3000}" \
  --size 192x320 --batch 12 --lr 4e-4 --seed 1 \
  --eval-every 500 --snapshot-every 100 --output "$root/snapshots/segflow_lite" "$@"
