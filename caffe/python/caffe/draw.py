"""Pictures of nets: layers as boxes, blobs as octagons. Needs pydot (or pydotplus) and Graphviz."""

from os import PathLike
from typing import Any

from caffe.proto import caffe_pb2

try:
    import pydotplus as pydot
except ImportError:
    try:
        import pydot
    except ImportError as error:
        raise ImportError("caffe.draw needs pydot: pip install pydot") from error

LAYER_STYLE_DEFAULT = {"shape": "record", "fillcolor": "#6495ED", "style": "filled"}
NEURON_LAYER_STYLE = {"shape": "record", "fillcolor": "#90EE90", "style": "filled"}
BLOB_STYLE = {"shape": "octagon", "fillcolor": "#E0E0E0", "style": "filled"}

_COLOURS = {
    "Convolution": "#FF5050",
    "Deconvolution": "#FF5050",
    "Pooling": "#FF9900",
    "InnerProduct": "#CC33FF",
}
_WITH_RATES = ("Convolution", "Deconvolution", "InnerProduct")


def draw_net_to_file(
    caffe_net: Any,
    filename: str | PathLike,
    rankdir: str = "LR",
    phase: int | None = None,
    display_lrm: bool = False,
) -> None:
    """Draws a NetParameter to a file; the text after the name's last dot is the format."""
    extension = str(filename).rsplit(".", 1)[-1]
    with open(filename, "wb") as picture:
        picture.write(draw_net(caffe_net, rankdir, extension, phase, display_lrm))


def draw_net(
    caffe_net: Any,
    rankdir: str,
    ext: str = "png",
    phase: int | None = None,
    display_lrm: bool = False,
) -> bytes:
    """A picture of a NetParameter as bytes of the format `ext`; 'raw' is the graph's text."""
    graph = get_pydot_graph(caffe_net, rankdir, phase=phase, display_lrm=display_lrm)
    if ext == "raw":
        return graph.to_string().encode()
    return graph.create(format=ext)


def get_pydot_graph(
    caffe_net: Any,
    rankdir: str,
    label_edges: bool = True,
    phase: int | None = None,
    display_lrm: bool = False,
) -> Any:
    """The directed graph of a NetParameter: all layers, or those of one phase."""
    graph = pydot.Dot(caffe_net.name or "Net", graph_type="digraph", rankdir=rankdir)
    nodes: dict[str, Any] = {}
    edges: list[tuple[str, str, str]] = []
    ends: dict[str, bool] = {}
    for layer in caffe_net.layer:
        if phase is not None and not _is_in_phase(layer, phase):
            continue
        node = f"{layer.name}_{layer.type}"
        in_place = len(layer.bottom) == len(layer.top) == 1 and layer.bottom[0] == layer.top[0]
        style = dict(NEURON_LAYER_STYLE if in_place else LAYER_STYLE_DEFAULT)
        if not in_place:
            style["fillcolor"] = choose_color_by_layertype(layer.type)
        nodes[node] = pydot.Node(
            _quote(node), label=get_layer_label(layer, rankdir, display_lrm), **style
        )
        for bottom in layer.bottom:
            edges.append((f"{bottom}_blob", node, ""))
            ends[bottom] = False
        for top in layer.top:
            edges.append((node, f"{top}_blob", get_edge_label(layer) if label_edges else ""))
            ends[top] = True
    for blob, is_end in ends.items():
        style = {} if is_end else BLOB_STYLE
        nodes[f"{blob}_blob"] = pydot.Node(_quote(f"{blob}_blob"), label=_quote(blob), **style)
    for node in nodes.values():
        graph.add_node(node)
    for source, target, label in edges:
        graph.add_edge(pydot.Edge(_quote(source), _quote(target), label=_quote(label)))
    return graph


def get_layer_label(layer: Any, rankdir: str, display_lrm: bool = False) -> str:
    """A layer's name, type, kernel, stride and pad, and with `display_lrm` its rates; quoted."""
    separator = " " if rankdir in ("TB", "BT") else "\\n"
    if layer.type in ("Convolution", "Deconvolution"):
        param = layer.convolution_param
        parts = [layer.name, f"({layer.type})"] + _window(
            param.kernel_size[0] if param.kernel_size else 1,
            param.stride[0] if param.stride else 1,
            param.pad[0] if param.pad else 0,
        )
    elif layer.type == "Pooling":
        param = layer.pooling_param
        method = get_pooling_types_dict()[param.pool]
        parts = [layer.name, f"({layer.type} {method})"] + _window(
            param.kernel_size, param.stride, param.pad
        )
    else:
        parts = [layer.name, f"({layer.type})"]
    if display_lrm and layer.type in _WITH_RATES:
        weights, bias = get_layer_lr_mult(layer)
        if weights or bias:
            parts.append(f"lr mult: {weights:.1f}, {bias:.1f}")
    return f'"{separator.join(parts)}"'


def get_edge_label(layer: Any) -> str:
    """What an edge from a layer says: its batch size or its number of outputs."""
    if layer.type == "Data":
        return f"Batch {layer.data_param.batch_size}"
    if layer.type in ("Convolution", "Deconvolution"):
        return str(layer.convolution_param.num_output)
    if layer.type == "InnerProduct":
        return str(layer.inner_product_param.num_output)
    return ""


def get_layer_lr_mult(layer: Any) -> tuple[float, float]:
    """The rates of a layer's weights and bias, 1 where not given. ValueError for other types."""
    if layer.type not in _WITH_RATES:
        raise ValueError(f"{layer.type} layers do not have a learning rate multiplier")
    if len(layer.param) > 2:
        raise ValueError(f"{layer.name}: {len(layer.param)} params; weights and bias are expected")
    rates = [param.lr_mult for param in layer.param] + [1.0, 1.0]
    return rates[0], rates[1]


def get_pooling_types_dict() -> dict[int, str]:
    """Number -> name of the pooling methods."""
    methods = caffe_pb2.PoolingParameter.PoolMethod  # type: ignore[attr-defined]
    return {number: name for name, number in methods.items()}


def choose_color_by_layertype(layertype: str) -> str:
    """The fill colour of a layer's box."""
    return _COLOURS.get(layertype, "#6495ED")


def _window(kernel: int, stride: int, pad: int) -> list[str]:
    return [f"kernel size: {kernel}", f"stride: {stride}", f"pad: {pad}"]


def _quote(text: str) -> str:
    return '"' + text.replace('"', '\\"') + '"'


def _is_in_phase(layer: Any, phase: int) -> bool:
    if layer.include and layer.exclude:
        raise ValueError(f"{layer.name} has both include and exclude rules")
    if layer.include:
        return any(rule.phase == phase for rule in layer.include)
    return all(rule.phase != phase for rule in layer.exclude)
