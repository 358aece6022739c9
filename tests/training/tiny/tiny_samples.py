"""Samples for tests of training: noise whose mask and flow can be read off the frames."""

import os
import signal
from dataclasses import dataclass

import numpy as np

import caffe
from segflow.samples.feed import SampleFeed
from segflow.samples.param_str import read_settings


@dataclass(frozen=True)
class Settings:
    stage: str = "joint"
    height: int = 16
    width: int = 24
    batch_size: int = 2
    seed: int = 0
    nan_at: int = -1


class TinySamples(caffe.Layer):
    """data, data2, then label and/or flow: label is where data's first channel is above 0, flow is
    a tenth of data2's first two channels. Batch `nan_at` is not a number."""

    def setup(self, bottom, top):
        s = read_settings(self.param_str, Settings, "TinySamples")
        frame = (s.batch_size, 3, s.height, s.width)
        shapes = {"data": frame, "data2": frame}
        if s.stage != "flow":
            shapes["label"] = (s.batch_size, 1, s.height, s.width)
        if s.stage != "segmentation":
            shapes["flow"] = (s.batch_size, 2, s.height, s.width)
        nan_at = int(os.environ.get("TINY_NAN_AT", s.nan_at))

        def make(index):
            rng = np.random.default_rng((s.seed, index))
            data, data2 = (rng.normal(0, 30, frame).astype(np.float32) for _ in range(2))
            made = {
                "data": np.full_like(data, np.nan) if index == nan_at else data,
                "data2": data2,
                "label": (data[:, :1] > 0).astype(np.float32),
                "flow": data2[:, :2] / 10,
            }
            if index == int(os.environ.get("TINY_INTERRUPT_AT", -1)):
                os.kill(os.getpid(), signal.SIGINT)
            return [made[name] for name in shapes]

        self._feed = SampleFeed("TinySamples", shapes, make, identity={"seed": s.seed}, prefetch=0)
        self._feed.check(bottom, top)

    def reshape(self, bottom, top):
        self._feed.reshape(top)

    def forward(self, bottom, top):
        self._feed.fill(top)

    def backward(self, top, propagate_down, bottom):
        pass

    def get_state(self):
        return self._feed.get_state()

    def set_state(self, state):
        self._feed.set_state(state)
