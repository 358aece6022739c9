"""SegFlow's DAVIS data layer: tops data, data2, label, weight; one pair of frames a pass.

param_str keys: davis_dir, split, mean, aug_params (required), randomize, seed, scale (ignored, as
in the original), with_augmentation; of our own: image_filter ("nearest" or "bilinear"),
true_scale, prefetch (items made ahead).
"""

import random
from dataclasses import asdict, dataclass

from sample_feed_layer import SampleFeedLayer

import caffe
from segflow.samples.feed import SampleFeed
from segflow.samples.param_str import read_settings
from segflow.samples.published_pairs import SIZE, DrawRules, PublishedPairs


@dataclass(frozen=True)
class Settings:
    davis_dir: str
    split: str
    mean: tuple
    aug_params: tuple
    randomize: bool = True
    seed: int | None = None
    scale: float = 1
    with_augmentation: bool = True
    image_filter: str = "nearest"
    true_scale: bool = False
    prefetch: int = 3


class SegFlowDavisPairLayer(SampleFeedLayer):
    """data, data2: (1, 3, 480, 854); label, weight: (1, 480, 854)."""

    def open_feed(self):
        self._settings = read_settings(self.param_str, Settings, type(self).__name__)
        seed = self._settings.seed
        if seed is None:
            seed = random.SystemRandom().getrandbits(32)
            if caffe.solver_count() > 1:  # one for all processes of a training
                seed = int(caffe._caffe.broadcast_from_root([seed])[0])
        return self._open(seed)

    def _open(self, seed):
        settings = self._settings
        rules = DrawRules(seed, settings.randomize, settings.with_augmentation, settings.aug_params)
        pairs = PublishedPairs(
            settings.davis_dir,
            settings.split,
            settings.mean,
            rules,
            image_filter=settings.image_filter,
            true_scale=settings.true_scale,
        )
        return SampleFeed(
            type(self).__name__,
            {
                "data": (1, 3, *SIZE),
                "data2": (1, 3, *SIZE),
                "label": (1, *SIZE),
                "weight": (1, *SIZE),
            },
            pairs.arrays,
            identity={"frames": len(pairs.lines), **asdict(rules)},
            start=1,  # sample 0 was drawn while the net was set up, and never seen
            prefetch=settings.prefetch,
        )

    def set_state(self, state):
        if self._settings.seed is None:  # go on with the seed that was drawn then
            self._feed.close()
            self._feed = self.shared(self._open(state["identity"]["seed"]))
        super().set_state(state)
