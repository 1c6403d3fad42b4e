"""The two-layer Hamiltonian network of Chang et al. 2018.

The Verlet scheme for Y' = K1.T σ(K1 Z + b1), Z' = -K2.T σ(K2 Y + b2).
"""

from collections.abc import Iterable
from dataclasses import dataclass

from stablenets.engine.dynamics import Capabilities, CouplingUpdate, ReversibleDynamics, Weights
from stablenets.engine.updates import ResidualUpdate
from stablenets.schema import option


@dataclass(frozen=True)
class Hamiltonian(ReversibleDynamics):
    """Y_{j+1} = Y_j + h K1.T σ(K1 Z_j + b1);  Z_{j+1} = Z_j - h K2.T σ(K2 Y_{j+1} + b2).

    Y and Z are the halves of the features. The second line reads the new Y and has the opposite
    sign (docs/papers/chang2018.md#hamiltonian).

    Args:
        block_norm: Biases or batch norms of each update. "none": no norm and one bias,
            K.T σ(K x + b), as in the paper's figure. "shift": no norm and a second bias a,
            K.T σ(K (x + a) + b), as in the authors' code. "batch": batch norms M and N instead of
            biases, K.T σ(N K M x), as in their later code.

    Examples:
        >>> Flow(Hamiltonian(), 32, 500, h=0.05, operator="conv", backward="reverse")
    """

    block_norm: str = option(
        "none",
        "none: no norm and one bias in each update; shift: no norm and a second bias before K;"
        " batch: batch norms before and after K instead of biases",
        choices=("none", "shift", "batch"),
    )

    paper = "chang2018"
    operators = ("K1", "K2")

    @property
    def biases(self) -> tuple[str, ...]:
        return {"none": ("b1", "b2"), "shift": ("b1", "b2", "before1", "before2"), "batch": ()}[
            self.block_norm
        ]

    @property
    def norms(self) -> tuple[str, ...]:
        return ("M1", "N1", "M2", "N2") if self.block_norm == "batch" else ()

    @property
    def capabilities(self) -> Capabilities:
        # with norms before and after K an update is no gradient of a potential
        return Capabilities(
            order=1,
            reversible=True,
            symplectic=self.block_norm != "batch",
            split=True,
            supports_fusing=self.block_norm == "none",
        )

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        y, z = 0, 1
        yield ResidualUpdate(y, h, w.K1, z, w.b1, A=w.K1.T)
        yield ResidualUpdate(z, -h, w.K2, y, w.b2, A=w.K2.T)

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        if self.block_norm == "batch":
            yield 0, lambda y, z: h * w.K1.T(self.σ(w.K1(w.M1(z)), w.N1))
            yield 1, lambda y, z: -h * w.K2.T(self.σ(w.K2(w.M2(y)), w.N2))
        elif self.block_norm == "shift":
            yield 0, lambda y, z: h * w.K1.T(self.σ(w.K1(z + w.before1, w.b1)))
            yield 1, lambda y, z: -h * w.K2.T(self.σ(w.K2(y + w.before2, w.b2)))
        else:
            yield from super().coupling_updates(w, h)
