"""Mixed training samples: DAVIS pairs, stills, composites, flow pairs and made scenes.

Tops by stage: "segmentation" data, data2, label, weight; "flow" data, data2, flow; "joint" data,
data2, label, weight, flow. param_str keys: stage, height, width, batch_size, seed, mean; folders
davis_dir, stills_dir, flow_dir ('' for none; several as a list; without any folder, scenes are
made); split; exclude and exclude_flow (DAVIS
sequences and flow pairs held out); mixture ({'davis': 5, 'stills': 3,
'composites': 4, 'flow': 2, 'scenes': 0}: shares in place of the stage's own); cache_mb (decoded
pictures kept in memory), prefetch (batches made ahead), workers (threads).
"""

from dataclasses import dataclass

from sample_feed_layer import SampleFeedLayer

from segflow.samples.feed import SampleFeed
from segflow.samples.param_str import read_settings
from segflow.samples.sample import Batch, BatchSource, SampleSpec
from segflow.samples.training_mixture import DataRoots, training_mixture
from segflow.synthesis.augment import MEAN_BGR

# What a top holds: the name of its array in a batch, and its channels.
TOPS = {
    "data": ("frame1", 3),
    "data2": ("frame2", 3),
    "label": ("mask", 1),
    "weight": ("mask_weight", 1),
    "flow": ("flow", 2),
}
TOPS_OF_STAGE = {
    "segmentation": ("data", "data2", "label", "weight"),
    "flow": ("data", "data2", "flow"),
    "joint": ("data", "data2", "label", "weight", "flow"),
}


@dataclass(frozen=True)
class Settings:
    stage: str = "joint"
    davis_dir: str = ""
    stills_dir: str | tuple = ""
    flow_dir: str | tuple = ""
    height: int = 192
    width: int = 320
    batch_size: int = 12
    seed: int = 0
    mean: tuple = MEAN_BGR
    split: str = "train"
    exclude: tuple = ()
    exclude_flow: tuple = ()
    mixture: dict | None = None
    cache_mb: int = 1500
    prefetch: int = 3
    workers: int = 1


class TrainingSampleDataLayer(SampleFeedLayer):
    """data, data2: (N, 3, H, W) BGR minus mean; label, weight: (N, 1, H, W); flow: (N, 2, H, W)
    pixels, NaN where it is not known."""

    def open_feed(self):
        settings = read_settings(self.param_str, Settings, type(self).__name__)
        size, count = (settings.height, settings.width), settings.batch_size
        roots = DataRoots(
            settings.davis_dir or None,
            _folders(settings.stills_dir),
            _folders(settings.flow_dir),
            settings.split,
            settings.exclude,
            settings.exclude_flow,
        )
        mixture = training_mixture(
            roots,
            SampleSpec(size, settings.seed, mean=settings.mean),
            settings.stage,
            settings.mixture,
            settings.cache_mb * 1_000_000,
        )
        names = TOPS_OF_STAGE[settings.stage]
        batches = BatchSource(mixture, count)

        def arrays(index):
            batch: Batch = batches.batch(index)
            return [getattr(batch, TOPS[name][0]) for name in names]

        return SampleFeed(
            type(self).__name__,
            {name: (count, TOPS[name][1], *size) for name in names},
            arrays,
            identity={
                "seed": settings.seed,
                "batch_size": count,
                "shares": dict(zip(mixture.names, mixture.shares.round(6).tolist(), strict=True)),
            },
            prefetch=settings.prefetch,
            workers=settings.workers,
        )


def _folders(setting):
    """'' as none, one folder or several as a tuple."""
    if isinstance(setting, str):
        return (setting,) if setting else ()
    return tuple(setting)
