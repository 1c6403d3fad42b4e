"""Distributed Hamiltonian networks: Galimberti et al. 2023, H2 with block-sparse weights (sheet
section 2, authors' H2_sparse).
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablenets.engine.operators import Operator
from stablenets.nets.semi_implicit import SemiImplicit
from stablenets.schema import option


def ring(nodes: int) -> Tensor:
    """Each node, and its neighbour on either side."""
    apart = (torch.arange(nodes)[:, None] - torch.arange(nodes)) % nodes
    return ((apart <= 1) | (apart == nodes - 1)).float()


def full(nodes: int) -> Tensor:
    return torch.ones(nodes, nodes)


GRAPHS = {"ring": ring, "full": full}


def blocks(R: Tensor, m: int) -> Tensor:
    """From nodes to m features: a block where there was an entry."""
    return torch.kron(R, torch.ones(m // len(R), m // len(R)))


def thinned(pattern: Tensor) -> Tensor:
    """What random entries are multiplied by, so that each row keeps its variance with fewer of
    them.
    """
    return pattern / pattern.mean(1, keepdim=True).sqrt()


@dataclass(frozen=True)
class Distributed(SemiImplicit):
    """The semi-implicit network with Kp and Kq in blkSparse(R): node i holds (p_i, q_i), and K_ij =
    0 where R has no edge.

    A half step p+ = p - h X.T Kq.T σ(Kq q + bq) has the pattern R.T R: a node reads its neighbours'
    neighbours, on a ring up to two away, and the backward the transposed pattern. A whole layer is
    two half steps, four away: on the paper's ring of 8 all nodes. X couples a node with itself
    alone. The kernels start with zeros where there is no edge and stay so: they are multiplied by
    R, so that no gradient arrives there and weight decay has nothing to decay.
    """

    graph: str = option("ring", "R: who reads whom, every node itself", choices=tuple(GRAPHS))
    nodes: int = option(8, "each holds width / (2 nodes) features of p and as many of q", low=1)

    def refuses(self, width: int) -> str:
        return (
            f"has {self.nodes} nodes with a p and a q each; use a multiple of {2 * self.nodes}"
            if width % (2 * self.nodes)
            else ""
        )

    def pattern(self, m: int) -> Tensor:
        """R for the m features of p, or of q."""
        return blocks(GRAPHS[self.graph](self.nodes), m)

    def initial(self, name: str, K: Operator) -> Operator:
        return K.masked(thinned(self.pattern(K.kernel.shape[1])))

    def X(self, m: int) -> Tensor:  # noqa: N802
        return super().X(m) * thinned(blocks(torch.eye(self.nodes), m))

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        return super().fixed(width, depth) | {"R": self.pattern(width // 2)[None]}

    def prepare(self, Kp, Kq, bp, bq, R, X=None) -> dict[str, Any]:
        return super().prepare(Kp.masked(R), Kq.masked(R), bp, bq, X)
