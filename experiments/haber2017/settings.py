"""The nets that are trained, as the mappings that a run is made of. Where the paper's numbers are
not known they are our choice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from stablenets.claims.work import Training

FAMILIES = ("resnet", "antisymmetric", "verlet", "leapfrog_haber")
# Final times and widths: Meganet's for the swiss roll (the leapfrog net, which is not there, is set
# as the Verlet net: its velocity is the other half of the state); the ellipses are set alike; peaks
# as in Meganet's first script. The paper's own are not known.
FINAL_TIMES = {"ellipses": 20.0, "swiss_roll": 20.0, "peaks": 5.0}
WIDTHS = {
    "ellipses": (4, 4, 2, 2),
    "swiss_roll": (4, 4, 2, 2),
    "peaks": (8, 8, 8, 8),
}  # in the order of FAMILIES
# Rates and penalties: ours, by the validation accuracy of seeds that are in no other table (tables
# `rates` and `penalties` at profile full), on the swiss roll at 64 layers, and used for all data
# sets and depths. Leapfrog takes Verlet's penalty. Meganet's are 5e-3, of the antisymmetric net
# 5e-4.
SMOOTHNESS = {"resnet": 5e-4, "antisymmetric": 5e-5, "verlet": 5e-5, "leapfrog_haber": 5e-5}
RATES = {"resnet": 0.03, "antisymmetric": 0.03, "verlet": 0.01, "leapfrog_haber": 0.03}
RATE_GRID, PENALTY_GRID = (0.003, 0.01, 0.03, 0.1), (5e-5, 5e-4, 5e-3)
# What is changed in the antisymmetric net of 1,024 layers to see what it lives on: the rate, the
# diffusion that suffices at this step (claim 3), the bias.
VARIED = ({"rate": 0.01}, {"rate": 0.1}, {"net": {"gamma": 0.02}}, {"net": {"bias": "feature"}})
PROBE = {
    "every": 1_000_000,
    "depths": 24,
    "spectrum_examples": 0,
}  # gradients at the first step and at the last


def planar(
    dataset: str,
    family: str,
    depth: int,
    seed: int,
    epochs: int,
    smoothness: float = 0.0,
    levels: int = 0,
    needs: tuple[Training, ...] = (),
    curves: bool = False,
    rate: float | None = None,
    net: Mapping[str, Any] | None = None,
) -> Training:
    """A net in the plane; `rate` is that of RATES unless it is given, `net` what is not as in the
    other nets of its family. Optimiser, schedule and batch are our choices.

    `curves`: the ledger keeps loss and accuracy of every epoch.
    """
    return Training(
        {
            "dataset": {"name": dataset},
            "depth": depth,
            "T": FINAL_TIMES[dataset],
            "levels": levels,
            "epochs": epochs,
            "batch": 128,
            "net": {
                "family": family,
                "widths": [WIDTHS[dataset][FAMILIES.index(family)]],
                "opening": "pad",
                "bias": "scalar",
                **(net or {}),
            },
            "optim": {
                "name": "adam",
                "lr": RATES[family] if rate is None else rate,
                "schedule": "onecycle",
                "smoothness": smoothness,
            },
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=("depths", "state_gradients", *(("train_loss", "test_accuracy") if curves else ())),
        needs=needs,
    )


def image(
    dataset: dict[str, Any],
    family: str,
    depth: int,
    seed: int,
    epochs: int,
    levels: int = 0,
    needs: tuple[Training, ...] = (),
) -> Training:
    """A net of 3x3 convolutions. All numbers are our choice: nothing of the paper's image nets is
    known.
    """
    return Training(
        {
            "dataset": dataset,
            "depth": depth,
            "T": 5.0,
            "levels": levels,
            "epochs": epochs,
            "batch": 64,
            "net": {
                "family": family,
                "operator": "conv",
                "widths": [8],
                "opening": "conv",
                "head": "flatten",
            },
            "optim": {"name": "adam", "lr": 0.005, "schedule": "onecycle"},
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=("depths", "state_gradients"),
        needs=needs,
    )


@dataclass(frozen=True)
class Chain:
    """Multi-level training: `doublings` from `first` layers on, so many epochs on each level. Each
    level is a run.
    """

    first: int
    doublings: int
    epochs: int

    @property
    def last(self) -> int:
        return self.first * 2**self.doublings

    def of(
        self, make: Callable[..., Training], *what: Any, seed: int, **options: Any
    ) -> list[Training]:
        """`make` is `planar` or `image`, `what` its first two arguments, the data and the
        family.
        """
        trainings: list[Training] = []
        for levels in range(self.doublings + 1):
            needs = tuple(trainings[-1:])
            trainings.append(
                make(
                    *what,
                    self.first * 2**levels,
                    seed,
                    self.epochs,
                    levels=levels,
                    needs=needs,
                    **options,
                )
            )
        return trainings
