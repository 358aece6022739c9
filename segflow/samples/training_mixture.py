"""The mixture of samples that a stage of training sees, built from the folders of data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from segflow.errors import UsageError
from segflow.samples.composites import Composites
from segflow.samples.davis_pairs import DavisPairs
from segflow.samples.flow_pairs import FlowPairs
from segflow.samples.mixture import Mixture
from segflow.samples.pictures import DEFAULT_BUDGET_BYTES, PictureCache
from segflow.samples.sample import SampleSource, SampleSpec
from segflow.samples.scene_samples import SceneSamples
from segflow.samples.still_pairs import StillPairs

# Shares of the sources by stage, of those whose data is there (lite_network.md sections 3 and 6).
SHARES: dict[str, dict[str, float]] = {
    "segmentation": {"davis": 5, "stills": 3, "composites": 4},
    "flow": {"flow": 4, "stills": 3, "composites": 5},
    "joint": {"davis": 5, "stills": 3, "composites": 4, "flow": 2},
}
SOURCES = ("davis", "stills", "composites", "flow", "scenes")


@dataclass(frozen=True)
class DataRoots:
    """Where the data is; None or () where there is none. Without any, scenes are made.

    exclude, exclude_flow: DAVIS sequences and flow pairs that are held out.
    """

    davis: Path | str | None = None
    stills: Sequence[Path | str] = ()
    flow: Sequence[Path | str] = ()
    split: str = "train"
    exclude: Sequence[str] = ()
    exclude_flow: Sequence[str] = ()


def training_mixture(
    roots: DataRoots,
    spec: SampleSpec,
    stage: str = "joint",
    weights: Mapping[str, float] | None = None,
    cache_bytes: int = DEFAULT_BUDGET_BYTES,
) -> Mixture:
    """The samples of a stage ("segmentation", "flow" or "joint").

    weights: {source: weight} in place of the stage's own shares, sources being davis, stills,
    composites (of stills), flow and scenes. Raises UsageError for an unknown stage or source, or
    a weight for a source without data.
    """
    if stage not in SHARES:
        raise UsageError(f"stage {stage!r}: want one of {', '.join(SHARES)}")
    here = _present(roots)
    if weights is None:
        weights = {name: w for name, w in SHARES[stage].items() if name in here} or {"scenes": 1}
    for name, weight in weights.items():
        if name not in SOURCES:
            raise UsageError(f"samples of {name!r}: want one of {', '.join(SOURCES)}")
        if weight and name not in here:
            raise UsageError(f"samples of {name!r} have a weight, but no data is given for them")
    names = [name for name, weight in weights.items() if weight]
    sources = _sources(names, roots, spec, PictureCache(spec.size, cache_bytes))
    return Mixture({name: (sources[name], weights[name]) for name in names}, spec.seed)


def _present(roots: DataRoots) -> set[str]:
    here = {"scenes"}
    if roots.davis:
        here.add("davis")
    if roots.stills:
        here |= {"stills", "composites"}
    if roots.flow:
        here.add("flow")
    return here


def _sources(
    names: Sequence[str], roots: DataRoots, spec: SampleSpec, cache: PictureCache
) -> dict[str, SampleSource]:
    sources: dict[str, SampleSource] = {}
    backgrounds: list[Path] = []
    if roots.davis and {"davis", "composites"} & set(names):
        davis = DavisPairs(roots.davis, spec, cache, split=roots.split, exclude=roots.exclude)
        sources["davis"], backgrounds = davis, davis.frame_files
    if {"stills", "composites"} & set(names):
        stills = StillPairs(roots.stills, spec, cache)
        sources["stills"] = stills
        sources["composites"] = Composites(stills.stills, spec, cache, backgrounds=backgrounds)
    if "flow" in names:
        sources["flow"] = FlowPairs(roots.flow, spec, cache, exclude=roots.exclude_flow)
    if "scenes" in names:
        sources["scenes"] = SceneSamples(spec)
    return sources
