"""ResNet as forward Euler: Haber & Ruthotto 2017, Eq. (2.1)."""

from collections.abc import Iterable
from dataclasses import dataclass

from stablenets.engine.dynamics import Dynamics, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class ResNet(Dynamics):
    """Y_{j+1} = Y_j + h σ(Y_j K_j + b_j) with examples as rows, which is y_{j+1} = y_j + h σ(K_j.T
    y_j + b_j), Eq. (3.5).
    """

    paper = "haber2017"
    order = 1
    supports_fusing = True

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y = 0
        yield ResidualUpdate(y, h, w.K.T, y, w.b)
