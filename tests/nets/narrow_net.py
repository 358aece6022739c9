"""A bundled net with few channels, fed by Input layers: quick to run and to train."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

FEWEST = 4


def narrow(
    source: Path, target: Path, inputs: Mapping[str, tuple[int, ...]], narrower: int = 16
) -> Path:
    """Writes the net with `narrower` times fewer channels (4 at least) and returns `target`.

    inputs: blob -> shape of the Input layer that takes the place of what fills it. Convolutions
    without a filler get one, so that no layer is zero throughout.
    """
    from google.protobuf import text_format

    from segflow.inference.networks import read_net

    net = read_net(source)
    result = type(net)(name=net.name)
    for name, shape in inputs.items():
        result.layer.add(name=name, type="Input", top=[name]).input_param.shape.add(dim=shape)
    for layer in net.layer:
        if layer.type in ("Input", "Python"):
            continue
        new = result.layer.add()
        new.CopyFrom(layer)
        if layer.type in ("Convolution", "Deconvolution"):
            convolution = new.convolution_param
            if convolution.num_output > 2:
                fewer = max(FEWEST, convolution.num_output // narrower)
                if convolution.group == convolution.num_output:
                    convolution.group = fewer
                convolution.num_output = fewer
            if not convolution.HasField("weight_filler"):
                convolution.weight_filler.type = "msra"
    target.write_text(text_format.MessageToString(result))
    return target
