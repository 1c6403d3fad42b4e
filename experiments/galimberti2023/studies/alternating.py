"""Sensitivities during training by the authors' alternating method.

The authors' code trains the output layer, one logit, and the layers below it in turn. Each
iteration sets the output layer to zero, trains it for ten steps of Adam, and then makes one step of
Adam on the layers. After the last epoch the layers stay fixed, and a new output layer is trained
for as many epochs again. Weights and biases of the layers start as N(0, 1).

Two things differ from that code. It sets Adam's step counter to the epoch in some of the tensors;
we do not, and this changes the results (see README.md). The penalty `weight_decay` is ours.
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

from ..networks import ALL
from ..published import POINTS
from .random_weights import batch_layer_jacobians

LEARNING_RATE = 0.05  # of Adam, for the layers and for the output layer
OUTPUT_STEPS = 10  # steps of Adam on the output layer in one iteration
BATCH = 125
ALPHA = 5e-4  # the authors' alpha: penalty on the layers
PLAIN_ALPHA = 1e-4  # the authors' alpha for their MLP
ALPHA_C = 1e-4  # the authors' alpha_c: penalty on the output layer
TEST_POINTS = 50  # points at which single sensitivities are measured
MEASURE_EVERY = 24  # iterations between two measurements
# Networks whose layer Jacobian ∂y_{j+1}/∂y_j is a product of factors I + h J K.T D K, so that the
# upper bound on ‖B_0‖ holds.
BOUNDED = ("H1", "H2")
# The layers whose norms are kept lie a sixth of the depth apart. Of 64 layers these are 1, 11, ...,
# 61, which Galimberti et al. 2021 plot.
KEPT_LAYERS = 6


def train_output_layer(width: int, batches: Iterable[tuple[Tensor, Tensor]]) -> Tensor:
    """Return weights and bias (width + 1,) of a new output layer after one step for each batch.

    It starts at zero. The loss is the binary cross-entropy plus (alpha_c / 2) ‖w‖².

    Args:
        width: Features of the layers.
        batches: Pairs of features (B, width + 1), as of `output_features`, and targets (B,).
    """
    w = torch.zeros(width + 1, requires_grad=True)
    adam = torch.optim.Adam([w], lr=LEARNING_RATE, fused=True)
    for features, targets in batches:
        adam.zero_grad()
        loss = F.binary_cross_entropy_with_logits(features @ w, targets)
        (loss + ALPHA_C / 2 * w.square().sum()).backward()
        adam.step()
    return w.detach()


def output_features(net: Network, x: Tensor) -> Tensor:
    """Return the input of the output layer, (B, n + 1): the last states and a 1 for the bias."""
    (flow,) = net.units
    return F.pad(flow(net.opening(x)), (0, 1), value=1.0)


def layer_penalty(flow: Flow, alpha: float, decay: float) -> Tensor:
    """Return the penalty on the weights θ_j of the layers.

    The authors' penalty is alpha (h/2) Σ ‖θ_{j+1} - θ_j‖². For their MLP it is
    (alpha/2) Σ ‖θ_j‖², without the last layer. Ours adds (decay h/2) Σ ‖θ_j‖², but not for the MLP.
    """
    if isinstance(flow.dynamics, Plain):
        return alpha / 2 * sum(parameter[:-1].square().sum() for parameter in flow.parameters())
    # `variation` is 1/(2h) Σ ‖θ_{j+1} - θ_j‖²
    changes = alpha * flow.h**2 * flow.variation()
    if not decay:
        return changes
    squares = sum(parameter.square().sum() for parameter in flow.parameters())
    return changes + decay * flow.h / 2 * squares


def make_iteration(
    net: Network,
    adam: torch.optim.Optimizer,
    x: Tensor,
    labels: Tensor,
    alpha: float = ALPHA,
    decay: float = 0.0,
) -> None:
    """Train a new output layer on one batch, then make one step of `adam` on the layers.

    Args:
        net: The network; its own output layer is not used.
        adam: The optimiser of the layers.
        x: Inputs (B, 2).
        labels: Classes (B,), 0 or 1.
        alpha: The authors' penalty, as in `layer_penalty`.
        decay: Our weight decay, as in `layer_penalty`.
    """
    (flow,) = net.units
    features = output_features(net, x)
    targets = labels.to(torch.float32)
    w = train_output_layer(flow.width, [(features.detach(), targets)] * OUTPUT_STEPS)
    adam.zero_grad()
    loss = F.binary_cross_entropy_with_logits(features @ w, targets)
    (loss + layer_penalty(flow, alpha, decay)).backward()
    adam.step()


def train_alternating(
    net: Network, split: Split, epochs: int, seed: int, alpha: float, decay: float
) -> Iterator[Tensor]:
    """Train the layers of `net`, then its output layer.

    Yields:
        The inputs (B, 2) of the batch of each iteration, before the iteration is made.
    """
    adam = torch.optim.Adam(net.units.parameters(), lr=LEARNING_RATE, fused=True)
    for epoch in range(epochs):
        for x, labels in split.batches(BATCH, seed, epoch):
            yield x
            make_iteration(net, adam, x, labels, alpha, decay)
    further_epochs = range(epochs, 2 * epochs)
    w = train_output_layer(net.units[0].width, feature_batches(net, split, further_epochs, seed))
    with torch.no_grad():
        net.head[-1].weight.copy_(w[None, :-1])
        net.head[-1].bias.copy_(w[-1:])


def feature_batches(
    net: Network, split: Split, epochs: Iterable[int], seed: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield the batches of `train_output_layer` for layers that stay fixed."""
    for epoch in epochs:
        for x, labels in split.batches(BATCH, seed, epoch):
            with torch.no_grad():
                features = output_features(net, x)
            yield features, labels.to(torch.float32)


