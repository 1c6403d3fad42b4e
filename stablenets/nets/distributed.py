"""Distributed Hamiltonian networks of Galimberti et al. 2023: H2 with block-sparse weights."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.operators import Operator
from stablenets.nets.semi_implicit import SemiImplicit
from stablenets.schema import option


def ring(nodes: int) -> Tensor:
    """Return the graph in which each node reads itself and its neighbour on either side."""
    distance = (torch.arange(nodes)[:, None] - torch.arange(nodes)) % nodes
    return ((distance <= 1) | (distance == nodes - 1)).float()


def full(nodes: int) -> Tensor:
    """Return the graph in which each node reads all nodes."""
    return torch.ones(nodes, nodes)


GRAPHS = {"ring": ring, "full": full}


def expand_to_features(R: Tensor, m: int) -> Tensor:
    """Return the pattern of m features: each entry of the pattern R of the nodes is a block."""
    return torch.kron(R, torch.ones(m // len(R), m // len(R)))


def keep_row_variance(pattern: Tensor) -> Tensor:
    """Return the pattern, scaled so that its zeros do not change the variance of K x, K random."""
    return pattern / pattern.mean(1, keepdim=True).sqrt()


@dataclass(frozen=True)
class Distributed(SemiImplicit):
    """The step of `SemiImplicit` with block-sparse Kp and Kq: block K_ij = 0 if R_ij = 0.

    R is the matrix of a graph: R_ij = 1 if node i reads node j. Node i holds (p_i, q_i). One update
    p+ = p - h X.T Kq.T σ(Kq q + bq) has the pattern R.T R. So a node reads its neighbours and their
    neighbours: on a ring, the nodes up to distance 2. A layer has two such updates, so it reads
    nodes up to distance 4. On the ring of 8 nodes of the authors' code, these are all nodes. X
    couples each node only with itself. See docs/papers/galimberti2023.md#distributed.

    The kernels are multiplied by R, and start at zero where R is zero. So there the gradient is
    zero, and weight decay leaves the zeros unchanged.

    Args:
        graph: R. "ring": each node reads itself and its two neighbours. "full": all nodes.
        nodes: Number of nodes; each holds width / (2 nodes) features of p and as many of q.
        coupling: X, as in `SemiImplicit`.

    Examples:
        >>> Flow(Distributed(nodes=8), width=64, depth=64, h=0.05)
    """

    graph: str = option(
        "ring",
        "R: which nodes a node reads; ring: itself and its two neighbours; full: all nodes",
        choices=tuple(GRAPHS),
    )
    nodes: int = option(
        8, "number of nodes; each holds width / (2 nodes) features of p and as many of q", low=1
    )

    def width_problem(self, width: int) -> str:
        if width % (2 * self.nodes):
            return (
                f"has {self.nodes} nodes with a p and a q each; use a multiple of {2 * self.nodes}"
            )
        return ""

    def pattern(self, m: int) -> Tensor:
        """Return R for the m features of p, or of q."""
        return expand_to_features(GRAPHS[self.graph](self.nodes), m)

    def initial(self, name: str, K: Operator) -> Operator:
        return K.masked(keep_row_variance(self.pattern(K.kernel.shape[1])))

    def X(self, m: int) -> Tensor:  # noqa: N802
        return super().X(m) * keep_row_variance(expand_to_features(torch.eye(self.nodes), m))

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        return super().fixed(width, depth) | {"R": self.pattern(width // 2)[None]}

    # R is always given; it has a default only because `SemiImplicit.prepare` takes no R.
    def prepare(self, *, Kp, Kq, bp, bq, X=None, R=None) -> dict[str, Any]:
        return super().prepare(Kp=Kp.masked(R), Kq=Kq.masked(R), bp=bp, bq=bq, X=X)
