"""caffe/docs/flow_layers.md knows every flow layer, and its pictures are what the script draws."""

import io
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "caffe/docs"
DOCUMENT = (DOCS / "flow_layers.md").read_text()
HEADERS = [path.read_text() for path in (ROOT / "caffe/include/caffe/layers").glob("*.hpp")]
REDRAW = "run python caffe/docs/draw_flow_layers.py"

sys.path.insert(0, str(DOCS))
from flow_layer_pictures import PICTURES  # noqa: E402


def types_in(header: str) -> set[str]:
    return set(re.findall(r'type\(\) const override \{\s*return "(\w+)";', header))


def has_gpu_code(header: str) -> bool:
    """Whether the header's class, or one that it derives from, overrides Forward_gpu."""
    if "Forward_gpu" in header:
        return True
    bases = re.findall(r": public (\w+)<Dtype> \{", header)
    others = [other for other in HEADERS if other is not header]
    return any(
        re.search(rf"^class {base} :", other, re.M) and has_gpu_code(other)
        for base in bases
        for other in others
    )


def registered() -> set[str]:
    sources = (ROOT / "caffe/src/caffe/layers").glob("*.cpp")
    return {
        name
        for source in sources
        for name in re.findall(r"^REGISTER_LAYER_CLASS\((\w+)\)", source.read_text(), re.M)
    }


def flow_layers() -> list[str]:
    """Registered types whose header says that they come from a flow fork, or are ours."""
    flow = re.compile(r"layers_flow\.md|\(ours\)|\bOurs[.:;]")
    types: set[str] = set().union(*(types_in(h) for h in HEADERS if flow.search(h)))
    return sorted(types & registered())


def section(layer: str) -> str:
    match = re.search(rf"^### {layer}\n(.*?)(?=^##|\Z)", DOCUMENT, re.M | re.S)
    return match[1] if match else ""


def test_the_family_is_found():
    assert {"Correlation1D", "Warp", "FloatReader", "Pad", "FlowScale"} <= set(flow_layers())
    assert "Convolution" not in flow_layers()
    assert len(flow_layers()) >= 27


@pytest.mark.parametrize("layer", flow_layers())
def test_each_flow_layer_has_a_section_and_an_entry_in_the_index(layer: str):
    assert section(layer).strip(), f"caffe/docs/flow_layers.md lacks a section '### {layer}'"
    assert f"[{layer}](#{layer.lower()})" in DOCUMENT


def test_no_section_describes_a_layer_that_is_gone():
    assert set(re.findall(r"^### (\w+)$", DOCUMENT, re.M)) == set(flow_layers())


def test_the_layers_that_gpu_md_names_as_without_gpu_code_are_those():
    without: set[str] = set().union(*(types_in(h) for h in HEADERS if not has_gpu_code(h)))
    text = (DOCS / "gpu.md").read_text()
    listed = re.search(r"These are such layers: ([\w, ]+)\.", text)
    assert listed and listed[1].split(", ") == sorted(without)


def test_pictures_that_are_shown_are_those_that_are_drawn_and_kept():
    shown = set(re.findall(r"\]\(flow_layers/(\w+)\.png\)", DOCUMENT))
    kept = {path.stem for path in (DOCS / "flow_layers").iterdir()}
    assert shown == set(PICTURES) == kept, REDRAW


@pytest.mark.parametrize("name", sorted(PICTURES))
def test_picture_is_drawn_from_todays_sources(name: str):
    with Image.open(DOCS / "flow_layers" / f"{name}.png") as image:
        assert image.info.get("Source") == PICTURES[name].source_hash(), REDRAW


def test_drawing_again_gives_the_kept_picture():
    """Up to the strokes of letters, which differ from one matplotlib to the next."""

    def grey(file: Path | io.BytesIO) -> np.ndarray:
        with Image.open(file) as image:
            return np.asarray(image.convert("L"), dtype=float)

    drawn = grey(io.BytesIO(PICTURES["correlation"].png()))
    kept = grey(DOCS / "flow_layers/correlation.png")
    assert drawn.shape == kept.shape
    assert np.abs(drawn - kept).mean() < 3


def test_pictures_are_small():
    assert sum(path.stat().st_size for path in (DOCS / "flow_layers").iterdir()) < 300_000
