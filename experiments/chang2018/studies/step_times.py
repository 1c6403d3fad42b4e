"""Studies of the CPU time of a training step."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.schema import option
from stablenets.training.network import build_network

from ..networks import COMPARED_MODES, SMALL, net_options
from .building import build_from_values, deep_hamiltonian, resolve_image_run


@dataclass(frozen=True)
class StepOverhead(Study):
    """CPU seconds of forward and backward pass of Hamiltonian-74 in each mode, on one thread.

    Metrics and arrays by the name of the mode, as in `measure_step_times`.
    """

    key = "chang2018/step_overhead"

    version = 2  # version 1 had a network without batch norms
    batch: int = option(100, low=1)
    rounds: int = option(5, low=1)

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(0)
        nets = {mode: build_from_values(deep_hamiltonian(6, mode)) for mode in COMPARED_MODES}
        return measure_step_times(nets, (3, 32, 32), self.batch, self.rounds)


@dataclass(frozen=True)
class StepCost(Study):
    """CPU seconds of forward and backward pass of the networks that are compared on few data.

    On one thread, in float32. Metrics and arrays by the name of the family, as in
    `measure_step_times`.
    """

    key = "chang2018/step_cost"

    data: str = option("cifar10", choices=("digits", "cifar10"))
    batch: int = option(100, low=1)
    rounds: int = option(7, low=1)

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(0)
        options = {
            "hamiltonian": net_options("hamiltonian_74"),
            "resnet_bn": net_options("resnet_32"),
        }
        if self.data == "digits":
            options = {family: SMALL[family] for family in options}
        runs = {family: resolve_image_run(net, self.data) for family, net in options.items()}
        nets = {family: build_network(run, run.dataset.facts) for family, run in runs.items()}
        shape = runs["resnet_bn"].dataset.facts.shape
        return measure_step_times(nets, shape, self.batch, self.rounds)


def measure_step_times(
    nets: dict[str, nn.Module], shape: Sequence[int], batch: int, rounds: int
) -> Measured:
    """Measure CPU seconds of forward and backward pass of each network.

    In each round every network makes one step, so that a busy machine slows all of them alike.

    Args:
        nets: The networks by name.
        shape: Shape of an image.
        batch: Images of a step.
        rounds: Rounds that count; one round more is warm-up.

    Returns:
        The median over rounds by the name of the network, and all values as arrays.
    """
    x = torch.randn(batch, *shape)
    y = torch.randint(10, (batch,))
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    for turn in range(rounds + 1):
        for name, net in nets.items():
            start = time.process_time()
            F.cross_entropy(net(x), y).backward()
            if turn:
                seconds[name].append(time.process_time() - start)
    all_seconds = {name: torch.tensor(values) for name, values in seconds.items()}
    medians = {name: float(values.median()) for name, values in all_seconds.items()}
    return medians, {name: values.numpy() for name, values in all_seconds.items()}
