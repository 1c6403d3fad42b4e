"""Multilevel training: a shallow network is trained, then a deeper one starts from its weights.

Between two levels the number of layers is doubled, h is halved, and the weights are interpolated in
time (docs/papers/haber2017.md#multilevel).

`depth=64 levels=3` trains networks of 8, 16, 32 and 64 layers. The first one starts from random
weights, and each other one from the trained network before it. T, `epochs` and all other options
are the same on each level. The smoothness term uses the h of each level. For a network of L layers,
all levels together cost less than two runs of L layers.

Each level is a run with a folder of its own. For example, the level of 32 layers is the run that
`depth=32 levels=2` makes. So a level is resumed or skipped like any other run, and trainings with
common levels share them. The disadvantage is that all levels use the same options, and that the
momentum of the optimiser starts at zero on each level.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stablenets.engine.flow import Flow
from stablenets.engine.norms import STATISTICS


@torch.no_grad()
def prolong(coarse: nn.Module, fine: nn.Module) -> None:
    """Give `fine` the weights of `coarse`, interpolated in time.

    The stacked weights of a flow, and the statistics of its batch norms, are values of functions of
    time at t_j = j h. They are interpolated linearly. All other tensors are copied: those of the
    opening, the boundaries and the head, and those that all layers share.

    Args:
        coarse: A flow or a network.
        fine: The same, with another depth and h; changed in place.
    """
    state, flows = coarse.state_dict(), dict(coarse.named_modules())
    for name, flow in fine.named_modules():
        if isinstance(flow, Flow):
            ratio = flow.h / flows[name].h
            for part in layer_tensors(flow):
                key = f"{name}.{part}" if name else part
                state[key] = interpolate_in_time(state[key], flow.depth, ratio)
    fine.load_state_dict(state)


def layer_tensors(flow: Flow) -> list[str]:
    """Names of a flow's tensors with a row for each layer: parameters and batch-norm statistics."""
    return [name for name, _ in flow.named_parameters()] + [
        f"{part}_{norm}" for norm in flow.dynamics.norms for part in STATISTICS
    ]


def interpolate_in_time(values: Tensor, depth: int, ratio: float) -> Tensor:
    """Piecewise linear interpolation along the first dimension, constant after the last node.

    Args:
        values: (L, ...), the values at the nodes 0, 1, ..., L - 1.
        depth: The number of new nodes.
        ratio: Their distance; the new nodes are 0, ratio, 2 ratio, ...

    Returns:
        (depth, ...), the values at the new nodes.
    """
    if not len(values):
        raise ValueError(
            "depth=0: there are no weights to interpolate; start from a network of depth>=1"
        )
    nodes = torch.arange(depth, dtype=torch.float64) * ratio
    nodes = nodes.round(decimals=9).clamp(max=len(values) - 1)  # h has twelve digits
    left = nodes.floor().long()
    right = (left + 1).clamp(max=len(values) - 1)
    fraction = (nodes - left).to(values).view(-1, *(1,) * (values.dim() - 1))
    return torch.lerp(values[left.to(values.device)], values[right.to(values.device)], fraction)
