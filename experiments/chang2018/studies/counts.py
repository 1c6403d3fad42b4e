"""The study that counts parameters."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.nets.assembling import TRANSITIONS
from stablenets.schema import option
from stablenets.training.network import build_network

from ..networks import preset_options
from ..published import TABLE
from .building import BLOCK_NORMS, resolve_image_run


@dataclass(frozen=True)
class ParameterCount(Study):
    """Number of parameters of a network of the paper's table.

    The layout of blocks and their normalisation are options, because the paper does not state both
    for every network.

    Metrics:
        cifar10: Parameters with 10 classes.
        cifar100: Parameters with 100 classes.
    """

    key = "chang2018/parameter_count"

    net: str = option(choices=tuple(TABLE))
    transition: str = option(choices=TRANSITIONS)
    block_norm: str = option("", choices=BLOCK_NORMS)
    widths: tuple = ()  # channels of the units; empty for those of the preset

    def measure(self, context: RunContext) -> Measured:
        values = preset_options(self.net) | {"transition": self.transition}
        if self.block_norm:
            values["block_norm"] = self.block_norm
        if self.widths:
            values["widths"] = list(self.widths)
        counts = {}
        for dataset in ("cifar10", "cifar100"):
            run = resolve_image_run(values, dataset)
            with torch.device("meta"):  # no memory for the weights
                net = build_network(run, run.dataset.facts)
            counts[dataset] = float(sum(parameter.numel() for parameter in net.parameters()))
        return counts, {}
