"""The ResNet as forward Euler, Haber & Ruthotto 2017, Eq. (2.1) and (3.5)."""

from collections.abc import Iterable
from dataclasses import dataclass

from stablenets.engine.dynamics import Capabilities, Dynamics, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class ResNet(Dynamics):
    """y_{j+1} = y_j + h σ(K_j.T y_j + b_j).

    The paper writes examples as rows: Y_{j+1} = Y_j + h σ(Y_j K_j + b_j).

    Examples:
        >>> Flow(ResNet(activation="relu"), width=64, depth=32, h=0.1)
    """

    paper = "haber2017"
    capabilities = Capabilities(order=1, supports_fusing=True)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y = 0
        yield ResidualUpdate(y, h, w.K.T, y, w.b)
