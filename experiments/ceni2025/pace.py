"""How long a training step takes: nets one after the other, round after round, so that what else
the machine does falls on all alike.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from stablenets.claims.results import Results
from stablenets.claims.work import Measured, RunContext, Study, Training
from stablenets.schema import option
from stablenets.training.losses import cross_entropy
from stablenets.training.network import build_network
from stablenets.training.optim import build_optimiser

from .nets import RECURRENT, matched, parameters
from .settings import pixels, read

BAR = 256  # the width of roaRNN at which the time of an epoch is asked for


def key(work: Training) -> str:
    net = work.resolved.net
    return f"{net.family}_{net.widths[0]}" + ("_hidden" if net.head_hidden else "")


@dataclass(frozen=True)
class Pace(Study):
    """Metrics: seconds of a step by `key`, medians over rounds, on one thread; every family with as
    many trainable parameters as a roaRNN of `width`, that roaRNN and LSTM with the hidden layer,
    and a roaRNN twice as wide and one of width BAR.
    """

    key = "ceni2025/step_time"

    version = 2  # 1 had none that is twice as wide
    data: str = option("psmnist")
    width: int = option(128, low=1)
    rounds: int = option(9, low=1)

    def measure(self, place: RunContext) -> Measured:
        wanted = parameters("roarnn", self.width, 1, 10)
        works = [
            pixels(self.data, family, matched(family, wanted, 1, 10), 0, 1) for family in RECURRENT
        ]
        works += [read(self.data, family, self.width, 0, 1) for family in ("roarnn", "lstm")]
        works += [pixels(self.data, "roarnn", width, 0, 1) for width in (2 * self.width, BAR)]
        steps = {key(work): stepping(work) for work in works}
        seconds: dict[str, list[float]] = {name: [] for name in steps}
        for _ in range(1 + self.rounds):  # the first is not counted
            for name, step in steps.items():
                begun = time.perf_counter()
                next(step)
                seconds[name].append(time.perf_counter() - begun)
        return {
            name: float(torch.tensor(times[1:]).median()) for name, times in seconds.items()
        }, {}


def stepping(work: Training) -> Iterator[None]:
    """Training steps on random sequences, one for each `next`."""
    run = work.resolved
    net = build_network(run, run.dataset.facts)
    x = torch.randn(run.config.batch, *run.dataset.facts.shape)
    y = torch.randint(run.dataset.facts.outputs, (run.config.batch,))
    descent = build_optimiser(net, run.config.optim)
    while True:
        descent.zero_grad()
        cross_entropy(net(x), y).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), run.config.optim.clip_norm)
        descent.step()
        yield


def minutes_an_epoch(results: Results, name: str, work: Training) -> float | None:
    """Of the net `name`, with the batches and the examples of a run; None where it was not
    timed.
    """
    rows = results["pace"]
    if not len(rows) or name not in rows:
        return None
    metrics = results.ledger[work.name].metrics
    return (
        float(rows[name].iloc[0])
        * metrics["steps"]
        / (metrics.get("epochs") or work.resolved.config.epochs)
        / 60
    )
