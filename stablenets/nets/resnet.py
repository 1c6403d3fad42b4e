"""ResNet as forward Euler: Haber & Ruthotto 2017, Eq. (2.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from stablenets.dynamics import Dynamics, Weights
from stablenets.moves import Move


@dataclass(frozen=True)
class ResNet(Dynamics):
    """Y_{j+1} = Y_j + h σ(Y_j K_j + b_j) with examples as rows, which is y_{j+1} = y_j + h σ(K_j.T
    y_j + b_j), Eq. (3.5).
    """

    paper = "haber2017"
    order = 1
    fuses = True

    def moves(self, w: Weights, h: float) -> Iterable[Move]:
        y = 0
        yield Move(y, h, w.K.T, y, w.b)
