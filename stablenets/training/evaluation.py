"""Outputs, loss and scores of a network, under the precision and objective of a run."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stablenets.config import Resolved
from stablenets.data import Dataset
from stablenets.nets import Network, SequenceNetwork
from stablenets.training.losses import LOSSES, SCORES, uniform_cross_entropy
from stablenets.training.precision import precision_context, with_memory_format

# Limits of the batch size in evaluations, and how many numbers a batch holds between these limits.
# Small examples need large batches, since each call of a layer has a fixed cost.
MIN_EXAMPLES, MAX_EXAMPLES, NUMBERS = 256, 4096, 2**18


class Evaluator:
    """Computes outputs, loss and scores of a network.

    Args:
        run: The resolved configuration.
        data: The data set of the run.
        net: The network, on `device`.
        device: The device of the run.
    """

    def __init__(
        self, run: Resolved, data: Dataset, net: Network | SequenceNetwork, device: torch.device
    ) -> None:
        self.config, self.data, self.net, self.device = run.config, data, net, device
        self.forward = torch.compile(net, dynamic=False) if run.config.compile else net
        self.dtype = torch.float64 if run.config.precision == "float64" else torch.float32
        self.loss = LOSSES[data.facts.task]
        self.score_name, self.score = SCORES[data.facts.task]

    def predict(self, x: Tensor, y: Tensor, tap: Callable | None = None) -> tuple[Tensor, Tensor]:
        """Outputs and loss of a batch.

        With a tap, the network runs uncompiled, because the tap must be called at every layer.
        """
        x = with_memory_format(x.to(self.dtype), self.config.precision)
        with precision_context(self.config.precision, self.device):
            outputs = self.net(x, tap) if tap else self.forward(x)
        return outputs, self.loss(outputs, y)

    def objective(self, outputs: Tensor, loss: Tensor) -> Tensor:
        """What training minimises: the loss with label smoothing and the smoothness term."""
        optim = self.config.optim
        if optim.label_smoothing:
            uniform = uniform_cross_entropy(outputs)
            loss = (1 - optim.label_smoothing) * loss + optim.label_smoothing * uniform
        return loss + optim.smoothness * self.net.variation() if optim.smoothness else loss

    @torch.no_grad()
    def evaluate(self, split: Any) -> dict[str, float]:
        """Mean loss and score over a split of the data; {} if the split is empty."""
        self.net.eval()
        loss = score = 0.0
        by_size = min(MAX_EXAMPLES, NUMBERS // math.prod(self.data.facts.shape))
        for x, y in split.sweep(max(self.config.batch, MIN_EXAMPLES, by_size)):
            outputs, batch_loss = self.predict(x, y)
            loss += float(batch_loss) * len(y)
            score += float(self.score(outputs, y)) * len(y)
        self.net.train()
        if not len(split):
            return {}
        return {"loss": loss / len(split), self.score_name: score / len(split)}

    def evaluate_splits(self, *names: str) -> dict[str, float]:
        """Loss and score of the splits 'train', 'validation' or 'test', as `test_loss` etc."""
        found = {}
        for split in names:
            for name, value in self.evaluate(getattr(self.data, split)).items():
                found[f"{split}_{name}"] = value
        return found
