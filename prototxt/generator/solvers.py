"""Solver files. Paths in them are relative to the repository's root; the tools set their own."""

from __future__ import annotations

from pathlib import PurePosixPath

from .text import Value, solver_text

#: segflow: as released; the rates of the other stages follow the paper
_SEGFLOW: dict[str, dict[str, Value]] = {
    "train_seg": {
        "base_lr": 1e-9,
        "lr_policy": "step",
        "stepsize": 50000,
        "gamma": 0.5,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "max_iter": 200000,
        "display": 20,
        "snapshot": 5000,
    },
    "train_flow": {
        "base_lr": 1e-9,
        "lr_policy": "step",
        "stepsize": 10000,
        "gamma": 0.5,
        "momentum": 0.9,
        "weight_decay": 0.0005,
        "max_iter": 50000,
        "display": 20,
        "snapshot": 5000,
    },
    "online": {
        "base_lr": 1e-10,
        "lr_policy": "fixed",
        "momentum": 0.99,
        "weight_decay": 0.0005,
        "max_iter": 3000,
        "average_loss": 20,
        "display": 20,
        "snapshot": 3000,
    },
}

_ADAM: dict[str, Value] = {"type": "Adam", "momentum": 0.9, "momentum2": 0.99}
_LITE_TRAINING: dict[str, Value] = {
    **_ADAM,
    "base_lr": 0.0004,
    "lr_policy": "cosine",
    "stepsize": 200,
    "gamma": 0.02,
    "clip_gradients": 5.0,
    "weight_average": 0.9995,
    "display": 20,
    "average_loss": 20,
    "snapshot": 500,
    "random_seed": 1,
}
_SEGFLOW_LITE: dict[str, dict[str, Value]] = {
    "train_seg": {**_LITE_TRAINING, "max_iter": 1000},
    "train_flow": {**_LITE_TRAINING, "max_iter": 1000},
    "train_joint": {**_LITE_TRAINING, "max_iter": 3000},
    "online": {
        **_ADAM,
        "base_lr": 0.0003,
        "lr_policy": "fixed",
        "clip_gradients": 5.0,
        "max_iter": 60,
        "display": 20,
        "average_loss": 20,
        "random_seed": 1,
    },
}

#: as FlowNet 1.0 and PWC-Net were trained; FlowNet's steps are PWC-Net's
_FLOW_ALONE: dict[str, Value] = {
    "type": "Adam",
    "momentum": 0.9,
    "momentum2": 0.999,
    "weight_decay": 0.0004,
    "lr_policy": "multistep",
    "stepvalue": [400000, 600000, 800000, 1000000],
    "gamma": 0.5,
    "max_iter": 1200000,
    "display": 20,
    "average_loss": 20,
    "snapshot": 10000,
    "random_seed": 1,
}
_STAGES = {
    "segflow": _SEGFLOW,
    "segflow_lite": _SEGFLOW_LITE,
    "flownets": {"train_flow": {"base_lr": 1e-5, **_FLOW_ALONE}},
    "flownetc": {"train_flow": {"base_lr": 1e-5, **_FLOW_ALONE}},
    "pwcnet": {"train_flow": {"base_lr": 1e-4, **_FLOW_ALONE}},
}


def solver(network: str, stage: str, folder: PurePosixPath, *, max_iter: int | None = None) -> str:
    """The solver's text for `folder`/`stage`.prototxt; `max_iter` replaces the stage's own."""
    fields: dict[str, Value] = {"net": f"prototxt/{folder / stage}.prototxt"}
    fields |= _STAGES[network][stage]
    if max_iter is not None:
        fields["max_iter"] = max_iter
    fields["snapshot_prefix"] = f"snapshots/{'_'.join(folder.parts)}_{stage}"
    fields["test_initialization"] = False
    return solver_text(f"Solver of {folder / stage}.prototxt.", fields)
