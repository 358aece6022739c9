"""A data layer of random numbers: sample i is a function of i. param_str: {"batch_size": N}."""

import json

import numpy as np
from sample_feed_layer import SampleFeedLayer

from segflow.samples.feed import SampleFeed


class NumbersLayer(SampleFeedLayer):
    """Tops: x (N, 3, 8, 8), t (N, 2)."""

    def open_feed(self):
        count = json.loads(self.param_str)["batch_size"]

        def sample(index):
            draw = np.random.default_rng(index)
            return draw.normal(size=(3, 8, 8)), draw.normal(size=2)

        def arrays(index):
            samples = [sample(index * count + k) for k in range(count)]
            return [np.stack(part).astype(np.float32) for part in zip(*samples, strict=True)]

        shapes = {"x": (count, 3, 8, 8), "t": (count, 2)}
        return SampleFeed(type(self).__name__, shapes, arrays, identity={"batch_size": count})
