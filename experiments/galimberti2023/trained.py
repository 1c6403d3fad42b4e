"""Measured on trained nets: the regions that they decide and the way of the points through the layers, the reach of a node, memory."""
from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from experiments.galimberti2023.networks import NETWORKS
from experiments.galimberti2023.studies import jacobians, test_points
from stablenets.claims.work import Measured, OfTraining, Place, Study
from stablenets.flow import Flow
from stablenets.probes import kept_bytes
from stablenets.schema import option

EXTENTS = {"swiss_roll": (-1.4, 1.4, -1.4, 1.4), "double_moons": (-1.5, 4.5, -1.1, 1.6), "double_circles": (-4.6, 4.6, -4.6, 4.6)}
PIXELS, STAGES, SHOWN = 120, 5, 20  # of a map; states that are kept; every so many test points


@dataclass(frozen=True)
class Way(OfTraining):
    """Arrays: classes (PIXELS, PIXELS) uint8 that a trained net gives to a grid, rows from below; states (STAGES, points, 2), where test
    points are between the layers, by their two largest directions at the end, which are the same for all stages; layers (STAGES,)."""

    @torch.no_grad()
    def measure(self, place: Place) -> Measured:
        net = self.of.trained(place)
        left, right, low, high = EXTENTS[self.dataset]
        x, y = torch.meshgrid(torch.linspace(left, right, PIXELS), torch.linspace(low, high, PIXELS), indexing="xy")
        classes = net(torch.stack((x, y), -1).flatten(0, 1).double()).argmax(1).view(PIXELS, PIXELS)
        states: list[Tensor] = []
        net(test_points(self.of)[0][::SHOWN].double(), lambda _, state: states.append(torch.cat(state, 1)))
        kept = np.linspace(0, len(states) - 1, STAGES).round().astype(int)
        centre = states[-1].mean(0)
        directions = torch.linalg.svd(states[-1] - centre, full_matrices=False).Vh[:2]
        return {}, {"classes": classes.numpy().astype(np.uint8), "layers": kept,
                    "states": torch.stack([(states[layer] - centre) @ directions.T for layer in kept]).numpy().astype(np.float32)}


@dataclass(frozen=True)
class Reach(OfTraining):
    """How far a node of a trained ring reaches: the Jacobian of its first layer, node by node.

    Metrics: hops that a half step and a layer reach, the share of the entries of the Jacobian that are not 0, the largest kernel entry
    where the graph has no edge. Arrays: half and layer (nodes, nodes), the size of what node j does to node i.
    """

    def measure(self, place: Place) -> Measured:
        net = self.of.trained(place)
        (flow,) = net.units
        M = jacobians(flow, net.opening(test_points(self.of)[0][:SHOWN].double()))[0].abs().amax(0)
        nodes = flow.dynamics.nodes
        M = M.unflatten(0, (2, nodes, -1)).unflatten(3, (2, nodes, -1)).amax((2, 5))  # (half, node, half, node)
        half, layer = torch.maximum(M[0, :, 1], M[1, :, 0]), M.amax((0, 2))
        apart = (torch.arange(nodes)[:, None] - torch.arange(nodes)).abs()
        hops = torch.minimum(apart, nodes - apart)
        off = flow.R[0] == 0
        outside = max(float(getattr(flow, name)[:, off].abs().sum()) for name in flow.dynamics.operators)
        return ({"half_hops": float(hops[half > 0].max()), "layer_hops": float(hops[layer > 0].max()), "outside": outside,
                 "nonzero": float((M > 0).double().mean()), "entries": float(2 * (~off).sum())},
                {"half": half.numpy(), "layer": layer.numpy()})


@dataclass(frozen=True)
class Memory(Study):
    """What a forward of H2 keeps for the backward beside the weights and the data, in bytes."""

    version = 2  # 1 counted the data
    flow: str = option("reverse", choices=("store", "checkpoint", "reverse"))
    layers: int = option(64, low=1)

    @property
    def size(self) -> float:
        return self.layers

    def measure(self, place: Place) -> Measured:
        torch.manual_seed(0)
        flow = Flow(NETWORKS["H2"].dynamics, 4, self.layers, h=1 / self.layers, mode=self.flow)
        return {"bytes": float(kept_bytes(flow, torch.randn(125, 4, requires_grad=True)))}, {}
