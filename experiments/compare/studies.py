"""What a training step costs, in time and memory."""

from __future__ import annotations

import dataclasses
import time
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F

from stablenets.claims.work import Measured, RunContext, Study, Training
from stablenets.config import Resolved
from stablenets.nets import Network, SequenceNetwork
from stablenets.probes import kept_bytes
from stablenets.schema import option
from stablenets.training.network import build_network

ROUNDS = 9  # timed steps, after one that warms up


@dataclass(frozen=True)
class Cost(Study):
    """Forward and backward of one batch of random examples, before training.

    | metric | meaning |
    |---|---|
    | parameters | trainable parameters |
    | step_seconds | CPU seconds of forward and backward on one thread, the median of 9 |
    | bytes_stored | bytes kept for the backward if all states are stored |
    | bytes_least | the same with `reverse` for a reversible family, with `checkpoint` for others |

    The array `seconds` holds the 9 times.
    """

    key = "compare/cost"

    training: Training = option()

    @property
    def needs(self) -> tuple[Training, ...]:
        return ()  # the network is not trained

    @property
    def cost(self) -> float:
        return self.training.resolved.config.depth

    @property
    def cost_class(self) -> tuple[str, ...]:
        return (type(self).__name__, *self.training.cost_class)

    def measure(self, context: RunContext) -> Measured:
        run = self.training.resolved
        torch.manual_seed(0)
        net, facts = build(run, "store"), run.dataset.facts
        x, y = torch.randn(run.config.batch, *facts.shape), torch.arange(run.config.batch)
        labels = y % facts.outputs
        seconds = []
        for _ in range(ROUNDS + 1):
            begun = time.process_time()
            F.cross_entropy(net(x), labels).backward()
            seconds.append(time.process_time() - begun)
        least = "reverse" if run.dynamics.capabilities.reversible else "checkpoint"
        return {
            "parameters": float(sum(part.numel() for part in net.parameters())),
            "step_seconds": float(np.median(seconds[1:])),
            "bytes_stored": float(kept_bytes(net, x)),
            "bytes_least": float(kept_bytes(build(run, least), x)),
        }, {"seconds": np.array(seconds[1:])}


def build(run: Resolved, backward: str) -> Network | SequenceNetwork:
    """The network of a run with another way of computing gradients."""
    config = dataclasses.replace(run.config, backward=backward)
    return build_network(dataclasses.replace(run, config=config), run.dataset.facts)
