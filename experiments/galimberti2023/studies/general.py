"""The general form of all networks, y_{j+1} = y_j + h J K.T σ(K y_j + b).

With forward Euler all features are updated at once. With semi-implicit Euler and Verlet one half of
the features is updated first, and the other half from the new values.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.engine.flow import Flow
from stablenets.nets.hdnn import canonical
from stablenets.schema import option

from ..networks import NETWORKS, RANDOM_X, random_flow, structure_matrix

GENERAL_FORM_NETWORKS = (
    *NETWORKS,
    RANDOM_X,
)  # the networks that are compared with their general form
# Which features a layer updates first.
FIRST_HALF = "first half"
SECOND_HALF = "second half"
BOTH = "both at once"


def block_matrix(a: Tensor | None, b: Tensor | None, c: Tensor | None, d: Tensor | None) -> Tensor:
    """Return the matrix [[a, b], [c, d]]; None stands for a block of zeros."""
    zero = torch.zeros_like(a if a is not None else b)
    a, b, c, d = (zero if block is None else block for block in (a, b, c, d))
    return torch.cat([torch.cat([a, b], 1), torch.cat([c, d], 1)])


def general_matrices(name: str, flow: Flow, layer: int) -> tuple[Tensor, Tensor, Tensor, str]:
    """Return J (n, n), K (n, n) and b (n,) of one layer, and which features it updates first."""
    w = {key: parameter[layer] for key, parameter in flow.named_parameters()}
    match name:
        case "H1" | "H1-J2":
            return flow.J[0], w["K"], w["b"], BOTH
        case "MS2":
            K = w["K"] - w["K"].T
            return torch.linalg.inv(K).T, K, w["b"], BOTH  # J K.T = I
        case "MS1":
            K = block_matrix(None, w["K0"], -w["K0"].T, None)
            b = torch.cat([w["b2"], -w["b1"]])
            return torch.linalg.inv(K).T, K, b, SECOND_HALF  # J K.T = I
        case "MS3":
            J = canonical(flow.width).double()
            K = block_matrix(None, w["K1"], w["K2"], None)
            return J, K, torch.cat([w["b1"], w["b2"]]), FIRST_HALF
    # H2, with J = [[0, -X.T], [X, 0]] and X = I where the network has no X
    J = structure_matrix(flow) if "X" in flow.fixed else -structure_matrix(flow)
    K = block_matrix(w["Kp"], None, None, w["Kq"])
    return J, K, torch.cat([w["bp"], w["bq"]]), FIRST_HALF


def run_general_form(name: str, flow: Flow, x: Tensor) -> Tensor:
    """Return the last states (B, n) of the network, computed with full matrices J and K."""
    y = x.T
    half = flow.width // 2
    for layer in range(flow.depth):
        J, K, b, first = general_matrices(name, flow, layer)

        def change(y: Tensor, J: Tensor = J, K: Tensor = K, b: Tensor = b) -> Tensor:
            return flow.h * J @ K.T @ torch.tanh(K @ y + b[:, None])

        if first == BOTH:
            y = y + change(y)
            continue
        mask = torch.zeros(flow.width, 1, dtype=y.dtype)
        mask[slice(None, half) if first == FIRST_HALF else slice(half, None)] = 1
        y = y + mask * change(y)
        y = y + (1 - mask) * change(y)
    return y.T


@dataclass(frozen=True)
class GeneralForm(Study):
    """A network with random weights compared with its general form, in float64.

    Metrics:
        output: Relative error of the last states.
        gradient: The largest relative error of the gradients by the input and by each parameter.
        skew: The largest ‖J + J.T‖ / ‖J‖ over layers; 0 if every J is skew-symmetric.
    """

    key = "galimberti2023/general_form"

    net: str = option("H2", choices=GENERAL_FORM_NETWORKS)
    layers: int = option(8, low=1)
    seed: int = option(0, low=0)

    def measure(self, context: RunContext) -> Measured:
        flow = random_flow(self.net, 4, self.layers, 0.1, self.seed).requires_grad_(True)
        x = torch.randn(16, 4, dtype=torch.float64).requires_grad_()
        y = flow(x)
        y_general = run_general_form(self.net, flow, x)
        direction = torch.randn_like(y)
        leaves = (x, *flow.parameters())
        gradients = torch.autograd.grad(y, leaves, direction)
        gradients_general = torch.autograd.grad(y_general, leaves, direction)
        with torch.no_grad():
            matrices = [general_matrices(self.net, flow, layer) for layer in range(self.layers)]
            metrics = {
                "output": float((y - y_general).norm() / y_general.norm()),
                "skew": max(float((J + J.T).norm() / J.norm()) for J, *_ in matrices),
                "gradient": max(
                    float((a - b).norm() / b.norm())
                    for a, b in zip(gradients, gradients_general, strict=True)
                ),
            }
        return metrics, {}
