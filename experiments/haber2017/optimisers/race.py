"""Two optimisers from the same weights on the same objective, with a clock that runs while they
work and stands while they are judged.

Where the run has levels, both go through them all: on the coarsest from its first weights, on each
other from prolonged ones.
"""

from __future__ import annotations

import copy
import itertools
import math
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

import torch
from torch import Tensor

from stablenets import data
from stablenets.config import Resolved
from stablenets.config.options import Config
from stablenets.data.dataset import Dataset, Split
from stablenets.errors import BadInput
from stablenets.training.environment import data_root, reset_globals
from stablenets.training.losses import LOSSES, SCORES
from stablenets.training.multilevel import prolong
from stablenets.training.network import build_network
from stablenets.training.optim import build_optimiser, learning_rate

from .block_descent import BlockDescent, Objective, block_descent


@dataclass
class Trace:
    """A row at the start of each level and after each iteration: time of optimisation since the
    first start, depth of the net, the objective over the training set, errors (1 - accuracy).

    Seconds are those of this process on all its processors, which is what the wall clock would show
    on a machine with nothing else to do: a shared machine may stop that one for one of the two.
    """

    seconds: list[float] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    objective: list[float] = field(default_factory=list)
    validation_error: list[float] = field(default_factory=list)
    test_error: list[float] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)  # those of the row `best`

    @property
    def best(self) -> int:
        """The paper's output rule: of all rows that with the lowest validation error, the first of
        equals.
        """
        return min(range(len(self.validation_error)), key=lambda row: self.validation_error[row])

    def spans(self) -> list[float]:
        """Seconds on each level."""
        levels = [
            [at for at, depth in zip(self.seconds, self.depth, strict=True) if depth == level]
            for level in sorted(set(self.depth))
        ]
        return [times[-1] - times[0] for times in levels]


def timed(trace: Trace, steps: Iterable, objective: Objective, dataset: Dataset) -> None:
    """Run an optimiser to its end. It is a generator that moves the weights of `objective.net` and
    yields after each iteration.
    """
    steps, seconds = iter(steps), max(trace.seconds, default=0.0)
    while True:
        row = {"seconds": seconds, "depth": objective.net.depth} | judged(objective, dataset)
        for key, value in row.items():
            getattr(trace, key).append(value)
        if trace.best == len(trace.seconds) - 1:
            trace.weights = copy.deepcopy(objective.net.state_dict())
        begun = time.process_time()
        if not math.isfinite(row["objective"]) or next(steps, None) is None:
            return
        seconds += time.process_time() - begun


@torch.no_grad()
def judged(objective: Objective, dataset: Dataset) -> dict[str, float]:
    dtype, (_, score) = objective.weights[0].dtype, SCORES[dataset.facts.task]

    def whole(split: Split) -> tuple[Tensor, Tensor]:
        x, y = next(iter(split.sweep(len(split))))
        return x.to(dtype), y

    errors = {}
    for name in ("validation", "test"):
        x, y = whole(getattr(dataset, name))
        errors[f"{name}_error"] = 1 - float(score(objective.net(x), y))
    return {"objective": float(objective(*whole(dataset.train)))} | errors


def first_order(objective: Objective, split: Split, config: Config, budget: float) -> Iterator[int]:
    """Epochs of the optimiser that a run's configuration names, on the whole objective, until it
    has worked for `budget` seconds of the processor, over which its schedule runs; yields their
    number. The last epoch ends where the time does.
    """
    descent, spent = build_optimiser(objective.net, config.optim), 0.0
    for epoch in itertools.count():
        begun = time.process_time() - spent
        for x, y in split.batches(config.batch, config.seeds.order, epoch):
            if (now := time.process_time() - begun) >= budget:
                break
            for group in descent.param_groups:
                group["lr"] = learning_rate(config.optim, now, budget)
            descent.zero_grad()
            objective(x.to(objective.weights[0].dtype), y).backward()
            descent.step()
        spent = time.process_time() - begun
        yield epoch + 1
        if spent >= budget:
            return


def race(run: Resolved, options: BlockDescent) -> dict[str, Trace]:
    """Block descent, and then the run's optimiser with its batch and schedule, from the run's first
    weights and with its smoothness.

    Iterations are those of each level; the second has as much time of the processor on each as the
    first took, and its schedule ends when that does, or else it would be judged in the middle of
    it. On the CPU, where no work is left behind when a clock is read.
    """
    config = run.config
    if not run.common.validation_fraction:
        raise BadInput(
            "dataset.validation_fraction=0: the race is decided by the validation error; hold some"
            " examples out, for example 0.1"
        )
    if config.optim.label_smoothing:
        raise BadInput(
            f"optim.label_smoothing={config.optim.label_smoothing}: block descent's objective has"
            " none; set optim.label_smoothing=0"
        )
    if config.optim.frozen:
        raise BadInput(
            f"optim.frozen=[{','.join(config.optim.frozen)}]: block descent moves all weights; set"
            " optim.frozen=[]"
        )
    reset_globals(run)
    dataset = data.load(
        run.dataset,
        run.common,
        root=data_root(config.data_root),
        split_seed=config.seeds.split,
        permutation_seed=config.seeds.permutation,
        device="cpu",
        download=config.download,
    )
    descent = climbed(
        run,
        dataset,
        options.alpha_head,
        lambda objective: block_descent(objective, dataset.train, options, config.seeds.order),
    )
    spans = iter(descent.spans())
    other = climbed(
        run,
        dataset,
        options.alpha_head,
        lambda objective: first_order(objective, dataset.train, config, next(spans)),
    )
    return {"block descent": descent, config.optim.name: other}


def climbed(
    run: Resolved, dataset: Dataset, alpha_head: float, steps: Callable[[Objective], Iterable]
) -> Trace:
    """One optimiser on all levels of a run, the coarsest first."""
    levels = [run]
    while (coarser := levels[0].coarser) is not None:
        levels.insert(0, coarser)
    trace, net = Trace(), None
    torch.manual_seed(run.config.seeds.init)
    for level in levels:
        coarse, net = net, build_network(level, dataset.facts)
        if coarse is not None:
            prolong(coarse, net)
        try:
            objective = Objective(
                net, LOSSES[dataset.facts.task], run.config.optim.smoothness, alpha_head
            )
        except ValueError as error:
            raise BadInput(f"net.family={run.net.family}: {error}") from None
        timed(trace, steps(objective), objective, dataset)
    return trace
