"""The authors' way of training, with the sensitivities on its way: a head anew in each iteration, then one step on the layers.

Their code sets the output layer to zero in each iteration, gives it ten steps of Adam, and then moves the layers by one. It also sets
Adam's step counter to the epoch in part of the tensors, which we leave out: it changes the results (see README.md).
"""
from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from experiments.galimberti2023.networks import ALL, PLAIN
from experiments.galimberti2023.studies import jacobians
from stablenets.claims.work import Measured, Place, Study
from stablenets.data import DATASETS, Common, load
from stablenets.data.dataset import Split
from stablenets.flow import Flow
from stablenets.nets import Network
from stablenets.probes import suffixes
from stablenets.schema import option

RATE, HEAD_STEPS, BATCH = 0.05, 10, 125
CHANGE, HEAD_SIZE = 5e-4, 1e-4  # the authors' alpha and alpha_c
DATASET = "double_moons"
MEASURED = 50  # at so many points
BOUNDED = ("H1", "H2")  # ∂y_{j+1}/∂y_j is made of I + h J K.T D K
EVERY = 24  # iterations between two measurements


def head(features: Tensor, labels: Tensor, outputs: int) -> Tensor:
    """(outputs, n + 1) weights and biases of an output layer, after some steps of Adam from zero."""
    inputs = F.pad(features, (0, 1), value=1.0)
    W = torch.zeros(outputs, inputs.shape[1], dtype=features.dtype, requires_grad=True)
    adam = torch.optim.Adam([W], lr=RATE, fused=True)
    for _ in range(HEAD_STEPS):
        adam.zero_grad()
        (F.cross_entropy(inputs @ W.T, labels) + HEAD_SIZE * W.square().sum()).backward()
        adam.step()
    return W.detach()


def change(flow: Flow) -> Tensor:
    """(h/2) Σ ‖θ_{j+1} - θ_j‖², the authors' R: our variation is its form that does not depend on how fine the layers are."""
    return flow.h**2 * flow.variation()


def iterate(net: Network, adam: torch.optim.Optimizer, x: Tensor, labels: Tensor, decay: float = 0.0) -> Tensor:
    """A head anew, then one step of `adam` on the layers under it, with (decay h/2) Σ ‖θ_j‖² in their loss; the head (outputs, n + 1)."""
    (flow,) = net.units
    features = flow(net.opening(x))
    W = head(features.detach(), labels, net.head[-1].out_features)
    adam.zero_grad()
    penalty = CHANGE * change(flow)
    if decay:
        penalty = penalty + decay * flow.h / 2 * sum(parameter.square().sum() for parameter in flow.parameters())
    (F.cross_entropy(F.linear(features, W[:, :-1], W[:, -1]), labels) + penalty).backward()
    adam.step()
    return W


def alternating(net: Network, split: Split, epochs: int, seed: int, decay: float) -> Iterator[int]:
    """Train the layers of `net`; yields the number of each iteration before it is made. The head is left as the last one was."""
    adam = torch.optim.Adam(net.units.parameters(), lr=RATE, fused=True)
    iteration = 0
    for epoch in range(epochs):
        for x, labels in split.batches(BATCH, seed, epoch):
            yield iteration
            W = iterate(net, adam, x, labels, decay)
            iteration += 1
    with torch.no_grad():
        net.head[-1].weight.copy_(W[:, :-1])
        net.head[-1].bias.copy_(W[:, -1])


@dataclass(frozen=True)
class Alternating(Study):
    """Sensitivities through training on double moons: ‖B_l‖ of single examples at chosen layers, from the first iteration to the last.

    Metrics: lowest and highest over examples, layers and iterations; the same of the mean over a batch (mean_lowest, mean_highest), which
    is what the authors draw; end and end_highest, the median and the
    highest ‖B_0‖ of the examples after training; bound, of the upper bound on ‖B_0‖ for the nets
    of BOUNDED; test accuracy.
    Arrays: iterations, layers, norms (iterations, layers; lowest, median and highest of the examples).
    """

    net: str = option("H1", choices=tuple(ALL))
    layers: int = option(64, low=1)
    T: float = option(0.8, above=0.0)
    epochs: int = option(30, low=1)
    seed: int = option(0, low=0)
    width: int = option(4, low=2)
    decay: float = option(0.0, "of all weights of the layers; the authors have none", low=0.0)

    dataset = DATASET

    @property
    def size(self) -> float:
        return self.layers * self.epochs

    def measure(self, place: Place) -> Measured:
        data = load(DATASETS[DATASET](), Common(validation=0.0), root=place.runs, split_seed=self.seed, permutation_seed=0, device="cpu",
                    download=False)
        torch.manual_seed(self.seed)
        named = ALL[self.net]
        gain = 1.0 if self.net == PLAIN else named.gain(self.width)
        net = Network(named.dynamics, shape=(2,), outputs=2, widths=[self.width], depth=self.layers, h=self.T / self.layers,
                      operator="dense", opening_kind="spread", head_kind="linear", gain=gain)
        points = next(iter(data.test.sweep(len(data.test))))[0][::len(data.test) // MEASURED]
        rows, iterations = [], []
        for iteration in alternating(net, data.train, self.epochs, self.seed, self.decay):
            if iteration % EVERY == 0:
                rows.append(sensitivities(net, points))
                iterations.append(iteration)
        rows.append(sensitivities(net, points))
        iterations.append(iteration + 1)
        single, mean = (np.stack(values) for values in zip(*rows, strict=True))
        with torch.no_grad():
            x, labels = next(iter(data.test.sweep(len(data.test))))
            accuracy = float((net(x).argmax(1) == labels).double().mean())
        shown = list(range(0, self.layers, max(1, self.layers // 6)))
        bound = {"bound": upper_bound(net.units[0])} if self.net in BOUNDED else {}
        return (bound | {"lowest": single[..., 0].min(), "highest": single[..., 2].max(), "mean_lowest": mean.min(),
                         "mean_highest": mean.max(), "end": single[-1, 0, 1], "end_highest": single[-1, 0, 2], "test_accuracy": accuracy},
                {"iterations": np.array(iterations), "layers": np.array(shown), "norms": single[:, shown], "mean_norms": mean[:, shown]})


@torch.no_grad()
def upper_bound(flow: Flow) -> float:
    """Π (1 + h ‖K_j‖²) over layers and halves, for |σ'| <= 1 and ‖J‖ = 1: what limits ‖K‖ and T limits the explosion."""
    norms = torch.stack([torch.linalg.matrix_norm(getattr(flow, name).double(), 2) for name in flow.dynamics.operators])
    return float((1 + flow.h * norms.square()).log().sum().exp())


def sensitivities(net: Network, points: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """‖B_l‖ for l = 0 ... L-1: lowest, median and highest over examples (L, 3), and that of the mean over examples (L,)."""
    (flow,) = net.units
    exact = Flow(flow.dynamics, flow.width, flow.depth, h=flow.h).double()
    exact.load_state_dict(flow.state_dict())
    products = torch.stack(suffixes(list(jacobians(exact, net.opening(points).double()))))
    norms = torch.linalg.matrix_norm(products, 2)
    single = torch.stack([norms.min(1).values, norms.median(1).values, norms.max(1).values], 1)
    return single.numpy(), torch.linalg.matrix_norm(products.mean(1), 2).numpy()
