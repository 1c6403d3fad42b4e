"""Studies of networks with random weights, in float64.

They measure symplecticity, singular values of the Jacobian, the upper bound on sensitivities, and
the authors' counterexample. Symplecticity is measured on trained networks too.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study, TrainedNetStudy, Training
from stablenets.data.dataset import ReadSettings
from stablenets.engine.flow import Flow
from stablenets.nets import HDNN, SemiImplicit
from stablenets.probes import layer_jacobians, suffix_jacobians, symplectic_defect
from stablenets.probes.maps import flow_maps
from stablenets.schema import option

from ..networks import ALL, NETWORKS, PLAIN, random_flow, structure_matrix

WIDTH = 4  # features of the paper's planar networks
POINTS = 5  # random inputs at which a random network is measured
TRAINED_EVERY = 400  # a trained network is measured at every 400th test point


def test_points(training: Training) -> tuple[Tensor, Tensor]:
    """Return the test points (N, 2) and labels (N,) of a training on planar data."""
    seed = training.resolved.config.seeds.split
    examples = training.resolved.dataset.read(
        ReadSettings(Path(), False, split_seed=seed, permutation_seed=0)
    )
    return examples.test, examples.test_labels


def batch_layer_jacobians(flow: Flow, x: Tensor) -> Tensor:
    """Return the Jacobian of each layer at the states of a batch x (B, n): (layers, B, n, n)."""
    return torch.stack(layer_jacobians(*flow_maps(flow, x)))


def relative_defect(B: Tensor, J: Tensor) -> float:
    """Return the largest ‖B.T J B - J‖ / (‖B‖² ‖J‖) over matrices B (..., n, n).

    The denominator bounds ‖B.T J B‖, so that rounding gives about the machine epsilon at any ‖B‖.
    """
    bound = torch.linalg.matrix_norm(B, 2).square() * torch.linalg.matrix_norm(J, 2)
    return float((symplectic_defect(B, J) / bound).max())


def symplecticity(flow: Flow, x: Tensor) -> dict[str, float]:
    """Measure how far the Jacobians at the states of a batch x (B, n) are from symplectic.

    Returns:
        The largest `relative_defect` of single layers (`layer`) and of products up to the last
        layer (`product`). The same for the products without the transpose (`wrong_transpose`),
        which is large unless X is orthogonal. The largest |det - 1| of a layer (`determinant`).
    """
    layers = batch_layer_jacobians(flow, x)
    J = structure_matrix(flow)
    products = torch.stack(suffix_jacobians(list(layers)))
    return {
        "layer": relative_defect(layers.mT, J),
        "product": relative_defect(products.mT, J),
        "wrong_transpose": relative_defect(products, J),
        "determinant": float((torch.linalg.det(layers) - 1).abs().max()),
    }


@dataclass(frozen=True)
class Symplectic(Study):
    """Symplecticity of a network with random weights; metrics as in `symplecticity`."""

    key = "galimberti2023/symplectic_defect"

    net: str = option("H2", choices=tuple(ALL))
    layers: int = option(64, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, context: RunContext) -> Measured:
        width = ALL[self.net].width
        flow = random_flow(self.net, width, self.layers, self.h, self.seed)
        return symplecticity(flow, torch.randn(POINTS, width, dtype=torch.float64)), {}


@dataclass(frozen=True)
class TrainedSymplectic(TrainedNetStudy):
    """Symplecticity of a trained network at test points; metrics as in `symplecticity`."""

    key = "galimberti2023/trained_symplectic_defect"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        (flow,) = net.units
        points, _ = test_points(self.training)
        return symplecticity(flow, net.opening(points[::TRAINED_EVERY].double())), {}


@dataclass(frozen=True)
class SingularValueSpread(Study):
    """Singular values and determinant of ∂y_N/∂y_0 at random weights.

    They show what the bound ‖B‖ >= 1 does not: how small the smallest singular value is, and
    whether volume is preserved.

    Metrics:
        norm: Largest singular value, the median over inputs.
        lowest: Minimum of ‖B_l‖ over inputs and layers.
        log10_determinant: Median over inputs.
        smallest: Smallest singular value, the median over inputs. It is computed as 1 / (norm of
            the inverse), since an SVD would lose it in the rounding error of the largest one.
        pair: Product of the smallest and the largest singular value of one input, the median.
        defect: ‖B.T J B - J‖ with the canonical J, the median over inputs.
        scaled_defect: Maximum of ‖B.T J B - J‖ / ‖B‖² over inputs. It only tells whether the defect
            is 0, because it falls when ‖B‖ grows.

    The MLP has the first three only, as its Jacobians can be singular.

    Arrays:
        norms: (layers,), the median of ‖B_l‖ over inputs.
    """

    key = "galimberti2023/singular_value_spread"

    version = 2  # version 1 had only the scaled defect
    net: str = option("H2", choices=(*NETWORKS, PLAIN))
    layers: int = option(64, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, context: RunContext) -> Measured:
        flow = random_flow(self.net, WIDTH, self.layers, self.h, self.seed)
        layers = batch_layer_jacobians(flow, torch.randn(POINTS, WIDTH, dtype=torch.float64))
        products = suffix_jacobians(list(layers))
        norms = torch.linalg.matrix_norm(torch.stack(products), 2)
        log_determinant = torch.linalg.slogdet(layers).logabsdet.sum(0)
        metrics = {
            "norm": norms[0].median(),
            "lowest": norms.min(),
            "log10_determinant": log_determinant.median() / np.log(10),
        }
        if self.net != PLAIN:
            inverse = suffix_jacobians(list(torch.linalg.inv(layers).flip(0)))[0]
            smallest = 1 / torch.linalg.matrix_norm(inverse, 2)
            defect = symplectic_defect(products[0].mT)
            metrics |= {
                "smallest": smallest.median(),
                "pair": (smallest * norms[0]).median(),
                "defect": defect.median(),
                "scaled_defect": (defect / norms[0].square()).max(),
            }
        arrays = {"norms": norms.median(1).values.numpy()}
        return {name: float(value) for name, value in metrics.items()}, arrays


# The first state in the authors' two settings, by ε times the final time.
START = {
    20: (0.33627683, -0.48627683),
    200: (0.4862768297, 0.3733916069),
}
SCHEMES = {"semi-implicit": SemiImplicit, "forward Euler": HDNN}


@dataclass(frozen=True)
class Counterexample(Study):
    """The counterexample of Appendix III: y' = ε J tanh(y) with J = [[0, -1], [1, 0]].

    So K = I and b = 0 in every layer. The authors compare several ε at a fixed ε times final time.
    The first state has length 1.

    Metrics:
        quarter_1 ... quarter_4: ‖∂y(T)/∂y(T-t)‖ at t = T/4, T/2, 3T/4 and T, for final time T.
        determinant: det ∂y(T)/∂y(0).
        length: ‖y(T)‖.

    Arrays:
        norms: (100,), ‖∂y(T)/∂y(T-t)‖ at t = T/100, 2T/100, ..., T.
    """

    key = "galimberti2023/counterexample"

    scheme: str = option("semi-implicit", choices=tuple(SCHEMES))
    T: int = option(20, "ε times the final time", choices=tuple(START))
    epsilon: float = option(1.0, above=0.0)
    h: float = option(0.05, above=0.0)

    @property
    def cost(self) -> float:
        return self.T / self.epsilon

    def measure(self, context: RunContext) -> Measured:
        layers = round(self.T / self.epsilon / self.h)
        flow = Flow(SCHEMES[self.scheme](), 2, layers, h=self.epsilon * self.h)
        flow = flow.double().requires_grad_(False)
        for name in flow.dynamics.operators:
            getattr(flow, name).fill_(0).diagonal(dim1=1, dim2=2).fill_(1)
        if self.scheme == "forward Euler":
            flow.J.neg_()  # the canonical J has the opposite sign
        y = torch.tensor([START[self.T]], dtype=torch.float64)
        states = []
        with torch.no_grad():
            flow(y / y.norm(), lambda layer, state: states.append(torch.cat(state, 1)))
        # All layers are the same, so the first one takes the states of all layers as one batch.
        (w,) = flow.layers([tensor[:1] for tensor in flow.weights()])
        before = torch.cat(states[:-1]).requires_grad_()
        after = torch.cat(flow.dynamics.step(flow.dynamics.start(before, w, flow.h), w, flow.h), 1)
        rows = [
            torch.autograd.grad(after[:, i].sum(), before, retain_graph=True)[0] for i in range(2)
        ]
        products = torch.stack(suffix_jacobians(list(torch.stack(rows, 1).detach())))
        norms = torch.linalg.matrix_norm(products, 2)
        metrics = {
            f"quarter_{quarter}": float(norms[layers - layers * quarter // 4])
            for quarter in range(1, 5)
        }
        metrics |= {
            "determinant": float(torch.linalg.det(products[0])),
            "length": float(states[-1].norm()),
        }
        kept = [layers - layers * percent // 100 for percent in range(1, 101)]
        return metrics, {"norms": norms[kept].numpy()}


@dataclass(frozen=True)
class UpperBound(Study):
    """Norms of the sensitivities at random weights, compared with their upper bound.

    Since |σ'| <= 1 and ‖J‖ = 1, ‖B_l‖ <= Π (1 + h ‖K_j‖²). The product is over the layers after
    layer l, and for H2 over both half steps of each. The constants of the paper's own bound are not
    known.

    Metrics:
        log10_norm: Of ‖∂y_N/∂y_0‖, the maximum over inputs.
        log10_bound: Of its bound.
        excess: The maximum of log10(norm / bound) over layers and inputs; at most 0 if the bound
            holds.
    """

    key = "galimberti2023/upper_bound"

    net: str = option("H2", choices=("H1", "H2"))
    layers: int = option(64, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, context: RunContext) -> Measured:
        flow = random_flow(self.net, WIDTH, self.layers, self.h, self.seed)
        layers = batch_layer_jacobians(flow, torch.randn(POINTS, WIDTH, dtype=torch.float64))
        norms = torch.linalg.matrix_norm(torch.stack(suffix_jacobians(list(layers))), 2)
        largest = norms.amax(1).log10()
        log_factors = sum(
            torch.log10(1 + flow.h * torch.linalg.matrix_norm(getattr(flow, name), 2).square())
            for name in flow.dynamics.operators
        )
        # Entry l sums over the layers from l to the last one.
        bounds = log_factors.flip(0).cumsum(0).flip(0)
        metrics = {
            "log10_norm": float(largest[0]),
            "log10_bound": float(bounds[0]),
            "excess": float((largest - bounds).max()),
        }
        return metrics, {}
