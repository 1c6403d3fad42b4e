"""The authors' way of training, with the sensitivities on its way: a head anew in each iteration,
then one step on the layers.

Their code sets the output layer, one logit, to zero in each iteration, gives it ten steps of Adam,
and then moves the layers by one; after the last epoch a head anew is trained for as many epochs on
layers that stay. Kernels and biases start as N(0, 1). It also sets Adam's step counter to the epoch
in part of the tensors, which we leave out: it changes the results (see README.md). Ours is the
penalty `decay`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.data import DATASETS, CommonDataOptions, load
from stablenets.data.dataset import Split
from stablenets.engine.flow import Flow
from stablenets.nets import Network, Plain
from stablenets.probes import suffix_jacobians
from stablenets.schema import option

from .networks import ALL
from .random_weights import jacobians

RATE, HEAD_STEPS, BATCH = 0.05, 10, 125
ALPHA, PLAIN_ALPHA, HEAD_SIZE = (
    5e-4,
    1e-4,
    1e-4,
)  # the authors' alpha, that of their MLP, and alpha_c
DATASET = "double_moons"
MEASURED = 50  # single examples
BOUNDED = ("H1", "H2")  # ∂y_{j+1}/∂y_j is made of I + h J K.T D K
EVERY = 24  # iterations between two measurements
# layers of which the arrays are kept lie a sixth of the depth apart: of 64 layers 1, 11, ..., 61,
# which L4DC 2021 draws
SHOWN = 6


def head(width: int, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """(width + 1,) weights and bias of the logit, from zero by a step of Adam on each batch:
    `inputs` (B, width + 1), targets (B,).
    """
    w = torch.zeros(width + 1, requires_grad=True)
    adam = torch.optim.Adam([w], lr=RATE, fused=True)
    for known, targets in batches:
        adam.zero_grad()
        (
            F.binary_cross_entropy_with_logits(known @ w, targets)
            + HEAD_SIZE / 2 * w.square().sum()
        ).backward()
        adam.step()
    return w.detach()


def inputs(net: Network, x: Tensor) -> Tensor:
    """(B, n + 1) what the head reads: the last states and a 1."""
    (flow,) = net.units
    return F.pad(flow(net.opening(x)), (0, 1), value=1.0)


def penalty(flow: Flow, alpha: float, decay: float) -> Tensor:
    """The authors' alpha (h/2) Σ ‖θ_{j+1} - θ_j‖², of their MLP (alpha/2) Σ ‖θ_j‖² without the last
    layer; ours is (decay h/2) Σ ‖θ_j‖².
    """
    if isinstance(flow.dynamics, Plain):
        return alpha / 2 * sum(parameter[:-1].square().sum() for parameter in flow.parameters())
    theirs = (
        alpha * flow.h**2 * flow.variation()
    )  # our variation is the form that does not depend on how fine the layers are
    return (
        theirs
        + decay * flow.h / 2 * sum(parameter.square().sum() for parameter in flow.parameters())
        if decay
        else theirs
    )


def iterate(
    net: Network,
    adam: torch.optim.Optimizer,
    x: Tensor,
    labels: Tensor,
    alpha: float = ALPHA,
    decay: float = 0.0,
) -> None:
    """A head anew, then one step of `adam` on the layers under it."""
    (flow,) = net.units
    known, targets = inputs(net, x), labels.to(torch.float32)
    w = head(flow.width, [(known.detach(), targets)] * HEAD_STEPS)
    adam.zero_grad()
    (
        F.binary_cross_entropy_with_logits(known @ w, targets) + penalty(flow, alpha, decay)
    ).backward()
    adam.step()


def alternating(
    net: Network, split: Split, epochs: int, seed: int, alpha: float, decay: float
) -> Iterator[Tensor]:
    """Train the layers of `net`, then its head; yields the inputs (B, 2) of each iteration's batch
    before the iteration is made.
    """
    adam = torch.optim.Adam(net.units.parameters(), lr=RATE, fused=True)
    for epoch in range(epochs):
        for x, labels in split.batches(BATCH, seed, epoch):
            yield x
            iterate(net, adam, x, labels, alpha, decay)
    w = head(net.units[0].width, known(net, split, range(epochs, 2 * epochs), seed))
    with torch.no_grad():
        net.head[-1].weight.copy_(w[None, :-1])
        net.head[-1].bias.copy_(w[-1:])


def known(
    net: Network, split: Split, epochs: Iterable[int], seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches as the head takes them, from layers that stay."""
    for epoch in epochs:
        for x, labels in split.batches(BATCH, seed, epoch):
            with torch.no_grad():
                features = inputs(net, x)
            yield features, labels.to(torch.float32)


