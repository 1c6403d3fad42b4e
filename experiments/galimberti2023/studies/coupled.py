"""H2 with an X that is not the identity, trained: at X = I the wrong transpose passes too, and
nothing is checked.
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

from ..published import BATCH, POINTS
from .networks import ALL, RANDOM_X, SINGULAR_X, make_singular
from .random_weights import TRAINED_EVERY, WIDTH, symplecticity

DATASET, RATE = "swiss_roll", 0.1


def train(net: Network, split: Split, epochs: int, seed: int) -> None:
    """Layers and head together, Adam along one cycle, as our planar nets; X stays as it was
    drawn.
    """
    adam = torch.optim.Adam(net.parameters(), lr=RATE, fused=True)
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        adam, RATE, total_steps=epochs * -(-len(split) // BATCH)
    )
    for epoch in range(epochs):
        for x, labels in split.batches(BATCH, seed, epoch):
            adam.zero_grad()
            F.cross_entropy(net(x), labels).backward()
            adam.step()
            cycle.step()


@dataclass(frozen=True)
class Coupled(Study):
    """Symplecticity at test points after training in float32.

    Metrics: those of `symplecticity`, in float64; moved, the change of Kp and Kq relative to what
    they were; test_accuracy.
    """

    key = "galimberti2023/coupled_training"

    net: str = option(RANDOM_X, choices=(RANDOM_X, SINGULAR_X))
    layers: int = option(16, low=1)
    T: float = option(0.25, above=0.0)  # that of H2 in the other tables
    epochs: int = option(30, low=1)
    seed: int = option(0, low=0)

    dataset = DATASET

    @property
    def cost(self) -> float:
        return self.layers * self.epochs

    def measure(self, place: RunContext) -> Measured:
        data = load(
            DATASETS[DATASET](points=POINTS[DATASET]),
            CommonDataOptions(validation_fraction=0.0),
            root=place.runs,
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
        train(net, data.train, self.epochs, self.seed)
        net.double().requires_grad_(False)
        points, labels = next(iter(data.test.sweep(len(data.test))))
        correct = net(points.double()).argmax(1) == labels
        moved = (torch.cat([flow.Kp, flow.Kq]) - before).norm() / before.norm()
        return (
            symplecticity(flow, net.opening(points[::TRAINED_EVERY].double()))
            | {
                "moved": float(moved),
                "test_accuracy": float(correct.double().mean()),
            },
            {},
        )
