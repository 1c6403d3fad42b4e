"""Second-order networks by the leapfrog scheme: Haber & Ruthotto 2017 and Chang et al. 2018.

The scheme y_{j+1} = 2 y_j - y_{j-1} + h² f(y_j) is computed with a position y and a velocity
v = y_j - y_{j-1}: first v += h² f(y), then y += v. Without rounding the results are the same. The
rounding errors are smaller, and each of the two updates has an exact inverse.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.dynamics import Capabilities, ReversibleDynamics, State, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option

Y, V = 0, 1  # the parts of the state


@dataclass(frozen=True)
class Leapfrog(ReversibleDynamics):
    """y_{j+1} = 2 y_j - y_{j-1} - h² K_j.T σ(K_j y_j + b_j), Chang et al. 2018.

    Neither the paper's first step nor its bias or norm is known
    (docs/papers/chang2018.md#not-known).

    Args:
        initial_velocity: "zero": y_{-1} = y_0, as in the authors' Meganet. "from_state":
            y_{-1} = 0, so the first velocity is y_0 / h, as in TheoryDev, third-party code of the
            2017 paper (docs/papers/haber2017.md#leapfrog).
        block_norm: "none": no norm and one bias. "batch": a batch norm instead of the bias.

    Examples:
        >>> Flow(Leapfrog(), width=64, depth=256, h=0.05, backward="reverse")
    """

    initial_velocity: str = option(
        "zero",
        "zero: y_{-1} = y_0; from_state: y_{-1} = 0, so the first velocity is y_0 / h",
        choices=("zero", "from_state"),
    )
    block_norm: str = option(
        "none",
        "none: no norm and one bias; batch: a batch norm instead of the bias",
        choices=("none", "batch"),
    )

    paper = "chang2018"

    @property
    def biases(self) -> tuple[str, ...]:
        return ("b",) if self.block_norm == "none" else ()

    @property
    def norms(self) -> tuple[str, ...]:
        return ("N",) if self.block_norm == "batch" else ()

    @property
    def capabilities(self) -> Capabilities:
        # The scheme has order 2. With y_{-1} = y_0 time is shifted by h / 2, which leaves order 1;
        # a velocity of y_0 / h has no limit for h -> 0. Dropout would drop parts of the velocity.
        return Capabilities(
            order=1 if self.initial_velocity == "zero" else 0,
            reversible=True,
            symplectic=True,
            supports_dropout=False,
            supports_fusing=self.block_norm == "none",
        )

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        return x, torch.zeros_like(x) if self.initial_velocity == "zero" else x

    def shifted(self, K: Any, w: Weights) -> tuple[Any, Tensor | None]:
        """Return K and its bias, or N K and no bias."""
        return (K, w.b) if self.block_norm == "none" else (lambda y, _: w.N(K(y)), None)

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        K, b = self.shifted(w.K, w)
        yield ResidualUpdate(V, -(h**2), K, Y, b, w.K.T)
        yield ResidualUpdate(Y, 1.0, None, V)


@dataclass(frozen=True)
class LeapfrogHaber(Leapfrog):
    """y_{j+1} = 2 y_j - y_{j-1} + h² σ(-C_j.T C_j y_j + b_j), Haber & Ruthotto 2017.

    -C.T C is negative semidefinite. The learned C has the parameter name `K`. A linear layer is
    stable if and only if h s_max(C) <= 2, where s_max is the largest singular value
    (docs/papers/haber2017.md#step-limits). The family has the options of `Leapfrog`.
    """

    paper = "haber2017"

    @property
    def capabilities(self) -> Capabilities:
        return replace(super().capabilities, symplectic=False)  # the force has no potential

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        A, b = self.shifted((w.K.T * -1.0) @ w.K, w)
        yield ResidualUpdate(V, h**2, A, Y, b)
        yield ResidualUpdate(Y, 1.0, None, V)
