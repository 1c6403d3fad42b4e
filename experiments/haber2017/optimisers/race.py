"""A race of two optimisers, from the same weights and on the same objective.

The clock runs during optimisation and stops during evaluation. In a multilevel run both optimisers
train on all levels. On the coarsest level they start from the weights of the run, and on each finer
one from the prolonged weights of the level before.
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
from .newton import Step


@dataclass
class Trace:
    """The course of one optimiser: a row at the start of each level and after each iteration.

    Times are CPU times of this process, summed over its threads. Unlike wall time, they do not grow
    if other processes use the machine.

    Args:
        seconds: CPU time of optimisation since the first start.
        depth: Layers of the network.
        objective: The objective on all training examples.
        validation_error: 1 - accuracy.
        test_error: 1 - accuracy.
        work: Products with the Hessian of block descent, or gradients of the other optimiser, since
            the first start.
        weights: The state dict of the row `best`.
    """

    seconds: list[float] = field(default_factory=list)
    depth: list[int] = field(default_factory=list)
    objective: list[float] = field(default_factory=list)
    validation_error: list[float] = field(default_factory=list)
    test_error: list[float] = field(default_factory=list)
    work: list[int] = field(default_factory=list)
    weights: dict[str, Tensor] = field(default_factory=dict)

    @property
    def best(self) -> int:
        """The first row with the lowest validation error, whose weights are the paper's result."""
        return min(range(len(self.validation_error)), key=lambda row: self.validation_error[row])

    def seconds_by_level(self) -> list[float]:
        """Return the CPU time on each level, the coarsest first."""
        rows = list(zip(self.seconds, self.depth, strict=True))
        spans = []
        for level in sorted(set(self.depth)):
            times = [seconds for seconds, depth in rows if depth == level]
            spans.append(times[-1] - times[0])
        return spans


def record_optimiser(
    trace: Trace, steps: Iterable[int], objective: Objective, dataset: Dataset
) -> None:
    """Run an optimiser to its end and add a row to the trace at the start and after each iteration.

    It ends earlier if the objective is not finite.

    Args:
        trace: The trace.
        steps: The optimiser, which moves the weights of `objective.net` and yields the work of each
            iteration after it.
        objective: The objective.
        dataset: The data.
    """
    steps = iter(steps)
    seconds, work = max(trace.seconds, default=0.0), max(trace.work, default=0)
    while True:
        row = {"seconds": seconds, "depth": objective.net.depth, "work": work}
        row |= evaluate(objective, dataset)
        for key, value in row.items():
            getattr(trace, key).append(value)
        if trace.best == len(trace.seconds) - 1:
            trace.weights = copy.deepcopy(objective.net.state_dict())
        start = time.process_time()
        if not math.isfinite(row["objective"]) or (done := next(steps, None)) is None:
            return
        work += done
        seconds += time.process_time() - start


@torch.no_grad()
def evaluate(objective: Objective, dataset: Dataset) -> dict[str, float]:
    """Return the objective on all training examples, and validation and test error."""
    dtype = objective.weights[0].dtype
    _, accuracy = SCORES[dataset.facts.task]

    def all_examples(split: Split) -> tuple[Tensor, Tensor]:
        x, y = next(iter(split.sweep(len(split))))
        return x.to(dtype), y

    errors = {}
    for name in ("validation", "test"):
        x, y = all_examples(getattr(dataset, name))
        errors[f"{name}_error"] = 1 - float(accuracy(objective.net(x), y))
    return {"objective": float(objective(*all_examples(dataset.train)))} | errors


def train_first_order(
    objective: Objective, split: Split, config: Config, budget: float
) -> Iterator[int]:
    """Train by the optimiser of a run for a given CPU time, over which its schedule runs.

    The last epoch may be incomplete.

    Args:
        objective: The objective.
        split: The training examples.
        config: The configuration of the run: optimiser, schedule, batch and seeds.
        budget: CPU time in seconds.

    Yields:
        The number of gradients of each epoch, after it.
    """
    optimiser = build_optimiser(objective.net, config.optim)
    spent = 0.0
    for epoch in itertools.count():
        start, steps = time.process_time() - spent, 0
        for x, y in split.batches(config.batch, config.seeds.order, epoch):
            if (now := time.process_time() - start) >= budget:
                break
            for group in optimiser.param_groups:
                group["lr"] = learning_rate(config.optim, now, budget)
            optimiser.zero_grad()
            objective(x.to(objective.weights[0].dtype), y).backward()
            optimiser.step()
            steps += 1
        spent = time.process_time() - start
        yield steps
        if spent >= budget:
            return


def run_race(run: Resolved, options: BlockDescent) -> dict[str, Trace]:
    """Train by block descent, and then by the optimiser of the run, from the same weights.

    Both minimise the same objective, with the smoothness of the run. On each level the second
    optimiser gets as much CPU time as block descent took there. Its schedule ends with this time,
    so that it is not evaluated in the middle of the schedule. All runs on the CPU, where no work is
    pending when a clock is read.

    Args:
        run: The run: data, network, levels, and the optimiser with its batch and schedule.
        options: Of block descent; `iterations` is per level.

    Returns:
        The traces of "block descent" and of the optimiser by its name.

    Raises:
        BadInput: If the options of the run do not allow a race.
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
    descent = train_on_all_levels(
        run,
        dataset,
        options.alpha_head,
        lambda objective: count_products(
            block_descent(objective, dataset.train, options, config.seeds.order)
        ),
    )
    budgets = iter(descent.seconds_by_level())
    other = train_on_all_levels(
        run,
        dataset,
        options.alpha_head,
        lambda objective: train_first_order(objective, dataset.train, config, next(budgets)),
    )
    return {"block descent": descent, config.optim.name: other}


def count_products(iterations: Iterable[tuple[list[Step], Step]]) -> Iterator[int]:
    """Yield the number of products with the Hessian in each iteration of block descent."""
    for head_steps, weights_step in iterations:
        yield sum(step.iterations for step in (*head_steps, weights_step))


def train_on_all_levels(
    run: Resolved,
    dataset: Dataset,
    alpha_head: float,
    make_steps: Callable[[Objective], Iterable[int]],
) -> Trace:
    """Run one optimiser on all levels of a run, the coarsest first, and return its trace.

    Args:
        run: The run.
        dataset: The data.
        alpha_head: As in `Objective`.
        make_steps: Starts the optimiser on the objective of a level; see `record_optimiser`.
    """
    levels = [run]
    while (coarser := levels[0].coarser) is not None:
        levels.insert(0, coarser)
    trace = Trace()
    net = None
    torch.manual_seed(run.config.seeds.init)
    for level in levels:
        coarse = net
        net = build_network(level, dataset.facts)
        if coarse is not None:
            prolong(coarse, net)
        try:
            objective = Objective(
                net, LOSSES[dataset.facts.task], run.config.optim.smoothness, alpha_head
            )
        except ValueError as error:
            raise BadInput(f"net.family={run.net.family}: {error}") from None
        record_optimiser(trace, make_steps(objective), objective, dataset)
    return trace
