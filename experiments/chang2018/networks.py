"""Options of the networks that are measured and trained.

Networks of the paper's table are presets in configs/net. Comments say which options are our choice.
"""

from __future__ import annotations

from typing import Any

from stablenets.config.composition import net_preset

COMPARED_MODES = ("store", "checkpoint", "reverse")  # values of the option `backward`
BATCH = 100
TABLE_BLOCKS = 18  # blocks of a unit of Hamiltonian-218
DEEPEST_UNIT = 100  # blocks of a unit of Hamiltonian-1202, the deepest network of the table
# The authors' code drops the learning rate after 40,000 and 60,000 of 80,000 steps.
MILESTONES = [0.5, 0.75]
SGD = {
    "name": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 2e-4,
    "schedule": "step",
    "milestones": MILESTONES,
}
# Our choice: batch norms in the block, as in the authors' later code. The figure in the paper shows
# a block with one bias.
BLOCK = {"block_norm": "batch"}
# Our networks for images of 8x8 pixels. They have three units, as in the paper's table, and numbers
# of parameters that differ by at most 3 %.
SHARED_BY_SMALL = {
    "operator": "conv",
    "opening": "conv_bn_relu",
    "head": "bn_relu_mean",
    "gain": 1.4142,
    "activation": "relu",
}
SMALL = {
    "hamiltonian": {
        **SHARED_BY_SMALL,
        **BLOCK,
        "family": "hamiltonian",
        "widths": [16, 32, 56],
        "blocks": [3, 3, 3],
        "transition": "after_first_block",
    },
    "midpoint": {
        **SHARED_BY_SMALL,
        **BLOCK,
        "family": "midpoint",
        "widths": [16, 32, 48],
        "blocks": [2, 2, 2],
        "transition": "after_first_block",
    },
    "leapfrog": {
        **SHARED_BY_SMALL,
        **BLOCK,
        "family": "leapfrog",
        "widths": [16, 32, 48],
        "blocks": [2, 2, 2],
        "transition": "after_first_block",
    },
    "resnet_bn": {
        **SHARED_BY_SMALL,
        "family": "resnet_bn",
        "widths": [8, 17, 34],
        "blocks": [2, 2, 2],
        "transition": "strided_first_block",
        "head": "mean",
    },
    "revnet": {
        **SHARED_BY_SMALL,
        "family": "revnet",
        "widths": [12, 26, 44],
        "blocks": [2, 2, 2],
        "transition": "strided_first_block",
    },
}
# Step sizes h. The authors' code has 0.1 for Hamiltonian and midpoint, and 1 for leapfrog. Leapfrog
# changes a state by h² times the layer; its 0.5 is our choice.
STEPS = {"hamiltonian": 0.1, "midpoint": 0.1, "leapfrog": 0.5}


def preset_options(name: str) -> dict[str, Any]:
    """Return the options of a preset in configs/net, without its final time."""
    values = net_preset(name)
    values.pop("T", None)
    return values


def net_options(name: str) -> dict[str, Any]:
    """Return the options of a preset as we train it: with BLOCK, if the family has the option."""
    values = preset_options(name)
    return values | BLOCK if values["family"] in STEPS else values
