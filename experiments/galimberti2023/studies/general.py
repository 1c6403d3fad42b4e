"""The general form that the paper has all networks in: y_{j+1} = y_j + h J K.T σ(K y_j + b), one
half after the other or both at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.engine.flow import Flow
from stablenets.nets.hdnn import canonical
from stablenets.schema import option

from .networks import NETWORKS, RANDOM_X, drawn, structure

FRAMED = (*NETWORKS, RANDOM_X)
FIRST_HALF, SECOND_HALF, BOTH = "first half", "second half", "both at once"


def blocks(a: Tensor | None, b: Tensor | None, c: Tensor | None, d: Tensor | None) -> Tensor:
    """[[a, b], [c, d]], None for zeros."""
    zero = torch.zeros_like(next(entry for entry in (a, b) if entry is not None))
    return torch.cat(
        [
            torch.cat([zero if entry is None else entry for entry in row], 1)
            for row in ((a, b), (c, d))
        ]
    )


def terms(name: str, flow: Flow, layer: int) -> tuple[Tensor, Tensor, Tensor, str]:
    """J (n, n), K (n, n), b (n) of one layer, and what moves first."""
    w = {key: parameter[layer] for key, parameter in flow.named_parameters()}
    match name:
        case "H1" | "H1-J2":
            return flow.J[0], w["K"], w["b"], BOTH
        case "MS2":
            K = w["K"] - w["K"].T
            return torch.linalg.inv(K).T, K, w["b"], BOTH  # J K.T = I
        case "MS1":
            K = blocks(None, w["K0"], -w["K0"].T, None)
            return torch.linalg.inv(K).T, K, torch.cat([w["b2"], -w["b1"]]), SECOND_HALF
        case "MS3":
            return (
                canonical(flow.width).double(),
                blocks(None, w["K1"], w["K2"], None),
                torch.cat([w["b1"], w["b2"]]),
                FIRST_HALF,
            )
    J = (
        structure(flow) if "X" in flow.fixed else -structure(flow)
    )  # without an X: [[0, -I], [I, 0]]
    return J, blocks(w["Kp"], None, None, w["Kq"]), torch.cat([w["bp"], w["bq"]]), FIRST_HALF


def general(name: str, flow: Flow, x: Tensor) -> Tensor:
    """The network by full matrices J and K, (B, n) -> (B, n)."""
    y, half = x.T, flow.width // 2
    for layer in range(flow.depth):
        J, K, b, first = terms(name, flow, layer)

        def change(y: Tensor, J: Tensor = J, K: Tensor = K, b: Tensor = b) -> Tensor:
            return flow.h * J @ K.T @ torch.tanh(K @ y + b[:, None])

        if first == BOTH:
            y = y + change(y)
            continue
        moves = slice(None, half) if first == FIRST_HALF else slice(half, None)
        mask = torch.zeros(flow.width, 1, dtype=y.dtype)
        mask[moves] = 1
        y = y + mask * change(y)
        y = y + (1 - mask) * change(y)
    return y.T


@dataclass(frozen=True)
class General(Study):
    """A network against the general form with its J and K: relative errors of outputs and of all
    gradients, and how far J is from skew.
    """

    key = "galimberti2023/general_form"

    net: str = option("H2", choices=FRAMED)
    layers: int = option(8, low=1)
    seed: int = option(0, low=0)

    def measure(self, place: RunContext) -> Measured:
        flow = drawn(self.net, 4, self.layers, 0.1, self.seed).requires_grad_(True)
        x = torch.randn(16, 4, dtype=torch.float64).requires_grad_()
        ours, theirs = flow(x), general(self.net, flow, x)
        direction = torch.randn_like(ours)
        leaves = (x, *flow.parameters())
        gradients = [torch.autograd.grad(y, leaves, direction) for y in (ours, theirs)]
        with torch.no_grad():
            skew = max(
                float((J + J.T).norm() / J.norm())
                for J, *_ in (terms(self.net, flow, layer) for layer in range(self.layers))
            )
            return {
                "output": float((ours - theirs).norm() / theirs.norm()),
                "skew": skew,
                "gradient": max(
                    float((a - b).norm() / b.norm()) for a, b in zip(*gradients, strict=True)
                ),
            }, {}
