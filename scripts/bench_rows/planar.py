"""Training steps on planar problems.

A layer is a few microseconds of arithmetic, so most of the time goes into launching operations.
"""

import torch
from torch import nn

from bench_rows.row import Row
from bench_rows.training import train_step
from stablenets.nets import HDNN, Flow, SemiImplicit

DEPTH, WIDTH, BATCH, H = 64, 4, 125, 0.1
TIMES = 20  # steps in one call


class H1(nn.Module):
    """One layer of H1 as a module."""

    def __init__(self, K: torch.Tensor, b: torch.Tensor, J: torch.Tensor) -> None:
        super().__init__()
        self.K, self.b = nn.Parameter(K.clone()), nn.Parameter(b.clone())
        self.J = J

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return y + H * torch.tanh(y @ self.K.T + self.b) @ self.K @ self.J.T


class H2(nn.Module):
    """One layer of H2 as a module; p is updated first."""

    def __init__(
        self, Kp: torch.Tensor, Kq: torch.Tensor, bp: torch.Tensor, bq: torch.Tensor
    ) -> None:
        super().__init__()
        self.Kp, self.Kq, self.bp, self.bq = (
            nn.Parameter(value.clone()) for value in (Kp, Kq, bp, bq)
        )

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        p, q = y.chunk(2, 1)
        p = p - H * torch.tanh(q @ self.Kq.T + self.bq) @ self.Kq
        q = q + H * torch.tanh(p @ self.Kp.T + self.bp) @ self.Kp
        return torch.cat([p, q], 1)


def modules(flow: Flow) -> list[nn.Module]:
    """Return the layers of a flow of H1 or H2 as modules with the same weights."""
    if isinstance(flow.dynamics, HDNN):
        return [H1(K, b, flow.J[0]) for K, b in zip(flow.K.detach(), flow.b.detach(), strict=True)]
    stacks = (flow.Kp.detach(), flow.Kq.detach(), flow.bp.detach(), flow.bq.detach())
    return [H2(*tensors) for tensors in zip(*stacks, strict=True)]


def row(name: str, flow: Flow) -> Row:
    x, matrix, out = torch.randn(BATCH, WIDTH), torch.randn(WIDTH, WIDTH), torch.empty(BATCH, WIDTH)

    def repeated(net: nn.Module):
        step = train_step(net, x)
        return lambda: [step() for _ in range(TIMES)]

    def products() -> None:
        for _ in range(5 * DEPTH * TIMES):
            torch.mm(x, matrix, out=out)

    return Row(
        f"planar {name}, {DEPTH} layers",
        repeated(flow),
        repeated(nn.Sequential(*modules(flow))),
        products,
        TIMES,
        "iterations",
        f"forward, backward, Adam; n = {WIDTH}, batch {BATCH}; plain: a module for each layer"
        " with the same weights; ceiling: five products per layer, whose time is mostly that of the"
        " calls",
    )


def planar_h1() -> Row:
    return row("H1", Flow(HDNN(), WIDTH, DEPTH, h=H))


def planar_h2() -> Row:
    return row("H2", Flow(SemiImplicit(), WIDTH, DEPTH, h=H))
