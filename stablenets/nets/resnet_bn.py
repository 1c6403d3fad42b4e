"""The ResNet of He et al. 2016 for CIFAR, with batch norm: a baseline of Chang et al. 2018."""

from dataclasses import dataclass

from torch import Tensor, nn

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.dynamics import Capabilities, Dynamics, State, Weights
from stablenets.engine.native import add_change
from stablenets.nets.boundaries import Halve, Residual
from stablenets.schema import option


@dataclass(frozen=True)
class ResNetBN(Dynamics):
    """y_{j+1} = σ(y_j + N2 K2 σ(N1 K1 y_j)), without biases: the basic block.

    It has no exact inverse step: the change is computed from the state to which it is added, and a
    ReLU around the sum has no inverse. It has no step size.

    Examples:
        >>> Flow(ResNetBN(), width=16, depth=5, operator="conv")
    """

    activation: str = option("relu", "σ", choices=tuple(ACTIVATIONS))

    paper = "baseline"
    operators = ("K1", "K2")
    biases = ()
    norms = ("N1", "N2")
    capabilities = Capabilities(has_strided_block=True, supports_dropout=False)

    def step(self, state: State, w: Weights, h: float) -> State:
        (y,) = state
        return (self.σ(add_change(y, w.N2(w.K2(self.σ(w.K1(y), w.N1))))),)

    def strided(self, narrow: int, wide: int, gain: float) -> nn.Module:
        return StridedBasic(self, narrow, wide, gain)


class StridedBasic(nn.Module):
    """A basic block with stride 2: (B, narrow, H, W) -> (B, wide, H/2, W/2).

    The shortcut takes every second pixel (option A of the paper).
    """

    def __init__(self, dynamics: ResNetBN, narrow: int, wide: int, gain: float) -> None:
        super().__init__()
        self.σ = dynamics.σ
        self.residual = Residual(dynamics.σ, narrow, wide, gain, stride=2)
        self.shortcut = Halve(wide, pool=False)

    def forward(self, y: Tensor) -> Tensor:
        return self.σ(add_change(self.shortcut(y), self.residual(y)))
