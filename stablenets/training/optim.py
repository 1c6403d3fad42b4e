"""Optimisers, and learning rates as pure functions of the step: a resumed run needs no schedule
state.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stablenets.config.options import Optim


def optimiser(net: nn.Module, config: Optim) -> torch.optim.Optimizer:
    """Weight decay is for kernels and matrices; biases and batch norms are left alone: b.., beta_..
    and gamma_.. of a flow, which are (L, .) where its kernels are (L, n, n) or larger, and of
    torch's layers what is called bias or has one dimension.
    """

    def is_free(name: str, parameter: Tensor) -> bool:
        return name.rsplit(".", 1)[-1].startswith(("b", "gamma_")) or parameter.dim() == 1

    named = list(net.named_parameters())
    groups = [
        {
            "params": [parameter for name, parameter in named if not is_free(name, parameter)],
            "weight_decay": config.weight_decay,
        },
        {
            "params": [parameter for name, parameter in named if is_free(name, parameter)],
            "weight_decay": 0.0,
        },
    ]
    return OPTIMISERS[config.name](groups, config)


OPTIMISERS: dict[str, Callable[[list[dict], Optim], torch.optim.Optimizer]] = {
    "sgd": lambda groups, config: torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum),
    "adam": lambda groups, config: torch.optim.Adam(
        groups, lr=config.lr, betas=(0.9, config.beta2), fused=True
    ),
    "adamw": lambda groups, config: torch.optim.AdamW(
        groups, lr=config.lr, betas=(0.9, config.beta2), fused=True
    ),
}


def rate(config: Optim, step: float, steps: float) -> float:
    """The learning rate of step `step` out of `steps`, or of any other measure of how far a run has
    come.
    """
    return config.lr * SCHEDULES[config.schedule](config, step / steps if steps else 0.0)


def cosine(t: float) -> float:
    return (1 + math.cos(math.pi * t)) / 2


def onecycle(config: Optim, t: float) -> float:
    """From a twenty-fifth up to 1 and down to nought, both along a cosine."""
    low = 1 / 25
    if t < config.warmup:
        return 1 - (1 - low) * cosine(t / config.warmup)
    return cosine((t - config.warmup) / (1 - config.warmup))


SCHEDULES: dict[str, Callable[[Optim, float], float]] = {
    "constant": lambda config, t: 1.0,
    "step": lambda config, t: (
        config.drop_factor ** sum(t >= milestone for milestone in config.milestones)
    ),
    "cosine": lambda config, t: cosine(t),
    "onecycle": onecycle,
}
