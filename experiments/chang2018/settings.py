"""The nets that are trained, as the mappings that a run is made of. The table's nets are those of configs/net; what is ours says so."""
from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from stablenets.claims.work import Training

NETS = Path(__file__).resolve().parents[2] / "configs" / "net"
QUIET = {"every": 0, "samples": 0}
BATCH = 100
HELD_OUT = 0.1  # of the training images, for validation
CIFAR = 50_000  # training images
DROPS = [0.5, 0.75]  # of all steps: the authors' code drops the rate after 40,000 and 60,000 of 80,000
SGD = {"name": "sgd", "lr": 0.1, "momentum": 0.9, "weight_decay": 2e-4, "schedule": "step", "milestones": DROPS}


def configured(name: str) -> dict[str, Any]:
    """The net of a file in configs/net, without its final time."""
    values = yaml.safe_load((NETS / f"{name}.yaml").read_text())
    values.pop("T", None)
    return values


def few(net: str, percent: float, seed: int, steps: int, *, h: float | None, smoothness: float = 0.0, lr: float = 0.1,
        limit: int | None = None, **options: Any) -> Training:
    """A net on `percent` of CIFAR-10's training images, the same number of steps whatever the share.

    Crop and flip, batches of 100, momentum 0.9, weight decay 2e-4 and where the rate drops are the paper's; bfloat16 is ours. `limit` is
    for runs that only choose settings: so many images of validation and test.
    """
    epochs = round(steps * BATCH / (CIFAR * percent / 100))
    return Training({
        "dataset": {"name": "cifar10", "validation": HELD_OUT, "fraction": round(percent / 100 / (1 - HELD_OUT), 8), "limit": limit,
                    "augment": "crop-flip"},
        "net": configured(net) | options, **({} if h is None else {"h": h}), "epochs": epochs, "evaluate": epochs,
        "batch": BATCH, "precision": "bfloat16", "optim": SGD | {"lr": lr, "smoothness": smoothness}, "probe": QUIET,
        "seed": seed, "seeds": {"split": seed}})
