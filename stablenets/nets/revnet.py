"""The reversible residual network of Gomez et al. 2017: two halves that kick each other. Baseline
of Chang et al. 2018.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.dynamics import CouplingUpdate, ReversibleDynamics, State, Weights
from stablenets.nets.boundaries import Halve, Residual
from stablenets.schema import option


@dataclass(frozen=True)
class RevNet(ReversibleDynamics):
    """Y_{j+1} = Y_j + F_j(Z_j);  Z_{j+1} = Z_j + G_j(Y_{j+1}), with F(x) = F2 σ(N2 F1 σ(N1 x)) and
    G likewise; no biases.

    After plain zero-padding of channels N1 x is exactly 0 there, on the kink of a ReLU: `reverse`,
    which reconstructs 0 up to rounding, may take the other slope than `store`. Strided blocks, as
    in the configured nets, leave no such channel.
    """

    activation: str = option("relu", "σ", choices=tuple(ACTIVATIONS))

    paper = "baseline"
    operators = ("F1", "F2", "G1", "G2")
    biases = ()
    norms = ("NF1", "NF2", "NG1", "NG2")
    split = True
    has_strided = True

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x.chunk(2, 1)

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        yield 0, lambda y, z: w.F2(self.σ(w.F1(self.σ(z, w.NF1)), w.NF2))
        yield 1, lambda y, z: w.G2(self.σ(w.G1(self.σ(y, w.NG1)), w.NG2))

    def output(self, state: State) -> Tensor:
        return torch.cat(state, 1)

    def strided(self, narrow: int, wide: int, gain: float) -> nn.Module:
        return StridedCoupling(self, narrow // 2, wide // 2, gain)


class StridedCoupling(nn.Module):
    """A coupling that halves the resolution: F has stride 2, G works at the new width; what it
    forgets is stored.

    The halves are pooled and padded with zero channels. This layout gives the parameter counts of
    the paper's table.
    """

    def __init__(self, dynamics: RevNet, narrow: int, wide: int, gain: float) -> None:
        super().__init__()
        self.F = Residual(dynamics.σ, narrow, wide, gain, stride=2, first_norm=True)
        self.G = Residual(dynamics.σ, wide, wide, gain, first_norm=True)
        self.shortcut = Halve(wide)

    def forward(self, x: Tensor) -> Tensor:
        y, z = x.chunk(2, 1)
        y = self.shortcut(y) + self.F(z)
        return torch.cat([y, self.shortcut(z) + self.G(y)], 1)
