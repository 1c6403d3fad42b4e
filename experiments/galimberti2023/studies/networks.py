"""The paper's networks by name: their family, random ones in float64, and the J that each
conserves.
"""

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
class Named:
    """A network of the paper; L4DC 2021 calls H1-J2 H2. `width` where it is looked at with random
    weights, that of the planar nets if nothing else is said.
    """

    family: str
    options: tuple[tuple[str, Any], ...] = ()
    width: int = 4

    @property
    def values(self) -> dict[str, Any]:
        return {"family": self.family, **dict(self.options)}

    @property
    def dynamics(self) -> Dynamics:
        return FAMILIES[self.family](**dict(self.options))

    def gain(self, width: int) -> float:
        """Of N(0, 1) entries, as the authors draw them: they do not scale with the width."""
        return math.sqrt(width // 2 if self.dynamics.capabilities.split else width)


NETWORKS = {
    "MS1": Named("ms1"),
    "MS2": Named("ms2"),
    "MS3": Named("ms3"),
    "H1": Named("hdnn"),
    "H1-J2": Named("hdnn", (("interconnection", "ones"),)),
    "H2": Named("semi_implicit"),
}
RANDOM_X, SINGULAR_X = "H2, random X", "H2, singular X"
RING, RING_RANDOM_X = (
    "H2 on a ring of 8",
    "H2 on a ring of 8, random X",
)  # the authors' example; a ring of less than 4 is a full graph
VARIANTS = {  # of H2
    RANDOM_X: Named("semi_implicit", (("coupling", "random"),)),
    SINGULAR_X: Named("semi_implicit", (("coupling", "random"),)),
    RING: Named("distributed", (("nodes", 8),), width=16),
    RING_RANDOM_X: Named("distributed", (("nodes", 8), ("coupling", "random")), width=16),
}
PLAIN = "tanh MLP"
ALL = NETWORKS | VARIANTS | {PLAIN: Named("plain")}
EULER, VOLUME = (
    ("H1", "H1-J2", "MS2"),
    ("MS1", "MS3", "H2"),
)  # forward Euler; those that keep volume


def drawn(name: str, width: int, layers: int, h: float, seed: int) -> Flow:
    """A flow in float64, kernels and biases N(0, 1) as the authors draw them; for X singular, X
    without one direction.
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
    """Take one direction, drawn at random, from X."""
    v = F.normalize(torch.randn(flow.width // 2, dtype=flow.X.dtype), dim=0)
    flow.X -= flow.X @ v[:, None] * v


def structure(flow: Flow) -> Tensor:
    """(n, n) the J of B.T J B = J; [[0, -X.T], [X, 0]] where there is an X, else the canonical one,
    whose sign does not matter.
    """
    if "X" not in flow.fixed:
        return canonical(flow.width).double()
    X, zero = flow.X[0], torch.zeros_like(flow.X[0])
    return torch.cat([torch.cat([zero, -X.T], 1), torch.cat([X, zero], 1)])
