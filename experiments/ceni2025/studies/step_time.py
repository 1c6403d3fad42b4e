"""The time of a training step of each network that reads psMNIST."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from stablenets.claims.work import Measured, RunContext, Study, Training
from stablenets.schema import option
from stablenets.training.losses import cross_entropy
from stablenets.training.network import build_network
from stablenets.training.optim import build_optimiser

from .networks import FAMILIES, pixel_run

WIDE = 256  # a width of roaRNN that is always timed


def timed_name(work: Training) -> str:
    """The name of the metric with the seconds of a step of this network."""
    net = work.resolved.net
    return f"{net.family}_{net.widths[0]}" + ("_hidden" if net.head_hidden else "")


@dataclass(frozen=True)
class StepTime(Study):
    """Seconds of a training step by `timed_name`: medians over rounds, on one thread.

    In each round all networks make a step in turn, so that a busy machine slows all alike. They
    are: each family with as many trainable parameters as a roaRNN of `width`; that roaRNN and LSTM
    with a hidden layer; a roaRNN twice as wide, and one of width WIDE.
    """

    key = "ceni2025/step_time"

    version = 2  # 1 had none that is twice as wide
    data: str = option("psmnist")
    width: int = option(128, low=1)
    rounds: int = option(9, low=1)

    def measure(self, place: RunContext) -> Measured:
        works = [pixel_run(self.data, family, self.width, 0, 1) for family in FAMILIES]
        works += [
            pixel_run(self.data, family, self.width, 0, 1, has_hidden_layer=True)
            for family in ("roarnn", "lstm")
        ]
        works += [pixel_run(self.data, "roarnn", width, 0, 1) for width in (2 * self.width, WIDE)]
        steps = {timed_name(work): training_steps(work) for work in works}
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(1 + self.rounds):  # the first is not counted
            for name, step in steps.items():
                begun = time.perf_counter()
                next(step)
                seconds[name].append(time.perf_counter() - begun)
        medians = {name: torch.tensor(times[1:]).median() for name, times in seconds.items()}
        return {name: float(median) for name, median in medians.items()}, {}


def training_steps(work: Training) -> Iterator[None]:
    """Make a training step on random sequences at each `next`."""
    run = work.resolved
    net = build_network(run, run.dataset.facts)
    x = torch.randn(run.config.batch, *run.dataset.facts.shape)
    y = torch.randint(run.dataset.facts.outputs, (run.config.batch,))
    optimiser = build_optimiser(net, run.config.optim)
    while True:
        optimiser.zero_grad()
        cross_entropy(net(x), y).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), run.config.optim.clip_norm)
        optimiser.step()
        yield
