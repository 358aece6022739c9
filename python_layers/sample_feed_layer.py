"""What the data layers that hand out training samples have in common."""

from collections.abc import Callable

import caffe
from segflow.samples.feed import SampleFeed


class SampleFeedLayer(caffe.Layer):
    """A data layer whose tops a SampleFeed fills; a subclass says which one in `open_feed`."""

    open_feed: Callable[..., SampleFeed]  # of the subclass: the feed that its param_str asks for
    _feed: SampleFeed

    def setup(self, bottom, top):
        self._feed = self.shared(self.open_feed())
        self._feed.check(bottom, top)

    def shared(self, feed):
        """The feed, with this process's share of a training by several."""
        if caffe.solver_count() > 1 and self.phase == caffe.TRAIN:
            feed.share(caffe.solver_rank(), caffe.solver_count())
        return feed

    def reshape(self, bottom, top):
        self._feed.reshape(top)

    def forward(self, bottom, top):
        self._feed.fill(top)

    def backward(self, top, propagate_down, bottom):
        pass

    @property
    def waited_seconds(self):
        """How long passes have waited for samples so far."""
        return self._feed.waited_seconds

    def get_state(self):
        return self._feed.get_state()

    def set_state(self, state):
        self._feed.set_state(state)
