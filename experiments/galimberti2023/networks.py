"""The paper's networks by name: their family and style, and random ones in float64."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.engine.dynamics import Dynamics
from stablenets.engine.flow import Flow
from stablenets.nets import FAMILIES
from stablenets.nets.hdnn import canonical


@dataclass(frozen=True)
class NamedNetwork:
    """A network of the paper. Our H1-J2 is called H2 in Galimberti et al. 2021.

    Args:
        family: The family, a key of `FAMILIES`.
        colour: The colour in figures.
        marker: The marker in figures.
        options: Options of the family and their values.
        width: Features of the network with random weights in the study `Symplectic`. The planar
            networks have 4.
    """

    family: str
    options: tuple[tuple[str, Any], ...] = ()
    width: int = 4

    @property
    def values(self) -> dict[str, Any]:
        """The options of group `net` of a run."""
        return {"family": self.family, **dict(self.options)}

    @property
    def dynamics(self) -> Dynamics:
        return FAMILIES[self.family](**dict(self.options))

    def gain(self, width: int) -> float:
        """Return the gain at which the entries of K start as N(0, 1) at any width.

        Initial weights have the standard deviation gain / sqrt(features that K reads), and the
        authors' are N(0, 1).
        """
        return math.sqrt(width // 2 if self.dynamics.capabilities.split else width)


NETWORKS = {
    "MS1": NamedNetwork("ms1"),
    "MS2": NamedNetwork("ms2"),
    "MS3": NamedNetwork("ms3"),
    "H1": NamedNetwork("hdnn"),
    "H1-J2": NamedNetwork("hdnn", (("interconnection", "ones"),)),
    "H2": NamedNetwork("semi_implicit"),
}
# Variants of H2. The authors' distributed example has a ring of 8 nodes.
RANDOM_X = "H2, random X"
SINGULAR_X = "H2, singular X"
RING = "H2 on a ring of 8"
RING_RANDOM_X = "H2 on a ring of 8, random X"
VARIANTS = {
    RANDOM_X: NamedNetwork("semi_implicit", (("coupling", "random"),)),
    SINGULAR_X: NamedNetwork("semi_implicit", (("coupling", "random"),)),
    RING: NamedNetwork("distributed", (("nodes", 8),), width=16),
    RING_RANDOM_X: NamedNetwork("distributed", (("nodes", 8), ("coupling", "random")), width=16),
}
PLAIN = "tanh MLP"
ALL = NETWORKS | VARIANTS | {PLAIN: NamedNetwork("plain")}
EULER = ("H1", "H1-J2", "MS2")  # forward Euler, which does not preserve volume
VOLUME = ("MS1", "MS3", "H2")  # volume-preserving: det(∂y_{j+1}/∂y_j) = 1


def random_flow(name: str, width: int, layers: int, h: float, seed: int) -> Flow:
    """Return the layers of a network in float64, with weights and biases N(0, 1).

    The authors draw them in the same way. The X of SINGULAR_X has rank width / 2 - 1.
    """
    torch.manual_seed(seed)
    dynamics = ALL[name].dynamics
    h = dynamics.capabilities.step_size(h)
    flow = Flow(dynamics, width, layers, h=h).double().requires_grad_(False)
    for parameter in flow.parameters():
        parameter.normal_()
    if name == SINGULAR_X:
        make_singular(flow)
    return flow


def make_singular(flow: Flow) -> None:
    """Project a random direction out of X, in place, so that X v = 0."""
    v = F.normalize(torch.randn(flow.width // 2, dtype=flow.X.dtype), dim=0)
    flow.X -= flow.X @ v[:, None] * v


def structure_matrix(flow: Flow) -> Tensor:
    """Return the J (n, n) of the symplecticity condition B.T J B = J, in float64.

    It is [[0, -X.T], [X, 0]] for a network with an X, and otherwise the canonical J. The sign of
    the canonical J does not matter for the condition.
    """
    if "X" not in flow.fixed:
        return canonical(flow.width).double()
    X = flow.X[0]
    zero = torch.zeros_like(X)
    return torch.cat([torch.cat([zero, -X.T], 1), torch.cat([X, zero], 1)])