@dataclass(frozen=True)
class Alternating(Study):
    """Sensitivities B_l = ∂y_N/∂y_l through training on double moons, from the first iteration to
    the last.

    Metrics: lowest and highest ‖B_l‖ over single test points, layers and iterations; mean_lowest
    and mean_highest, of the norm of the mean of B_l over the iteration's training batch, as the
    authors have it; end and end_highest, the median and the highest ‖B_0‖ of the points after
    training; bound, of the upper bound on that for the nets of BOUNDED; weights_before,
    weights_after, the mean ‖K_j‖_2 over layers before and after training, and largest_before,
    largest_after, the largest; test accuracy. Arrays: iterations, layers, norms (iterations,
    layers; lowest, median and highest of the points), mean_norms (iterations, layers).
    """

    key = "galimberti2023/alternating_training"

    net: str = option("H1", choices=tuple(ALL))
    layers: int = option(64, low=1)
    T: float = option(0.8, "means nothing to the MLP", above=0.0)
    epochs: int = option(30, low=1)
    seed: int = option(0, low=0)
    width: int = option(4, low=2)
    alpha: float = option(
        ALPHA,
        "of the authors' penalty: on changes from layer to layer, of the MLP on sizes",
        low=0.0,
    )
    weight_decay: float = option(
        0.0, "of all weights of the layers; the authors have none", low=0.0
    )
    orthogonal: bool = option(
        False, "start from orthogonal kernels and zero biases; the authors draw both from N(0, 1)"
    )

    version = 2  # 1 had another head and other penalties than the authors' code
    dataset = DATASET

    @property
    def cost(self) -> float:
        return self.layers * self.epochs

    def measure(self, place: RunContext) -> Measured:
        data = load(
            DATASETS[DATASET](),
            CommonDataOptions(validation_fraction=0.0),
            root=place.runs,
            split_seed=self.seed,
            permutation_seed=0,
            device="cpu",
            download=False,
        )
        net = network(self.net, self.width, self.layers, self.T / self.layers, self.seed)
        (flow,) = net.units
        if self.orthogonal:
            make_orthogonal(flow)
        ((everything, labels),) = data.test.sweep(len(data.test))
        points = everything[:: len(data.test) // MEASURED]
        before, rows, iterations = sizes(flow), [], []
        for iteration, x in enumerate(
            alternating(net, data.train, self.epochs, self.seed, self.alpha, self.weight_decay)
        ):
            if iteration % EVERY == 0:
                rows.append(sensitivities(net, x, points))
                iterations.append(iteration)
        rows.append(sensitivities(net, x, points))  # the mean after training is over the last batch
        iterations.append(iteration + 1)
        after = sizes(flow)
        single, mean = (np.stack(values) for values in zip(*rows, strict=True))
        with torch.no_grad():
            accuracy = float(((net(everything)[:, 0] > 0) == labels).double().mean())
        shown = list(range(1, self.layers, max(1, self.layers // SHOWN)))
        bound = (
            {"bound": float((1 + flow.h * after.square()).log().sum().exp())}
            if self.net in BOUNDED
            else {}
        )
        return (
            bound
            | {
                "lowest": single[..., 0].min(),
                "highest": single[..., 2].max(),
                "mean_lowest": mean.min(),
                "mean_highest": mean.max(),
                "end": single[-1, 0, 1],
                "end_highest": single[-1, 0, 2],
                "weights_before": float(before.mean()),
                "weights_after": float(after.mean()),
                "largest_before": float(before.max()),
                "largest_after": float(after.max()),
                "test_accuracy": accuracy,
            },
            {
                "iterations": np.array(iterations),
                "layers": np.array(shown),
                "norms": single[:, shown],
                "mean_norms": mean[:, shown],
            },
        )


def network(name: str, width: int, layers: int, h: float, seed: int) -> Network:
    """As the authors draw it: all kernels and biases N(0, 1), one input to the first and one to the
    last feature, one logit.
    """
    torch.manual_seed(seed)
    net = Network(
        ALL[name].dynamics,
        shape=(2,),
        outputs=1,
        widths=[width],
        depth=layers,
        h=h,
        operator="dense",
        opening_kind="spread",
        head_kind="linear",
    )
    with torch.no_grad():
        for parameter in net.units.parameters():
            parameter.normal_()
    return net


@torch.no_grad()
def make_orthogonal(flow: Flow) -> None:
    """Give each layer of a flow a random orthogonal kernel, and zero biases."""
    for name, parameter in flow.named_parameters():
        if name in flow.dynamics.operators:
            for kernel in parameter:
                torch.nn.init.orthogonal_(kernel)
        else:
            parameter.zero_()


@torch.no_grad()
def sizes(flow: Flow) -> Tensor:
    """(operators, layers) ‖K_j‖_2. For |σ'| <= 1 and ‖J‖ = 1, ‖B_0‖ <= Π (1 + h ‖K_j‖²): what
    limits ‖K‖ and T limits the explosion.
    """
    return torch.stack(
        [
            torch.linalg.matrix_norm(getattr(flow, name).double(), 2)
            for name in flow.dynamics.operators
        ]
    )


def sensitivities(net: Network, batch: Tensor, points: Tensor) -> tuple[np.ndarray, np.ndarray]:
    """For l = 0 ... L-1: lowest, median and highest ‖B_l‖ of single `points` (L, 3), and the norm
    of the mean of B_l over `batch` (L,).
    """
    (flow,) = net.units
    h = flow.dynamics.capabilities.step_size(flow.h)
    exact = Flow(flow.dynamics, flow.width, flow.depth, h=h).double()
    exact.load_state_dict(flow.state_dict())
    products = torch.stack(
        suffix_jacobians(list(jacobians(exact, net.opening(torch.cat([batch, points])).double())))
    )
    norms = torch.linalg.matrix_norm(products[:, len(batch) :], 2)
    single = torch.stack([norms.min(1).values, norms.median(1).values, norms.max(1).values], 1)
    return single.numpy(), torch.linalg.matrix_norm(products[:, : len(batch)].mean(1), 2).numpy()
