"""Small nets, their objective and examples, on which the optimiser of Haber & Ruthotto 2017 is
tried.
"""

import torch

from experiments.haber2017.optimisers.block_descent import Objective
from stablenets.nets import FAMILIES, Network
from stablenets.training.losses import cross_entropy

OPTIONS = {"distributed": {"nodes": 2}}


def network(
    family: str = "verlet",
    operator: str = "dense",
    depth: int = 3,
    width: int = 4,
    mode: str = "plain",
    **options,
) -> Network:
    shape, kinds = (
        ((2,), ("linear", "linear")) if operator == "dense" else ((1, 4, 4), ("conv", "flatten"))
    )
    return Network(
        FAMILIES[family](**OPTIONS.get(family, {}) | options),
        shape=shape,
        outputs=3,
        widths=[width],
        depth=depth,
        h=0.5,
        operator=operator,
        opening_kind=kinds[0],
        head_kind=kinds[1],
        backward=mode,
    ).double()


def objective(net: Network, alpha: float = 0.1, alpha_head: float = 0.01) -> Objective:
    return Objective(net, cross_entropy, alpha, alpha_head)


def examples(count: int, *shape: int, classes: int = 3) -> tuple[torch.Tensor, torch.Tensor]:
    """Points whose class depends on where they are, and a little on chance."""
    x = torch.randn(count, *shape, dtype=torch.float64)
    return x, (x.flatten(1)[:, 0] * 2 + torch.randn(count)).round().long() % classes
