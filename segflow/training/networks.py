"""The prototxt files of a network: its deploy net, and net and solver of each stage of training."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from segflow.errors import MissingDataError
from segflow.inference.networks import read_net

ROOT = Path(__file__).resolve().parents[2]
#: what a stage trains -> the name in its files
FILE_NAMES = {"segmentation": "train_seg", "flow": "train_flow", "joint": "train_joint"}


@dataclass(frozen=True)
class NetFolder:
    """A folder with deploy.prototxt, train_*.prototxt and solver_train_*.prototxt."""

    path: Path

    @property
    def name(self) -> str:
        return self.path.name

    @property
    def deploy_file(self) -> Path:
        return self.path / "deploy.prototxt"

    def net_file(self, kind: str) -> Path:
        return self.path / f"{FILE_NAMES[kind]}.prototxt"

    def solver_file(self, kind: str) -> Path:
        return self.path / f"solver_{FILE_NAMES[kind]}.prototxt"

    @property
    def fixed_size(self) -> tuple[int, int] | None:
        """(height, width) of the frames where the nets take no other, as the published one."""
        for kind in self.kinds():
            for layer in read_net(self.net_file(kind)).layer:
                crop = layer.augmentation_param
                if crop.crop_height and crop.crop_width:
                    return crop.crop_height, crop.crop_width
        return None

    def kinds(self) -> list[str]:
        """The stages whose net and solver are there."""
        return [
            kind
            for kind in FILE_NAMES
            if self.net_file(kind).is_file() and self.solver_file(kind).is_file()
        ]


def find_net(name: str | Path) -> NetFolder:
    """A folder of that path, or of that name below prototxt/. Raises MissingDataError."""
    bundled = ROOT / "prototxt"
    folders = [NetFolder(path.resolve()) for path in (Path(name), bundled / name) if path.is_dir()]
    for folder in folders:
        if folder.kinds():
            return folder
    if folders:
        wanted = " or ".join(f"{file}.prototxt" for file in FILE_NAMES.values())
        raise MissingDataError(f"{name}: no stage to train; want {wanted} with its solver")
    known = sorted(p.parent.name for p in bundled.glob("*/deploy.prototxt"))
    raise MissingDataError(f"{name}: no such network; bundled are {', '.join(known)}")
