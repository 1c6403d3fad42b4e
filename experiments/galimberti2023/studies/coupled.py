"""Training of H2 with a coupling matrix X that is not the identity.

With X = I, both B.T J B = J and B J B.T = J hold, so a check with the wrong transpose passes too.
With a general X only the first one holds, and the check can detect this mistake.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.data import DATASETS, CommonDataOptions, load
from stablenets.data.dataset import Split
from stablenets.nets import Network
from stablenets.schema import option

from ..networks import ALL, RANDOM_X, SINGULAR_X, make_singular
from ..published import BATCH, POINTS
from .random_weights import TRAINED_EVERY, WIDTH, symplecticity

DATASET = "swiss_roll"
LEARNING_RATE = 0.1


def train_planar(net: Network, split: Split, epochs: int, seed: int) -> None:
    """Train layers and output layer together by Adam along one cycle; X stays fixed.

    The planar networks of the other tables are trained in the same way.
    """
    adam = torch.optim.Adam(net.parameters(), lr=LEARNING_RATE, fused=True)
    batches_per_epoch = -(-len(split) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        adam, LEARNING_RATE, total_steps=epochs * batches_per_epoch
    )
    for epoch in range(epochs):
        for x, labels in split.batches(BATCH, seed, epoch):
            adam.zero_grad()
            F.cross_entropy(net(x), labels).backward()
            adam.step()
            schedule.step()


@dataclass(frozen=True)
class CoupledTraining(Study):
    """Symplecticity of H2 with a random or a singular X, after training in float32.

    Metrics:
        layer, product, wrong_transpose, determinant: As in `symplecticity`, in float64, at test
            points.
        moved: How far Kp and Kq moved in training, relative to their first norm.
        test_accuracy: Between 0 and 1.
    """

    key = "galimberti2023/coupled_training"

    net: str = option(RANDOM_X, choices=(RANDOM_X, SINGULAR_X))
    layers: int = option(16, low=1)
    T: float = option(0.25, "final time; as H2 has it on the swiss roll in other tables", above=0.0)
    epochs: int = option(30, low=1)
    seed: int = option(0, low=0)

    dataset = DATASET

    @property
    def cost(self) -> float:
        return self.layers * self.epochs

    def measure(self, context: RunContext) -> Measured:
        data = load(
            DATASETS[DATASET](points=POINTS[DATASET]),
            CommonDataOptions(validation_fraction=0.0),
            root=context.runs,
            split_seed=self.seed,
            permutation_seed=0,
            device="cpu",
            download=False,
        )
        torch.manual_seed(self.seed)
        named = ALL[self.net]
        net = Network(
            named.dynamics,
            shape=(2,),
            outputs=2,
            widths=[WIDTH],
            depth=self.layers,
            h=self.T / self.layers,
            operator="dense",
            opening_kind="spread",
            head_kind="linear",
            gain=named.gain(WIDTH),
        )
        (flow,) = net.units
        if self.net == SINGULAR_X:
            make_singular(flow)
        before = torch.cat([flow.Kp, flow.Kq]).detach().clone()
        train_planar(net, data.train, self.epochs, self.seed)
        net.double().requires_grad_(False)
        points, labels = next(iter(data.test.sweep(len(data.test))))
        correct = net(points.double()).argmax(1) == labels
        moved = (torch.cat([flow.Kp, flow.Kq]) - before).norm() / before.norm()
        metrics = symplecticity(flow, net.opening(points[::TRAINED_EVERY].double()))
        metrics |= {"moved": float(moved), "test_accuracy": float(correct.double().mean())}
        return metrics, {}
