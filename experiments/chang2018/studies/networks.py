"""The networks that are measured and trained.

Those of the paper's table are presets in configs/net. What is ours says so.
"""

from __future__ import annotations

from typing import Any

from stablenets.config.composition import net_preset

COMPARED_MODES = ("store", "checkpoint", "reverse")  # what is kept for the backward pass
BATCH = 100
TABLE_BLOCKS = 18  # in a unit of Hamiltonian-218
# The authors' code drops the rate after 40,000 and 60,000 of 80,000 steps.
DROPS = [0.5, 0.75]
SGD = {
    "name": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "weight_decay": 2e-4,
    "schedule": "step",
    "milestones": DROPS,
}
BLOCK = {
    "block_norm": "batch"
    # ours, as the steps below: batch norms in the block, as in the authors' later code; drawn is
    # one bias
}

SMALL = {  # for images of 8x8 pixels: three units as in the table, parameters alike to 3 %, ours
    "hamiltonian": (
        {
            "family": "hamiltonian",
            "widths": [16, 32, 56],
            "blocks": [3, 3, 3],
            "transition": "after_first_block",
        }
        | BLOCK
    ),
    "midpoint": (
        {
            "family": "midpoint",
            "widths": [16, 32, 48],
            "blocks": [2, 2, 2],
            "transition": "after_first_block",
        }
        | BLOCK
    ),
    "leapfrog": (
        {
            "family": "leapfrog",
            "widths": [16, 32, 48],
            "blocks": [2, 2, 2],
            "transition": "after_first_block",
        }
        | BLOCK
    ),
    "resnet_bn": {
        "family": "resnet_bn",
        "widths": [8, 17, 34],
        "blocks": [2, 2, 2],
        "transition": "strided_first_block",
        "head": "mean",
    },
    "revnet": {
        "family": "revnet",
        "widths": [12, 26, 44],
        "blocks": [2, 2, 2],
        "transition": "strided_first_block",
    },
}
SMALL = {
    family: (
        {
            "operator": "conv",
            "opening": "conv_bn_relu",
            "head": "bn_relu_mean",
            "gain": 1.4142,
            "activation": "relu",
        }
        | net
    )
    for family, net in SMALL.items()
}
STEPS = {
    "hamiltonian": 0.1,
    "midpoint": 0.1,
    "leapfrog": 0.5,
}  # h: the authors' code has 0.1 and 1; ours for leapfrog, which moves by h²


def configured(name: str) -> dict[str, Any]:
    """The net of a file in configs/net, without its final time."""
    values = net_preset(name)
    values.pop("T", None)
    return values


def chosen(name: str) -> dict[str, Any]:
    """The net of a file with the block that we train."""
    values = configured(name)
    return values | BLOCK if values["family"] in STEPS else values
