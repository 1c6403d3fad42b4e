"""What is measured on random weights, in float64: symplecticity, sensitivities, volume, the
counterexample, the general form.
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

from .networks import ALL, NETWORKS, PLAIN, drawn, structure

WIDTH = 4  # of the paper's planar networks
POINTS = 5  # at which a random net is measured
TRAINED_EVERY = 400  # test point at which a trained one is


def test_points(training: Training) -> tuple[Tensor, Tensor]:
    """Points (N, 2) and labels (N,) of a planar problem, as the training had them."""
    seed = training.resolved.config.seeds.split
    examples = training.resolved.dataset.read(
        ReadSettings(Path(), False, split_seed=seed, permutation_seed=0)
    )
    return examples.test, examples.test_labels


def jacobians(flow: Flow, x: Tensor) -> Tensor:
    """(layers, B, n, n) of each layer at the states of a batch x (B, n)."""
    return torch.stack(layer_jacobians(*flow_maps(flow, x)))


def relative(B: Tensor, J: Tensor) -> float:
    """The largest ‖B.T J B - J‖ of a stack (..., n, n), against ‖B‖² ‖J‖, the size of what is
    subtracted.
    """
    size = torch.linalg.matrix_norm(B, 2).square() * torch.linalg.matrix_norm(J, 2)
    return float((symplectic_defect(B, J) / size).max())


def symplecticity(flow: Flow, x: Tensor) -> dict[str, float]:
    """Defects of single layers, of all products that end in the last layer, and of these with the
    wrong transpose.
    """
    layers, J = jacobians(flow, x), structure(flow)
    products = torch.stack(suffix_jacobians(list(layers)))
    return {
        "layer": relative(layers.mT, J),
        "product": relative(products.mT, J),
        "wrong_transpose": relative(products, J),
        "determinant": float((torch.linalg.det(layers) - 1).abs().max()),
    }


@dataclass(frozen=True)
class Symplectic(Study):
    """Theorem on random weights: the largest defect of B.T J B = J over examples and layers."""

    key = "galimberti2023/symplectic_defect"

    net: str = option("H2", choices=tuple(ALL))
    layers: int = option(64, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, place: RunContext) -> Measured:
        width = ALL[self.net].width
        flow = drawn(self.net, width, self.layers, self.h, self.seed)
        return symplecticity(flow, torch.randn(POINTS, width, dtype=torch.float64)), {}


@dataclass(frozen=True)
class TrainedSymplectic(TrainedNetStudy):
    """The same on a trained net, at test points."""

    key = "galimberti2023/trained_symplectic_defect"

    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        (unit,) = net.units
        return (
            symplecticity(
                unit, net.opening(test_points(self.training)[0][::TRAINED_EVERY].double())
            ),
            {},
        )


@dataclass(frozen=True)
class Spread(Study):
    """Singular values and determinant of ∂y_N/∂y_0 of random weights: what the bound ‖B‖ >= 1 says,
    and what it does not.

    Metrics, medians over examples: norm, smallest (singular value), pair (smallest times largest of
    one example), log10_determinant, defect ‖B.T J B - J‖ with the canonical J; over examples the
    largest scaled_defect, over ‖B‖², which is for telling it from 0 alone: where B grows it falls;
    over examples and layers lowest, the smallest ‖B_l‖. The smallest singular value is one over the
    norm of the product of inverses: that of the product itself drowns in it.
    """

    key = "galimberti2023/singular_value_spread"

    version = 2  # 1 had the scaled defect alone
    net: str = option("H2", choices=(*NETWORKS, PLAIN))
    layers: int = option(64, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, place: RunContext) -> Measured:
        flow = drawn(self.net, WIDTH, self.layers, self.h, self.seed)
        layers = jacobians(flow, torch.randn(POINTS, WIDTH, dtype=torch.float64))
        norms = torch.linalg.matrix_norm(torch.stack(suffix_jacobians(list(layers))), 2)
        metrics = {
            "norm": norms[0].median(),
            "lowest": norms.min(),
            "log10_determinant": (
                torch.linalg.slogdet(layers).logabsdet.sum(0).median() / np.log(10)
            ),
        }
        if self.net != PLAIN:
            back = suffix_jacobians(list(torch.linalg.inv(layers).flip(0)))[0]
            smallest = 1 / torch.linalg.matrix_norm(back, 2)
            defect = symplectic_defect(suffix_jacobians(list(layers))[0].mT)
            metrics |= {
                "smallest": smallest.median(),
                "pair": (smallest * norms[0]).median(),
                "defect": defect.median(),
                "scaled_defect": (defect / norms[0].square()).max(),
            }
        return {name: float(value) for name, value in metrics.items()}, {
            "norms": norms.median(1).values.numpy()
        }


START = {
    20: (0.33627683, -0.48627683),
    200: (0.4862768297, 0.3733916069),
}  # of the authors' two settings, by T
SCHEMES = {"semi-implicit": SemiImplicit, "forward Euler": HDNN}


@dataclass(frozen=True)
class Counterexample(Study):
    """Appendix III: y' = ε J tanh(y), J = [[0, -1], [1, 0]], so K = I and b = 0 in every layer, ε T
    fixed.

    Metrics: ‖∂y(T)/∂y(T-t)‖ at t = T/4, T/2, 3T/4, T (quarter_1 ... quarter_4), the determinant
    over all layers, the growth of |y|. Array: norms, at 100 values of t.
    """

    key = "galimberti2023/counterexample"

    scheme: str = option("semi-implicit", choices=tuple(SCHEMES))
    T: int = option(20, choices=tuple(START))  # ε times the time
    epsilon: float = option(1.0, above=0.0)
    h: float = option(0.05, above=0.0)

    @property
    def cost(self) -> float:
        return self.T / self.epsilon

    def measure(self, place: RunContext) -> Measured:
        layers = round(self.T / self.epsilon / self.h)
        flow = (
            Flow(SCHEMES[self.scheme](), 2, layers, h=self.epsilon * self.h)
            .double()
            .requires_grad_(False)
        )
        for name in flow.dynamics.operators:
            getattr(flow, name).fill_(0).diagonal(dim1=1, dim2=2).fill_(1)
        if self.scheme == "forward Euler":
            flow.J.neg_()  # the canonical J turns the other way
        y = torch.tensor([START[self.T]], dtype=torch.float64)
        states = []
        with torch.no_grad():
            flow(y / y.norm(), lambda layer, state: states.append(torch.cat(state, 1)))
        (w,) = flow.layers([tensor[:1] for tensor in flow.weights()])
        inside = torch.cat(
            states[:-1]
        ).requires_grad_()  # every layer is the same: one goes over all states as a batch
        left = torch.cat(flow.dynamics.step(flow.dynamics.start(inside, w, flow.h), w, flow.h), 1)
        rows = [
            torch.autograd.grad(left[:, i].sum(), inside, retain_graph=True)[0] for i in range(2)
        ]
        products = torch.stack(suffix_jacobians(list(torch.stack(rows, 1).detach())))
        norms = torch.linalg.matrix_norm(products, 2)
        at = [layers - layers * part // 100 for part in range(1, 101)]
        return (
            {
                f"quarter_{quarter}": float(norms[layers - layers * quarter // 4])
                for quarter in range(1, 5)
            }
            | {
                "determinant": float(torch.linalg.det(products[0])),
                "length": float(states[-1].norm()),
            },
            {"norms": norms[at].numpy()},
        )


@dataclass(frozen=True)
class UpperBound(Study):
    """Norms of the sensitivities of random weights beside their upper bound.

    For |σ'| <= 1 and ‖J‖ = 1: ‖B_l‖ <= Π (1 + h ‖K_j‖²) over the layers after l, for H2 over both
    half steps. The paper's own constants are not known.

    Metrics: log10_norm and log10_bound of ∂y_N/∂y_0 (the largest over examples), and `excess`, the
    largest log10 of norm over bound, over all layers and examples.
    """

    key = "galimberti2023/upper_bound"

    net: str = option("H2", choices=("H1", "H2"))
    layers: int = option(64, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, place: RunContext) -> Measured:
        flow = drawn(self.net, WIDTH, self.layers, self.h, self.seed)
        layers = jacobians(flow, torch.randn(POINTS, WIDTH, dtype=torch.float64))
        norms = torch.linalg.matrix_norm(torch.stack(suffix_jacobians(list(layers))), 2)
        largest = norms.amax(1).log10()
        factors = sum(
            torch.log10(1 + flow.h * torch.linalg.matrix_norm(getattr(flow, name), 2).square())
            for name in flow.dynamics.operators
        )
        bounds = factors.flip(0).cumsum(0).flip(0)  # over this layer and all later ones
        return {
            "log10_norm": float(largest[0]),
            "log10_bound": float(bounds[0]),
            "excess": float((largest[: self.layers] - bounds).max()),
        }, {}
