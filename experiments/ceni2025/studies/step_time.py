"""Wall time of a training step of the networks that read psMNIST."""

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

from ..trainings import FAMILIES, pixel_run

WIDE = 256  # a roaRNN of this width is timed whatever `StepTime.width` is


def timed_name(training: Training) -> str:
    """Return the name of the metric of `StepTime` for the network of this training."""
    net = training.resolved.net
    return f"{net.family}_{net.widths[0]}" + ("_hidden" if net.head_hidden else "")


@dataclass(frozen=True)
class StepTime(Study):
    """Seconds of a training step of several networks, on one thread.

    In each round every network makes one step, so that a busy machine slows all of them alike. The
    networks are:

    - each family, with about as many trainable parameters as a roaRNN of `width`;
    - roaRNN and LSTM with a hidden layer in the readout;
    - a roaRNN that is twice as wide, and one of width WIDE.

    Metrics: the median over rounds of each network, by `timed_name`.
    """

    key = "ceni2025/step_time"

    version = 2  # version 1 did not time a roaRNN that is twice as wide
    data: str = option("psmnist")
    width: int = option(128, low=1)
    rounds: int = option(9, low=1)

    def measure(self, context: RunContext) -> Measured:
        trainings = [pixel_run(self.data, family, self.width, 0, 1) for family in FAMILIES]
        trainings += [
            pixel_run(self.data, family, self.width, 0, 1, has_hidden_layer=True)
            for family in ("roarnn", "lstm")
        ]
        trainings += [
            pixel_run(self.data, "roarnn", width, 0, 1) for width in (2 * self.width, WIDE)
        ]
        steps = {timed_name(training): training_steps(training) for training in trainings}
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(1 + self.rounds):  # the first round is warm-up and does not count
            for name, step in steps.items():
                start = time.perf_counter()
                next(step)
                seconds[name].append(time.perf_counter() - start)
        medians = {name: torch.tensor(times[1:]).median() for name, times in seconds.items()}
        return {name: float(median) for name, median in medians.items()}, {}


def training_steps(training: Training) -> Iterator[None]:
    """Make one training step on random sequences each time the caller asks for the next value."""
    run = training.resolved
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
