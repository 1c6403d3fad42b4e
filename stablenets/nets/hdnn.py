"""Hamiltonian networks with any interconnection matrix, by Euler, Galimberti et al. 2023."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.dynamics import Capabilities, Dynamics, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


def canonical(n: int) -> Tensor:
    """Return [[0, I], [-I, 0]], the J of classical mechanics; n even."""
    zero, one = torch.zeros(n // 2, n // 2), torch.eye(n // 2)
    return torch.cat([torch.cat([zero, one], 1), torch.cat([-one, zero], 1)])


def ones(n: int) -> Tensor:
    """Return 1 above the diagonal and -1 below: every feature acts on every other one."""
    upper = torch.ones(n, n).triu(1)
    return upper - upper.T


INTERCONNECTIONS = {"canonical": canonical, "ones": ones}


@dataclass(frozen=True)
class HDNN(Dynamics):
    """y_{j+1} = y_j + h J K_j.T σ(K_j y_j + b_j): forward Euler on y' = J ∂H/∂y, J antisymmetric.

    H = Σ_i σ~(K y + b)_i with σ~' = σ. det(∂y_{j+1}/∂y_j) = Π(1 + h² ω²) >= 1: gradients do not
    vanish, but volume grows. In convolutional layers J mixes channels. See
    docs/papers/galimberti2023.md#architectures.

    Args:
        interconnection: J. "canonical" gives H1 of the 2023 article. "ones" gives H2 of the
            authors' earlier paper (L4DC 2021), which their code calls H1_J2. H2 of the 2023 article
            is `SemiImplicit`.

    Examples:
        >>> Flow(HDNN(), width=64, depth=64, h=0.05)
    """

    interconnection: str = option(
        "canonical",
        "J: canonical, or ones above and -1 below the diagonal",
        choices=tuple(INTERCONNECTIONS),
    )

    paper = "galimberti2023"
    capabilities = Capabilities(order=1, supports_fusing=True)

    def width_problem(self, width: int) -> str:
        if self.interconnection == "canonical" and width % 2:
            return "pairs the features by a canonical J; use an even width or interconnection=ones"
        return ""

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        return {"J": INTERCONNECTIONS[self.interconnection](width)[None]}

    def prepare(self, K, b, J) -> dict[str, Any]:
        # J is the same for all layers, so J K.T is one product
        return {"K": K, "JKT": K.T.mixed(J[0]), "b": b}

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y = 0
        yield ResidualUpdate(y, h, w.K, y, w.b, A=w.JKT)
