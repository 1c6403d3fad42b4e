"""Studies of trained networks, and the memory of the backward pass.

They keep the decision regions, the states of test points in all layers, and which nodes of a
distributed network influence each other.
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

from ..networks import NETWORKS
from .random_weights import test_points

# The rectangle of a map of decision regions: left, right, bottom, top.
EXTENTS = {
    "swiss_roll": (-1.4, 1.4, -1.4, 1.4),
    "double_moons": (-1.5, 4.5, -1.1, 1.6),
    "double_circles": (-4.6, 4.6, -4.6, 4.6),
}
PIXELS = 120  # of a map of decision regions, in each direction
STAGES = 33  # layers whose states are kept
SHOWN = 20  # every 20th test point is kept or measured


@dataclass(frozen=True)
class Trajectories(TrainedNetStudy):
    """Decision regions of a trained network, and the states of test points in its layers.

    The states are projected on two directions, the same for all layers. The first is the normal of
    the decision boundary of the output layer. The second is orthogonal to it, with the largest
    variance of the last states.

    Arrays:
        classes: (PIXELS, PIXELS) uint8, the predicted class on a grid, the bottom row first.
        layers: (STAGES,), the layers whose states are kept; 0 is the input of the first one.
        states: (STAGES, points, 2). The first coordinate is the signed distance from the decision
            boundary; the second is measured from the mean of the last states.
    """

    key = "galimberti2023/trajectories"

    version = 2  # version 1 projected on other directions

    @torch.no_grad()
    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        left, right, low, high = EXTENTS[self.dataset]
        x, y = torch.meshgrid(
            torch.linspace(left, right, PIXELS), torch.linspace(low, high, PIXELS), indexing="xy"
        )
        grid = torch.stack((x, y), -1).flatten(0, 1).double()
        classes = net(grid).argmax(1).view(PIXELS, PIXELS)
        states: list[Tensor] = []
        points, _ = test_points(self.training)
        net(points[::SHOWN].double(), lambda _, state: states.append(torch.cat(state, 1)))
        kept = np.unique(np.linspace(0, len(states) - 1, STAGES).round().astype(int))
        # The network decides for class 1 where normal · y + offset > 0.
        output = net.head[-1]
        normal = output.weight[1] - output.weight[0]
        offset = output.bias[1] - output.bias[0]
        length = normal.norm()
        mean = states[-1].mean(0)
        centred = states[-1] - mean
        in_boundary = centred - (centred @ normal)[:, None] * normal / length**2
        widest = torch.linalg.svd(in_boundary, full_matrices=False).Vh[0]
        projected = [
            torch.stack(
                [(states[layer] @ normal + offset) / length, (states[layer] - mean) @ widest], 1
            )
            for layer in kept
        ]
        arrays = {
            "classes": classes.numpy().astype(np.uint8),
            "layers": kept,
            "states": torch.stack(projected).numpy().astype(np.float32),
        }
        return {}, arrays


def largest_by_node(x: Tensor, nodes: int) -> Tensor:
    """Return the largest absolute entry at each node, (B, nodes), of states (B, n)."""
    return x.abs().unflatten(1, (2, nodes, -1)).amax((1, 3))


def half_step_maps(flow: Flow, x: Tensor) -> tuple[list[Map], Tensor]:
    """Return the half steps of a flow as maps of states (B, n), two for each layer.

    The second value is the state before the first half step for a batch x (B, n).
    """

    def half_step(part: int, change: Callable[..., Tensor], state: Tensor) -> Tensor:
        parts = list(state.chunk(2, 1))
        parts[part] = parts[part] + change(*parts)
        return torch.cat(parts, 1)

    layers, start = layers_and_start(flow, x)
    maps = [
        partial(half_step, *update)
        for w in layers
        for update in flow.dynamics.coupling_updates(w, flow.h)
    ]
    return maps, torch.cat(start, 1)


def measure_influence(f: Map, x: Tensor, nodes: int) -> Tensor:
    """Return how much each node of f(x) depends on each node of x, (nodes, nodes).

    Entry (i, j) is the largest change at node i over a batch x (B, n) if only node j of x is moved
    by 1. It is 0 only if no bit changes.
    """
    before = f(x)
    changes = []
    for node in range(nodes):
        shift = torch.zeros_like(x)
        shift.unflatten(1, (2, nodes, -1))[:, :, node] = 1
        changes.append(largest_by_node(f(x + shift) - before, nodes).amax(0))
    return torch.stack(changes, 1)


def measure_influences(flow: Flow, x: Tensor) -> tuple[Tensor, Tensor]:
    """Return `measure_influence` of every half step and of every layer for a batch x (B, n).

    Returns:
        (2 L, nodes, nodes) of the half steps and (L, nodes, nodes) of the layers, each at the
        states that the batch has there.
    """
    half_steps, start = half_step_maps(flow, x)
    layers = [compose_maps(pair) for pair in zip(half_steps[::2], half_steps[1::2], strict=True)]

    def measure_each(maps: list[Map]) -> Tensor:
        inputs = layer_states(maps, start)[:-1]
        return torch.stack(
            [
                measure_influence(f, y, flow.dynamics.nodes)
                for f, y in zip(maps, inputs, strict=True)
            ]
        )

    return measure_each(half_steps), measure_each(layers)


def ring_hops(nodes: int) -> Tensor:
    """Return the number of edges between any two nodes of a ring, (nodes, nodes)."""
    difference = (torch.arange(nodes)[:, None] - torch.arange(nodes)).abs()
    return torch.minimum(difference, nodes - difference)


@dataclass(frozen=True)
class NodeReach(TrainedNetStudy):
    """Which nodes of a trained ring influence each other.

    Only one node is moved at a time, before every half step and every layer, at test points. See
    `measure_influence`.

    Metrics:
        half_hops, layer_hops: The largest distance, in edges, at which a node influences another
            one in one half step or one layer.
        backward_hops: The largest distance at which the derivative of a half step is not 0.
        half_reads, layer_reads: How many nodes influence a node in at least one half step or layer,
            the minimum over nodes. In a single one tanh can be saturated, so that nothing changes.
        outside: Sum of |Kp| and |Kq| over entries where the graph has no edge.
        outside_gradients: The same sum of the gradients of the loss by Kp and Kq.
        entries: Free entries of Kp and Kq in one layer.
        nodes: Nodes of the graph.

    Arrays:
        half: (nodes, nodes), the influence on node i of node j in the half steps of the first
            layer, the larger of the two.
        layer: (nodes, nodes), the same in the first layer.
    """

    key = "galimberti2023/node_reach"

    version = 2  # version 1 used the Jacobians of the first layer only

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        (flow,) = net.units
        nodes = flow.dynamics.nodes
        points, labels = (values[::SHOWN] for values in test_points(self.training))
        x = net.opening(points.double())
        half, layer = measure_influences(flow, x)
        # (2 L, n, n), then the largest entry for each pair of nodes, (2 L, nodes, nodes)
        jacobians = torch.stack(layer_jacobians(*half_step_maps(flow, x))).abs().amax(1)
        by_halves = jacobians.unflatten(1, (2, nodes, -1)).unflatten(4, (2, nodes, -1))
        derivatives = by_halves.amax((1, 3, 4, 6))
        no_edge = flow.R[0] == 0
        hops = ring_hops(nodes)
        weights = [getattr(flow, name).requires_grad_() for name in flow.dynamics.operators]
        gradients = torch.autograd.grad(F.cross_entropy(net(points.double()), labels), weights)
        outside, outside_gradients = (
            sum(K.detach()[:, no_edge].abs().sum() for K in tensors)
            for tensors in (weights, gradients)
        )
        metrics = {
            "half_hops": largest_hops(half, hops),
            "layer_hops": largest_hops(layer, hops),
            "backward_hops": largest_hops(derivatives, hops),
            "half_reads": fewest_influences(half),
            "layer_reads": fewest_influences(layer),
            "outside": float(outside),
            "outside_gradients": float(outside_gradients),
            "entries": float(2 * (~no_edge).sum()),
            "nodes": float(nodes),
        }
        return metrics, {"half": half[:2].amax(0).numpy(), "layer": layer[0].numpy()}


def fewest_influences(influences: Tensor) -> float:
    """Return how many nodes influence a node, the minimum over nodes.

    Args:
        influences: (steps, nodes, nodes); an influence in one of the steps is enough.
    """
    return float((influences.amax(0) > 0).sum(1).min())


def largest_hops(influences: Tensor, hops: Tensor) -> float:
    """Return the largest distance of two nodes whose influence (..., nodes, nodes) is not 0."""
    return float(hops.expand_as(influences)[influences > 0].max())


@dataclass(frozen=True)
class BackwardMemory(Study):
    """Memory that a forward pass of H2 keeps for the backward pass.

    Metrics:
        bytes: Without the weights and the data.
    """

    key = "galimberti2023/backward_memory"

    version = 2  # version 1 counted the data too
    backward: str = option("reverse", choices=("store", "checkpoint", "reverse"))
    layers: int = option(64, low=1)

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(0)
        flow = Flow(
            NETWORKS["H2"].dynamics, 4, self.layers, h=1 / self.layers, backward=self.backward
        )
        x = torch.randn(125, 4, requires_grad=True)
        return {"bytes": float(kept_bytes(flow, x))}, {}
