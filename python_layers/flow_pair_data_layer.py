"""Pairs of frames with their true flow: tops data, data2, flow (NaN where it is not known).

param_str keys: flow_dir (required; one folder or several), height, width, batch_size, seed, mean,
with_augmentation (turns, zooms, mirrors, shifts frame 2, changes light and colour; the flow stays
exact), randomize (0: the pairs in order), prefetch, workers. Frames are stretched to the size,
the flow with them.
"""

from dataclasses import dataclass

from sample_feed_layer import SampleFeedLayer

from segflow.samples.feed import SampleFeed
from segflow.samples.flow_pairs import FlowPairs
from segflow.samples.param_str import read_settings
from segflow.samples.sample import BatchSource, SampleSpec
from segflow.synthesis.augment import MEAN_BGR


@dataclass(frozen=True)
class Settings:
    flow_dir: str | tuple
    height: int = 480
    width: int = 854
    batch_size: int = 1
    seed: int = 0
    mean: tuple = MEAN_BGR
    with_augmentation: bool = True
    randomize: bool = True
    prefetch: int = 3
    workers: int = 1


class FlowPairDataLayer(SampleFeedLayer):
    """data, data2: (N, 3, H, W) BGR minus mean; flow: (N, 2, H, W) pixels."""

    def open_feed(self):
        settings = read_settings(self.param_str, Settings, type(self).__name__)
        roots = [settings.flow_dir] if isinstance(settings.flow_dir, str) else settings.flow_dir
        size = (settings.height, settings.width)
        pairs = FlowPairs(
            roots,
            SampleSpec(size, settings.seed, mean=settings.mean),
            fit="stretch",
            augment=settings.with_augmentation,
            randomize=settings.randomize,
        )
        batches = BatchSource(pairs, settings.batch_size)

        def arrays(index):
            batch = batches.batch(index)
            return batch.frame1, batch.frame2, batch.flow

        count = settings.batch_size
        return SampleFeed(
            type(self).__name__,
            {"data": (count, 3, *size), "data2": (count, 3, *size), "flow": (count, 2, *size)},
            arrays,
            identity={"pairs": len(pairs.pairs), "seed": settings.seed, "batch_size": count},
            prefetch=settings.prefetch,
            workers=settings.workers,
        )
