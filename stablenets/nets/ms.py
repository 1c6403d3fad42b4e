"""The earlier networks MS1, MS2 and MS3 as Galimberti et al. 2023 restate them.

They are special cases of y' = J K.T σ(K y + b) (docs/papers/galimberti2023.md#architectures). In
MS1 and MS2 J K.T = I, so that J = K^-T is skew as K is; this needs an invertible K, so an even
width.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stablenets.engine.dynamics import Capabilities, Dynamics, ReversibleDynamics, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class MS1(ReversibleDynamics):
    """z_{j+1} = z_j - h σ(K0.T y_j + b1);  y_{j+1} = y_j + h σ(K0 z_{j+1} + b2).

    The Verlet scheme of Haber & Ruthotto: K = [[0, K0], [-K0.T, 0]], b = (b2, -b1), σ odd. Unlike
    `Verlet`, y and z are halves of the features, each line has its own bias, and the output is
    both.

    Examples:
        >>> Flow(MS1(), width=64, depth=64, h=0.05)
    """

    paper = "galimberti2023"
    operators = ("K0",)
    biases = ("b1", "b2")
    capabilities = Capabilities(order=1, reversible=True, split=True, supports_fusing=True)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(z, -h, w.K0.T, y, w.b1)
        yield ResidualUpdate(y, h, w.K0, z, w.b2)


@dataclass(frozen=True)
class MS2(Dynamics):
    """y_{j+1} = y_j + h σ(A_j y_j + b_j), A = K - K.T skew: forward Euler.

    As in the authors' code each entry of A is the difference of two parameters, of which only
    (n² - n) / 2 are free.

    Examples:
        >>> Flow(MS2(), width=64, depth=64, h=0.05)
    """

    paper = "galimberti2023"
    capabilities = Capabilities(order=1, supports_fusing=True)

    def prepare(self, K, b) -> dict[str, Any]:
        return {"A": K - K.T, "b": b}

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y = 0
        yield ResidualUpdate(y, h, w.A, y, w.b)


@dataclass(frozen=True)
class MS3(ReversibleDynamics):
    """y_{j+1} = y_j + h K1.T σ(K1 z_j + b1);  z_{j+1} = z_j - h K2.T σ(K2 y_{j+1} + b2).

    K = [[0, K1], [K2, 0]], J canonical: the layer of Chang et al. 2018, our `Hamiltonian`. In this
    paper's networks net.opening=spread puts one of the two inputs in y and the other in z.

    Examples:
        >>> Flow(MS3(), width=64, depth=64, h=0.05)
    """

    paper = "galimberti2023"
    operators = ("K1", "K2")
    biases = ("b1", "b2")
    capabilities = Capabilities(
        order=1, reversible=True, symplectic=True, split=True, supports_fusing=True
    )

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(y, h, w.K1, z, w.b1, A=w.K1.T)
        yield ResidualUpdate(z, -h, w.K2, y, w.b2, A=w.K2.T)
