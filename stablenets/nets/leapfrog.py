"""Second-order networks by the leapfrog scheme: Haber & Ruthotto 2017, section 4.3, and Chang et
al. 2018.

y_{j+1} = 2 y_j - y_{j-1} + h² f(y_j) is kept as position and velocity, v = y_j - y_{j-1}: v += h²
f(y), then y += v. These are the same numbers with less rounding, and each line is a kick with an
exact inverse.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.engine.dynamics import ReversibleDynamics, State, Weights
from stablenets.engine.operators import Operator
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option

Y, V = 0, 1  # the parts of the state


@dataclass(frozen=True)
class Leapfrog(ReversibleDynamics):
    """y_{j+1} = 2 y_j - y_{j-1} - h² K_j.T σ(K_j y_j + b_j), Chang et al. 2018.

    `rest` says where the motion starts: y_{-1} = y_0, no velocity (the authors' Meganet and their
    follow-up, our default), or y_{-1} = 0, a velocity of y_0 / h (a third party's reading of the
    2017 paper). The paper's own rule is not known, nor what shifts the features: a bias is our
    default, `block_norm=batch` has a batch norm in its place.
    """

    initial_velocity: str = option(
        "zero",
        "zero: y_{-1} = y_0; from_state: y_{-1} = 0, a velocity of y_0 / h",
        choices=("zero", "from_state"),
    )
    block_norm: str = option("none", "what shifts the features before σ", choices=("none", "batch"))

    paper = "chang2018"
    conserves = ("volume", "form")
    supports_dropout = False  # would drop of the velocity too

    @property
    def order(self) -> int:
        """Of the scheme 2; y_{-1} = y_0 shifts time by h / 2, and the velocity of y_0 / h has no
        limit at all.
        """
        return 1 if self.initial_velocity == "zero" else 0

    @property
    def biases(self) -> tuple[str, ...]:
        return ("b",) if self.block_norm == "none" else ()

    @property
    def norms(self) -> tuple[str, ...]:
        return ("N",) if self.block_norm == "batch" else ()

    @property
    def supports_fusing(self) -> bool:
        return self.block_norm == "none"

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x, torch.zeros_like(x) if self.initial_velocity == "zero" else x

    def shifted(self, K: Operator, w: Weights) -> tuple[Callable[..., Tensor], Tensor | None]:
        """K and the bias of a move, or N K without one."""
        return (K, w.b) if self.block_norm == "none" else (lambda y, _: w.N(K(y)), None)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        K, b = self.shifted(w.K, w)
        yield ResidualUpdate(V, -(h**2), K, Y, b, w.K.T)
        yield ResidualUpdate(Y, 1.0, None, V)


@dataclass(frozen=True)
class LeapfrogHaber(Leapfrog):
    """y_{j+1} = 2 y_j - y_{j-1} + h² σ(-C_j.T C_j y_j + b_j), Haber & Ruthotto 2017: K = -C.T C is
    negative semidefinite.

    Learned is C, under the name K that all families share. Linear case: stable iff h s_max(C) <= 2.
    """

    paper = "haber2017"
    conserves = ("volume",)  # no longer the form: the force has no potential

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        A, b = self.shifted((w.K.T * -1.0) @ w.K, w)
        yield ResidualUpdate(V, h**2, A, Y, b)
        yield ResidualUpdate(Y, 1.0, None, V)
