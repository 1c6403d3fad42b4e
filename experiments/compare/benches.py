"""The benches: each is a data set with the one budget that all families get there."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stablenets.config.plugins import load_plugins
from stablenets.data import DATASETS, DatasetFacts
from stablenets.nets import FAMILIES, Recurrent

SAME = {"ms3": "hamiltonian"}  # families that are the network of another one; it counts for both
# How papers call a family whose name in the code is another one.
PAPER_NAMES = {"hdnn": "H1", "semi_implicit": "H2", "hamiltonian": "MS3"}
SEARCH_DEPTH = 16  # layers of the networks for which settings are searched
# gradient norms at the first and the last step; smallest, median and largest singular value
PROBE = {"every": 1_000_000, "depths": 16, "singular_values": 3}


@dataclass(frozen=True)
class Bench:
    """A data set, and what all families have in common on it.

    The target for the number of trainable parameters is `fixed + per_layer * depth`. It is that of
    a plain network with the width that the comment beside it names.

    Args:
        dataset: The options of the data set.
        epochs: Epochs, so the number of optimiser steps.
        evaluate_every: Epochs between two evaluations.
        fixed: Target for the parameters of input and output maps.
        per_layer: Target for the parameters of a layer; 0 if all layers share their weights.
        goal: The accuracy in % whose first reaching is counted in steps.
        searched_on: The bench on which the settings were searched.
        batch: Examples of a step.
        operator: "dense" or "conv".
        units: Units of a convolutional network; each has twice the channels of the one before.
    """

    dataset: Mapping[str, Any]
    epochs: int
    fixed: int
    per_layer: int
    goal: float
    searched_on: str
    evaluate_every: int = 1
    batch: int = 128
    operator: str = "dense"
    units: int = 1

    @property
    def facts(self) -> DatasetFacts:
        return DATASETS[self.dataset["name"]].facts

    @property
    def is_recurrent(self) -> bool:
        """Whether the depth is the length of the sequences."""
        return self.facts.kind == "sequence"

    def families(self) -> list[str]:
        """The families that can run here, those of plugins too, by their names."""
        load_plugins()
        return [name for name, cls in FAMILIES.items() if self.can_run(cls)]

    def can_run(self, cls: type) -> bool:
        """Whether a family is of the kind that the data and the operator need."""
        if issubclass(cls, Recurrent) != self.is_recurrent:
            return False
        return self.operator == "dense" or not cls().capabilities.dense_only

    def net(self, family: str, width: int) -> dict[str, Any]:
        """The options of a network of this family."""
        shared = {"family": family, "widths": [width * 2**unit for unit in range(self.units)]}
        if self.is_recurrent:
            return shared
        is_conv = self.operator == "conv"
        return shared | {
            "operator": self.operator,
            "opening": "conv" if is_conv else "linear",
            "head": "mean" if is_conv else "linear",
            "blocks": None,
            "transition": "before_first_block",
        }


BENCHES = {
    # width 16, 200 steps
    "swiss_roll": Bench(
        {"name": "swiss_roll"},
        epochs=50,
        evaluate_every=2,
        fixed=82,
        per_layer=272,
        goal=90.0,
        searched_on="swiss_roll",
    ),
    # width 32, 198 steps
    "digits": Bench(
        {"name": "digits"},
        epochs=18,
        fixed=2410,
        per_layer=1056,
        goal=95.0,
        searched_on="digits",
    ),
    # width 64, 198 steps
    "psdigits": Bench(
        {"name": "psdigits"},
        epochs=18,
        fixed=4874,
        per_layer=0,
        goal=80.0,
        searched_on="psdigits",
    ),
    # for the search of settings of convolutional networks; width 8
    "digits_conv": Bench(
        {"name": "digits"},
        epochs=18,
        fixed=170,
        per_layer=584,
        goal=95.0,
        searched_on="digits_conv",
        operator="conv",
    ),
    # width 64, 422 steps: one epoch
    "mnist": Bench(
        {"name": "mnist"},
        epochs=1,
        fixed=50_890,
        per_layer=4160,
        goal=95.0,
        searched_on="digits",
    ),
    # channels 8 and 16, 422 steps: one epoch
    "mnist_conv": Bench(
        {"name": "mnist"},
        epochs=1,
        fixed=250,
        per_layer=1452,
        goal=95.0,
        searched_on="digits_conv",
        operator="conv",
        units=2,
    ),
    # width 128, 422 steps: one epoch
    "psmnist": Bench(
        {"name": "psmnist"},
        epochs=1,
        fixed=17_930,
        per_layer=0,
        goal=80.0,
        searched_on="psdigits",
    ),
    # channels 16, 32 and 64, 2,016 steps
    "cifar10": Bench(
        {"name": "cifar10", "train_fraction": 0.1, "augment": "crop_flip"},
        epochs=56,
        fixed=1098,
        per_layer=16_133,
        goal=50.0,
        searched_on="digits_conv",
        operator="conv",
        units=3,
    ),
}
