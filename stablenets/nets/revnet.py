"""The reversible residual network of Gomez et al. 2017: a baseline of Chang et al. 2018."""

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.dynamics import Capabilities, CouplingUpdate, ReversibleDynamics, Weights
from stablenets.nets.boundaries import Halve, Residual
from stablenets.schema import option


@dataclass(frozen=True)
class RevNet(ReversibleDynamics):
    """Y_{j+1} = Y_j + F_j(Z_j);  Z_{j+1} = Z_j + G_j(Y_{j+1}), with F(x) = F2 σ(N2 F1 σ(N1 x)).

    G has the form of F. Y and Z are the halves of the features. There are no biases and no step
    size.

    If channels are padded with zeros, N1 x is exactly 0 there, where ReLU has no derivative. The
    mode `reverse` reconstructs this 0 only up to rounding, so its gradient may differ from that of
    `store`. By default, networks use strided blocks, after which no channel is exactly zero.

    Examples:
        >>> Flow(RevNet(), width=32, depth=8, operator="conv", backward="reverse")
    """

    activation: str = option("relu", "σ", choices=tuple(ACTIVATIONS))

    paper = "baseline"
    operators = ("F1", "F2", "G1", "G2")
    biases = ()
    norms = ("NF1", "NF2", "NG1", "NG2")
    capabilities = Capabilities(reversible=True, split=True, has_strided_block=True)

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        yield 0, lambda y, z: w.F2(self.σ(w.F1(self.σ(z, w.NF1)), w.NF2))
        yield 1, lambda y, z: w.G2(self.σ(w.G1(self.σ(y, w.NG1)), w.NG2))

    def strided(self, narrow: int, wide: int, gain: float) -> nn.Module:
        return StridedCoupling(self, narrow // 2, wide // 2, gain)


class StridedCoupling(nn.Module):
    """A coupling that halves the resolution: F has stride 2, G works at the new width.

    The halves are pooled and padded with zero channels. It has no inverse, so its input is kept for
    the backward pass. This layout gives the parameter counts of the paper's table.
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
