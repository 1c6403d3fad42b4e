"""The earlier networks as Galimberti et al. 2023 restate them, special cases of y' = J K.T σ(K y +
b) (sheet section 1): MS1, MS2, MS3.

In MS1 and MS2 J K.T = I, which makes J = K^-T skew as K is; that needs an invertible K, so an even
width.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.dynamics import Dynamics, ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate


@dataclass(frozen=True)
class MS1(ReversibleDynamics):
    """z_{j+1} = z_j - h σ(K0.T y_j + b1);  y_{j+1} = y_j + h σ(K0 z_{j+1} + b2): Haber & Ruthotto's
    Verlet.

    K = [[0, K0], [-K0.T, 0]], b = (b2, -b1), σ odd. Unlike our `verlet` of the 2017 paper, y and z
    are halves of the features, each line has its own bias, and the head sees both.
    """

    paper = "galimberti2023"
    operators = ("K0",)
    biases = ("b1", "b2")
    order = 1
    supports_fusing = True
    split = True

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x.chunk(2, 1)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(z, -h, w.K0.T, y, w.b1)
        yield ResidualUpdate(y, h, w.K0, z, w.b2)

    def output(self, state: State) -> Tensor:
        return torch.cat(state, 1)


@dataclass(frozen=True)
class MS2(Dynamics):
    """y_{j+1} = y_j + h σ(A_j y_j + b_j), A = K - K.T skew: forward Euler.

    As in the authors' code each entry of A is the difference of two parameters; the sheet counts
    the (n² - n) / 2 that are free.
    """

    paper = "galimberti2023"
    order = 1
    supports_fusing = True

    def prepare(self, K, b) -> dict[str, Any]:
        return {"A": K - K.T, "b": b}

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y = 0
        yield ResidualUpdate(y, h, w.A, y, w.b)


@dataclass(frozen=True)
class MS3(ReversibleDynamics):
    """y_{j+1} = y_j + h K1.T σ(K1 z_j + b1);  z_{j+1} = z_j - h K2.T σ(K2 y_{j+1} + b2): K = [[0,
    K1], [K2, 0]], J canonical.

    The layer of Chang et al. 2018, our `hamiltonian`. This paper's networks differ in where the two
    inputs enter: net.opening=spread puts one in y and the other in z.
    """

    paper = "galimberti2023"
    operators = ("K1", "K2")
    biases = ("b1", "b2")
    conserves = ("volume", "form")
    order = 1
    supports_fusing = True
    split = True

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x.chunk(2, 1)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(y, h, w.K1, z, w.b1, A=w.K1.T)
        yield ResidualUpdate(z, -h, w.K2, y, w.b2, A=w.K2.T)

    def output(self, state: State) -> Tensor:
        return torch.cat(state, 1)
