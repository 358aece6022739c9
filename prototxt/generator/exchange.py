"""Which branches a network has, which of them reads the other's features, and whose flow it is."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Exchange:
    """The published wiring is the default; the ablations switch parts off.

    `flow_style`: "flownetc" or "pwcnet" put a flow branch of that kind in the place of the
    network's own.
    """

    segmentation: bool = True
    flow: bool = True
    flow_to_segmentation: bool = True
    segmentation_to_flow: bool = True
    flow_style: str = ""

    @property
    def to_mask(self) -> bool:
        """The mask decoder reads flow features."""
        return self.flow and self.segmentation and self.flow_to_segmentation

    @property
    def to_flow(self) -> bool:
        """The flow branch reads segmentation features."""
        return self.flow and self.segmentation and self.segmentation_to_flow


FULL = Exchange()
