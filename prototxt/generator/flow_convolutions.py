"""Convolutions and deconvolutions as the published flow networks write them."""

from __future__ import annotations

from dataclasses import dataclass, replace

from .layers import deconvolution
from .text import Layer, Name, Net, Rate, Value

SLOPE = 0.1
#: as published: biases of convolutions do not decay, those of deconvolutions do not learn
LEARNED = (Rate(1, 1), Rate(1, 0))
LEARNED_DOUBLING = (Rate(1, 0), Rate(0, 0))


@dataclass(frozen=True)
class FlowConvolutions:
    """Adds to `net` layers that learn at the published rates, or at `rates` where given.

    `engine`: what the published deploy nets ask for, empty for none.
    """

    net: Net
    engine: str = ""
    rates: tuple[Rate, ...] = ()

    def convolution(
        self,
        name: str,
        blobs: str | tuple[str, ...],
        channels: int,
        kernel_size: int,
        stride: int = 1,
        *,
        tops: str | tuple[str, ...] = "",
        dilation: int = 1,
    ) -> str:
        """Keeps the size (or divides it by `stride`); several blobs share the weights.

        Returns the first top, which is called `name` where `tops` are not given.
        """
        settings = self._settings(channels, dilation * (kernel_size // 2), kernel_size, stride)
        if dilation > 1:  # cuDNN's convolutions of those days had none: no engine is asked for
            settings.pop("engine", None)
            settings["dilation"] = dilation
        return self.net.add(
            Layer(
                name,
                "Convolution",
                (blobs,) if isinstance(blobs, str) else blobs,
                (tops or name,) if isinstance(tops, str) else tops,
                {"convolution_param": settings},
                self.rates or LEARNED,
            )
        )

    def doubling(self, name: str, blob: str, channels: int, *, top: str = "") -> str:
        """A deconvolution that doubles height and width."""
        layer = deconvolution(name, blob, self._settings(channels, 1, 4, 2), top=top)
        return self.net.add(replace(layer, rates=self.rates or LEARNED_DOUBLING))

    def _settings(self, channels: int, pad: int, kernel_size: int, stride: int) -> dict[str, Value]:
        return {
            "num_output": channels,
            "pad": pad,
            "kernel_size": kernel_size,
            "stride": stride,
            "weight_filler": {"type": "msra"},
            "bias_filler": {"type": "constant"},
            **({"engine": Name(self.engine)} if self.engine else {}),
        }
