"""The symplectic Hamiltonian network, H2 of Galimberti et al. 2023: semi-implicit Euler."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.dynamics import Capabilities, ReversibleDynamics, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option

COUPLINGS = ("identity", "random")


@dataclass(frozen=True)
class SemiImplicit(ReversibleDynamics):
    """p_{j+1} = p_j - h X.T Kq.T σ(Kq q_j + bq);  q_{j+1} = q_j + h X Kp.T σ(Kp p_{j+1} + bp).

    p and q are the halves of the features. With J = [[0, -X.T], [X, 0]] and K = blkdiag(Kp, Kq)
    this is y_{j+1} = y_j + h J K.T σ(K (p_{j+1}, q_j) + b). p is updated first, as in the README of
    the authors' code. The code itself updates q first
    (docs/papers/galimberti2023.md#conventions).

    Let B be the transpose of the Jacobian ∂y_{j+1}/∂y_j, or of the Jacobian of several layers. Then
    B.T J B = J for any weights and any X, also a singular one; so ‖B‖ >= 1 if X is not 0. For the
    Jacobian itself instead of B, this equation holds only if X is orthogonal.

    With X = I this is the network of Chang et al. 2018 with -h in place of h.

    Args:
        coupling: X, which is never trained: "identity", or "random" with entries N(0, 1/m) for
            m = width / 2. With "random", any other matrix may be copied into the buffer `X`.

    Examples:
        >>> Flow(SemiImplicit(), width=64, depth=64, h=0.05, backward="reverse")
    """

    coupling: str = option("identity", "X: how p and q act on each other", choices=COUPLINGS)

    paper = "galimberti2023"
    operators = ("Kp", "Kq")
    biases = ("bp", "bq")

    @property
    def capabilities(self) -> Capabilities:
        # a random X conserves another form, [[0, -X.T], [X, 0]]
        canonical = self.coupling == "identity"
        return Capabilities(
            order=1, reversible=True, symplectic=canonical, split=True, supports_fusing=True
        )

    def X(self, m: int) -> Tensor:  # noqa: N802
        return torch.randn(m, m) / m**0.5

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        return {} if self.coupling == "identity" else {"X": self.X(width // 2)[None]}

    def prepare(self, *, Kp, Kq, bp, bq, X=None) -> dict[str, Any]:
        into_q, into_p = (Kp.T, Kq.T) if X is None else (Kp.T.mixed(X[0]), Kq.T.mixed(X[0].mT))
        return {"Kp": Kp, "Kq": Kq, "bp": bp, "bq": bq, "into_p": into_p, "into_q": into_q}

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        p, q = 0, 1
        yield ResidualUpdate(p, -h, w.Kq, q, w.bq, A=w.into_p)
        yield ResidualUpdate(q, h, w.Kp, p, w.bp, A=w.into_q)
