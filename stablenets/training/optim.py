"""Optimisers, and learning rates as pure functions of the step.

A resumed run therefore needs no state of the schedule.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from stablenets.config.options import Config, Optim


def build_optimiser(net: nn.Module, config: Optim) -> torch.optim.Optimizer:
    """The optimiser of a configuration, with two groups of parameters.

    Biases and the parameters of batch norms get no weight decay; all other parameters do. A
    parameter counts as one of them if it has one dimension, or if its name (after the last dot)
    begins with "b" or "gamma_".

    So do not give a matrix a name that begins with "b": it would get no weight decay.

    Args:
        net: The network.
        config: Name, learning rate, momentum, beta2 and weight decay.

    Returns:
        An optimiser from `torch.optim`. The first group has weight decay, the second has none.
    """
    decaying: list[Tensor] = []
    free: list[Tensor] = []
    for name, parameter in net.named_parameters():
        is_free = name.rsplit(".", 1)[-1].startswith(("b", "gamma_")) or parameter.dim() == 1
        (free if is_free else decaying).append(parameter)
    groups = [
        {"params": decaying, "weight_decay": config.weight_decay},
        {"params": free, "weight_decay": 0.0},
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


def learning_rate(config: Optim, step: float, steps: float) -> float:
    """The learning rate of a step.

    Args:
        config: Learning rate and schedule.
        step: Steps done, or any other measure of progress such as seconds.
        steps: The same measure at the end of the run.
    """
    return config.lr * SCHEDULES[config.schedule](config, step / steps if steps else 0.0)


def schedule_warning(config: Config) -> str:
    """A warning if training may stop before the schedule of the learning rate ends; '' if not."""
    if config.patience is None or config.optim.schedule == "constant":
        return ""
    return (
        f"patience={config.patience} optim.schedule={config.optim.schedule}: the schedule assumes"
        f" all {config.epochs} epochs, and patience may stop the training before"
    )


def half_cosine(t: float) -> float:
    """A factor that falls from 1 at t = 0 to 0 at t = 1."""
    return (1 + math.cos(math.pi * t)) / 2


def one_cycle(config: Optim, t: float) -> float:
    """A factor that rises from 1/25 to 1 until t = warmup, then falls to 0, both along a cosine."""
    low = 1 / 25
    if t < config.warmup:
        return 1 - (1 - low) * half_cosine(t / config.warmup)
    return half_cosine((t - config.warmup) / (1 - config.warmup))


def step_decay(config: Optim, t: float) -> float:
    """A factor that is multiplied by drop_factor at each milestone."""
    return config.drop_factor ** sum(t >= milestone for milestone in config.milestones)


# each gives the factor of the learning rate at the fraction t of the run
SCHEDULES: dict[str, Callable[[Optim, float], float]] = {
    "constant": lambda config, t: 1.0,
    "step": step_decay,
    "cosine": lambda config, t: half_cosine(t),
    "onecycle": one_cycle,
}