@dataclass(frozen=True)
class AlternatingTraining(Study):
    """Norms of the sensitivities B_l = ∂y_N/∂y_l during training on planar points.

    All norms are spectral norms. They are measured every MEASURE_EVERY iterations and after
    training.

    Metrics:
        lowest, highest: Extremes of ‖B_l‖ over single test points, layers and iterations.
        mean_lowest, mean_highest: Extremes over layers and iterations of the norm of the mean of
            B_l over the training batch, which is what the authors plot.
        end, end_highest: Median and maximum of ‖B_0‖ over test points after training.
        bound: Upper bound on ‖B_0‖ after training, for the networks in BOUNDED.
        weights_before, weights_after: Mean ‖K_j‖ over layers before and after training.
        largest_before, largest_after: Maximum of ‖K_j‖ over layers before and after training.
        test_accuracy: Between 0 and 1.

    Arrays:
        iterations: Iterations made before each measurement.
        layers: The layers of the next two arrays.
        norms: (iterations, layers, 3), the minimum, median and maximum of ‖B_l‖ over test points.
        mean_norms: (iterations, layers), the norm of the mean over the training batch.
    """

    key = "galimberti2023/alternating_training"

    net: str = option("H1", choices=tuple(ALL))
    layers: int = option(64, low=1)
    T: float = option(0.8, "final time; has no effect on the MLP", above=0.0)
    epochs: int = option(30, low=1)
    seed: int = option(0, low=0)
    width: int = option(4, low=2)
    alpha: float = option(
        ALPHA,
        "weight of the authors' penalty: on changes from layer to layer, for the MLP on the"
        " weights themselves",
        low=0.0,
    )
    weight_decay: float = option(0.0, "on all weights of the layers; the authors use none", low=0.0)
    orthogonal: bool = option(
        False, "start from orthogonal kernels and zero biases; the authors draw both from N(0, 1)"
    )
    dataset: str = option("double_moons", choices=tuple(POINTS))

    version = 2  # version 1 had another output layer and other penalties than the authors' code

    @property
    def cost(self) -> float:
        return self.layers * self.epochs

    def measure(self, context: RunContext) -> Measured:
        data = load(
            DATASETS[self.dataset](points=POINTS[self.dataset]),
            CommonDataOptions(validation_fraction=0.0),
            root=context.runs,
            split_seed=self.seed,
            permutation_seed=0,
            device="cpu",
            download=False,
        )
        net = random_network(self.net, self.width, self.layers, self.T / self.layers, self.seed)
        (flow,) = net.units
        if self.orthogonal:
            make_orthogonal(flow)
        ((inputs, labels),) = data.test.sweep(len(data.test))
        points = inputs[:: len(data.test) // TEST_POINTS]
        before = operator_norms(flow)
        measurements = []
        iterations = []
        training = train_alternating(
            net, data.train, self.epochs, self.seed, self.alpha, self.weight_decay
        )
        for iteration, x in enumerate(training):
            if iteration % MEASURE_EVERY == 0:
                measurements.append(measure_sensitivities(net, x, points))
                iterations.append(iteration)
        # After training, the mean is over the last training batch.
        measurements.append(measure_sensitivities(net, x, points))
        iterations.append(iteration + 1)
        after = operator_norms(flow)
        single, mean = (np.stack(values) for values in zip(*measurements, strict=True))
        with torch.no_grad():
            accuracy = float(((net(inputs)[:, 0] > 0) == labels).double().mean())
        metrics = {}
        if self.net in BOUNDED:
            # ‖B_0‖ <= Π (1 + h ‖K_j‖²), since |σ'| <= 1 and ‖J‖ = 1
            metrics["bound"] = float((1 + flow.h * after.square()).log().sum().exp())
        metrics |= {
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
        }
        kept = list(range(1, self.layers, max(1, self.layers // KEPT_LAYERS)))
        arrays = {
            "iterations": np.array(iterations),
            "layers": np.array(kept),
            "norms": single[:, kept],
            "mean_norms": mean[:, kept],
        }
        return metrics, arrays


def random_network(name: str, width: int, layers: int, h: float, seed: int) -> Network:
    """Return an untrained network as in the authors' code.

    All weights and biases of the layers are N(0, 1). The two inputs become the first and the last
    feature; the output is one logit.
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
def operator_norms(flow: Flow) -> Tensor:
    """Return the spectral norms ‖K_j‖ of the weight matrices, (matrices of a layer, layers)."""
    return torch.stack(
        [
            torch.linalg.matrix_norm(getattr(flow, name).double(), 2)
            for name in flow.dynamics.operators
        ]
    )


def measure_sensitivities(
    net: Network, batch: Tensor, points: Tensor
) -> tuple[np.ndarray, np.ndarray]:
    """Return norms of the sensitivities B_l for l = 0 ... L-1, computed in float64.

    Args:
        net: The network.
        batch: Inputs (B, 2) over which B_l is averaged.
        points: Inputs (P, 2) at which B_l is taken one by one.

    Returns:
        The minimum, median and maximum of ‖B_l‖ over `points`, (L, 3), and the norm of the mean of
        B_l over `batch`, (L,).
    """
    (flow,) = net.units
    h = flow.dynamics.capabilities.step_size(flow.h)
    double_flow = Flow(flow.dynamics, flow.width, flow.depth, h=h).double()
    double_flow.load_state_dict(flow.state_dict())
    states = net.opening(torch.cat([batch, points])).double()
    sensitivities = torch.stack(suffix_jacobians(list(batch_layer_jacobians(double_flow, states))))
    norms = torch.linalg.matrix_norm(sensitivities[:, len(batch) :], 2)
    single = torch.stack([norms.min(1).values, norms.median(1).values, norms.max(1).values], 1)
    mean = torch.linalg.matrix_norm(sensitivities[:, : len(batch)].mean(1), 2)
    return single.numpy(), mean.numpy()
