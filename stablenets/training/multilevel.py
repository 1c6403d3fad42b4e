"""Multi-level training, Haber & Ruthotto 2017: train a shallow net, double its layers, halve h,
interpolate its weights in time, go on.

`depth=64 levels=3` asks for a net of 64 layers that starts from the trained one of 32, that from
16, and that from 8, which starts afresh; T and everything else is the same on each level, `epochs`
too, and the smoothness term takes each level's h by itself. So with L layers all levels together
cost less than two runs of L layers.

Each level is a run with a folder of its own, namely the one that `depth=32 levels=2` would make:
there is nothing in the configuration but the number of levels, a level is resumed and skipped as
any run is, its spectra and gradients are over its own depth, and chains share the levels that they
have in common. All levels inside one run would need one folder less, but a record of varying depth
and a checkpoint of varying shape, and would train the coarse nets of every chain again. The price
is that all levels are trained alike, and that momentum starts afresh on each.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from stablenets.engine.flow import Flow
from stablenets.engine.norms import STATISTICS


@torch.no_grad()
def prolong(coarse: nn.Module, fine: nn.Module) -> None:
    """Give `fine` the weights of `coarse`, two flows or two networks that differ in depth and h
    alone.

    A flow's stacked weights, and the statistics of its batch norms, are functions of time sampled
    at t_j = j h: they are interpolated. All else (opening, boundaries, head, fixed tensors, which
    all layers share where there is a step size) is copied.
    """
    state, flows = coarse.state_dict(), dict(coarse.named_modules())
    for name, flow in fine.named_modules():
        if isinstance(flow, Flow):
            ratio = flow.h / flows[name].h
            for part in stacked(flow):
                key = f"{name}.{part}" if name else part
                state[key] = interpolated(state[key], flow.depth, ratio)
    fine.load_state_dict(state)


def stacked(flow: Flow) -> list[str]:
    """The tensors of a flow that have a row for each layer: what it learns, and what its norms have
    counted.
    """
    return [name for name, _ in flow.named_parameters()] + [
        f"{part}_{norm}" for norm in flow.dynamics.norms for part in STATISTICS
    ]


def interpolated(values: Tensor, depth: int, ratio: float) -> Tensor:
    """(L, ...) at the nodes 0, 1, ... -> (depth, ...) at 0, ratio, 2 ratio, ...: piecewise linear,
    behind the last node constant.
    """
    if not len(values):
        raise ValueError(
            "depth=0: no weights between which others could be interpolated; start from a net of"
            " depth>=1"
        )
    at = (
        (torch.arange(depth, dtype=torch.float64) * ratio)
        .round(decimals=9)
        .clamp(max=len(values) - 1)
    )  # h has twelve digits
    left = at.floor().long()
    right = (left + 1).clamp(max=len(values) - 1)
    share = (at - left).to(values).view(-1, *(1,) * (values.dim() - 1))
    return torch.lerp(values[left.to(values.device)], values[right.to(values.device)], share)
