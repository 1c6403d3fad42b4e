"""The earlier networks MS1, MS2 and MS3 as Galimberti et al. 2023 restate them.

They are special cases of y' = J K.T σ(K y + b), with an antisymmetric J
(docs/papers/galimberti2023.md#architectures). For MS1 and MS2, K is antisymmetric and J is the
inverse of K.T, so J K.T = I. The inverse exists only for even widths.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from stablenets.engine.dynamics import Capabilities, Dynamics, ReversibleDynamics, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class MS1(ReversibleDynamics):
    """z_{j+1} = z_j - h σ(K0.T y_j + b1);  y_{j+1} = y_j + h σ(K0 z_{j+1} + b2).

    This is the Verlet scheme of Haber & Ruthotto, with K = [[0, K0], [-K0.T, 0]] and b = (b2, -b1)
    if σ is odd. It differs from `Verlet`: y and z are halves of the features, each line has its own
    bias, and the output consists of both y and z.

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
    """y_{j+1} = y_j + h σ(A_j y_j + b_j), with the antisymmetric A = K - K.T: forward Euler.

    As in the authors' code, each entry of A is the difference of two parameters. So A has
    (n² - n) / 2 free entries.

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

    This is the layer of Chang et al. 2018, our `Hamiltonian`: K = [[0, K1], [K2, 0]] and
    J = [[0, I], [-I, 0]]. In the networks of Galimberti et al., net.opening=spread puts one of the
    two inputs in y and the other in z.

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
