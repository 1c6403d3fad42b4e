"""The symplectic Hamiltonian network, H2 of Galimberti et al. 2023: semi-implicit Euler (sheet
section 1).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.dynamics import ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option

COUPLINGS = ("identity", "random")


@dataclass(frozen=True)
class SemiImplicit(ReversibleDynamics):
    """p_{j+1} = p_j - h X.T Kq.T σ(Kq q_j + bq);  q_{j+1} = q_j + h X Kp.T σ(Kp p_{j+1} + bp); the
    features are halved in p and q.

    J = [[0, -X.T], [X, 0]] and K = blkdiag(Kp, Kq): y_{j+1} = y_j + h J K.T σ(K (p_{j+1}, q_j) +
    b), p first as in the README's formula (the authors' code moves q first). With B the transpose
    of the Jacobian ∂y_{j+1}/∂y_j, B.T J B = J for any weights, any X, also a singular one, and any
    product of layers; so ‖B‖ >= 1. The other transpose holds for orthogonal X only.

    X is never trained; a random one has N(0, 1/m) entries, m = width / 2, and any other may be
    copied into the buffer. At X = I this is the network of Chang et al. 2018 with -h for h.
    """

    coupling: str = option("identity", "X: how p and q drive each other", choices=COUPLINGS)

    paper = "galimberti2023"
    operators = ("Kp", "Kq")
    biases = ("bp", "bq")
    order = 1
    supports_fusing = True
    split = True

    @property
    def conserves(self) -> tuple[str, ...]:
        """With a random X another form, [[0, -X.T], [X, 0]], is conserved."""
        return ("volume", "form") if self.coupling == "identity" else ("volume",)

    def X(self, m: int) -> Tensor:  # noqa: N802
        return torch.randn(m, m) / m**0.5

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        return {} if self.coupling == "identity" else {"X": self.X(width // 2)[None]}

    def prepare(self, Kp, Kq, bp, bq, X=None) -> dict[str, Any]:
        into_q, into_p = (Kp.T, Kq.T) if X is None else (Kp.T.mixed(X[0]), Kq.T.mixed(X[0].mT))
        return {"Kp": Kp, "Kq": Kq, "bp": bp, "bq": bq, "into_p": into_p, "into_q": into_q}

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x.chunk(2, 1)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        p, q = 0, 1
        yield ResidualUpdate(p, -h, w.Kq, q, w.bq, A=w.into_p)
        yield ResidualUpdate(q, h, w.Kp, p, w.bp, A=w.into_q)

    def output(self, state: State) -> Tensor:
        return torch.cat(state, 1)
