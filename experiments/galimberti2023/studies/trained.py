"""Measured on trained nets: the regions that they decide and the way of the points through the
layers, the reach of a node, memory.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study, TrainedNetStudy
from stablenets.engine.flow import Flow
from stablenets.probes import kept_bytes, layer_jacobians
from stablenets.probes.maps import Map, compose_maps, layer_states, layers_and_start
from stablenets.schema import option

from .networks import NETWORKS
from .random_weights import test_points

EXTENTS = {
    "swiss_roll": (-1.4, 1.4, -1.4, 1.4),
    "double_moons": (-1.5, 4.5, -1.1, 1.6),
    "double_circles": (-4.6, 4.6, -4.6, 4.6),
}
PIXELS, STAGES, SHOWN = 120, 33, 20  # of a map; states that are kept; every so many test points


@dataclass(frozen=True)
class Way(TrainedNetStudy):
    """Arrays: classes (PIXELS, PIXELS) uint8 that a trained net gives to a grid, rows from below;
    states (STAGES, points, 2), where test points are between the layers, in two directions that are
    the same for all stages: the one that the head reads, in which it decides by the sign, and
    across it the one in which the points are spread most at the end; layers (STAGES,).
    """

    key = "galimberti2023/trajectories"

    version = 2  # 1 had other directions

    @torch.no_grad()
    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        left, right, low, high = EXTENTS[self.dataset]
        x, y = torch.meshgrid(
            torch.linspace(left, right, PIXELS), torch.linspace(low, high, PIXELS), indexing="xy"
        )
        classes = net(torch.stack((x, y), -1).flatten(0, 1).double()).argmax(1).view(PIXELS, PIXELS)
        states: list[Tensor] = []
        net(
            test_points(self.training)[0][::SHOWN].double(),
            lambda _, state: states.append(torch.cat(state, 1)),
        )
        kept = np.unique(np.linspace(0, len(states) - 1, STAGES).round().astype(int))
        read, border = (
            parameter[1] - parameter[0] for parameter in (net.head[-1].weight, net.head[-1].bias)
        )
        length, centre = read.norm(), states[-1].mean(0)
        across = states[-1] - centre
        across = across - (across @ read)[:, None] * read / length**2
        most = torch.linalg.svd(across, full_matrices=False).Vh[0]
        ways = [
            torch.stack(
                [(states[layer] @ read + border) / length, (states[layer] - centre) @ most], 1
            )
            for layer in kept
        ]
        return {}, {
            "classes": classes.numpy().astype(np.uint8),
            "layers": kept,
            "states": torch.stack(ways).numpy().astype(np.float32),
        }


def by_node(x: Tensor, nodes: int) -> Tensor:
    """(B, nodes): the largest size that a state (B, n) of two halves has at each node."""
    return x.abs().unflatten(1, (2, nodes, -1)).amax((1, 3))


def half_steps(flow: Flow, x: Tensor) -> tuple[list[Map], Tensor]:
    """Maps of the state (B, n), two a layer, and the state before the first of them for a batch x
    (B, n).
    """

    def half(part: int, kick: Callable[..., Tensor], joined: Tensor) -> Tensor:
        parts = list(joined.chunk(2, 1))
        parts[part] = parts[part] + kick(*parts)
        return torch.cat(parts, 1)

    layers, start = layers_and_start(flow, x)
    return [
        partial(half, *kick) for w in layers for kick in flow.dynamics.coupling_updates(w, flow.h)
    ], torch.cat(start, 1)


def moved(f: Map, x: Tensor, nodes: int) -> Tensor:
    """(nodes, nodes): by how much node i of f(x) changes at most where node j of x (B, n) alone is
    moved by 1; 0: not by a bit.
    """
    before, found = f(x), []
    for node in range(nodes):
        shift = torch.zeros_like(x)
        shift.unflatten(1, (2, nodes, -1))[:, :, node] = 1
        found.append(by_node(f(x + shift) - before, nodes).amax(0))
    return torch.stack(found, 1)


def reached(flow: Flow, x: Tensor) -> tuple[Tensor, Tensor]:
    """What `moved` says of every half step (2L, nodes, nodes) and of every layer (L, nodes, nodes)
    at the states of a batch x (B, n).
    """
    halves, start = half_steps(flow, x)
    layers = [compose_maps(pair) for pair in zip(halves[::2], halves[1::2], strict=True)]
    return tuple(
        torch.stack(
            [
                moved(f, y, flow.dynamics.nodes)
                for f, y in zip(maps, layer_states(maps, start), strict=False)
            ]
        )
        for maps in (halves, layers)
    )


def ring_hops(nodes: int) -> Tensor:
    """(nodes, nodes) from node to node on a ring."""
    apart = (torch.arange(nodes)[:, None] - torch.arange(nodes)).abs()
    return torch.minimum(apart, nodes - apart)


@dataclass(frozen=True)
class Reach(TrainedNetStudy):
    """How far a node of a trained ring is read: one node is moved alone, at every layer, at test
    points.

    Metrics: half_hops and layer_hops, how far away another node changes by a bit or more, furthest
    of all half steps and layers; half_reads and layer_reads, how many nodes change a node in some
    half step or layer (tanh may be flat in others), fewest of all nodes; backward_hops, how far the
    derivative of a half step is not 0; outside and outside_gradients, the sum of the sizes of what
    Kp and Kq, and a loss's gradients by them, hold where the graph has no edge; entries, how many
    are free in a layer; nodes. Arrays: half and layer (nodes, nodes), the changes of node i by node
    j in the first layer.
    """

    key = "galimberti2023/node_reach"

    version = 2  # 1 had Jacobians of the first layer alone

    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        (flow,) = net.units
        nodes = flow.dynamics.nodes
        points, labels = (values[::SHOWN] for values in test_points(self.training))
        x = net.opening(points.double())
        half, layer = reached(flow, x)
        derivatives = torch.stack(layer_jacobians(*half_steps(flow, x))).abs().amax(1)
        back = (
            derivatives.unflatten(1, (2, nodes, -1)).unflatten(4, (2, nodes, -1)).amax((1, 3, 4, 6))
        )
        off, hops = flow.R[0] == 0, ring_hops(nodes)
        kernels = [getattr(flow, name).requires_grad_() for name in flow.dynamics.operators]
        gradients = torch.autograd.grad(F.cross_entropy(net(points.double()), labels), kernels)
        outside, outside_gradients = (
            sum(K.detach()[:, off].abs().sum() for K in found) for found in (kernels, gradients)
        )
        return (
            {
                "half_hops": furthest(half, hops),
                "layer_hops": furthest(layer, hops),
                "backward_hops": furthest(back, hops),
                "half_reads": fewest(half),
                "layer_reads": fewest(layer),
                "outside": float(outside),
                "outside_gradients": float(outside_gradients),
                "entries": float(2 * (~off).sum()),
                "nodes": float(nodes),
            },
            {"half": half[:2].amax(0).numpy(), "layer": layer[0].numpy()},
        )


def fewest(changes: Tensor) -> float:
    """Of a stack (..., nodes, nodes): how many nodes change a node."""
    return float((changes.amax(0) > 0).sum(1).min())


def furthest(sizes: Tensor, hops: Tensor) -> float:
    """Over a stack (..., nodes, nodes): the most hops where it is not 0."""
    return float(hops.expand_as(sizes)[sizes > 0].max())


@dataclass(frozen=True)
class Memory(Study):
    """What a forward of H2 keeps for the backward beside the weights and the data, in bytes."""

    key = "galimberti2023/backward_memory"

    version = 2  # 1 counted the data
    backward: str = option("reverse", choices=("store", "checkpoint", "reverse"))
    layers: int = option(64, low=1)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, place: RunContext) -> Measured:
        torch.manual_seed(0)
        flow = Flow(
            NETWORKS["H2"].dynamics, 4, self.layers, h=1 / self.layers, backward=self.backward
        )
        return {"bytes": float(kept_bytes(flow, torch.randn(125, 4, requires_grad=True)))}, {}
