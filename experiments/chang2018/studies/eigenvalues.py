"""Studies of the eigenvalues of the Jacobians of single blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, Study, TrainedNetStudy
from stablenets.engine.flow import Flow
from stablenets.probes import layer_jacobians
from stablenets.probes.maps import flow_maps
from stablenets.schema import option

from .building import REVERSIBLE, first_test_images, random_unit


def eigenvalue_metrics(flow: Flow, x: Tensor) -> dict[str, float]:
    """Return the largest and the smallest |λ| of the Jacobians of single blocks.

    The extremes are over eigenvalues, blocks and the examples of x. If all eigenvalues lie on the
    unit circle, a block that is applied many times neither damps nor amplifies signals.
    """
    moduli = torch.linalg.eigvals(torch.stack(layer_jacobians(*flow_maps(flow, x)))).abs()
    return {"largest": float(moduli.max()), "smallest": float(moduli.min())}


@dataclass(frozen=True)
class BlockEigenvalues(Study):
    """Eigenvalues of the Jacobians of blocks with random weights, at images of 4x4 pixels.

    A block has one bias and no batch norms. Metrics as in `eigenvalue_metrics`.
    """

    key = "chang2018/block_eigenvalues"

    net: str = option("hamiltonian", choices=REVERSIBLE)
    blocks: int = option(6, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    def measure(self, context: RunContext) -> Measured:
        flow = random_unit(self.net, 8, self.blocks, self.h, "float64", self.seed)
        return eigenvalue_metrics(flow, torch.randn(2, 8, 4, 4, dtype=torch.float64)), {}


@dataclass(frozen=True)
class TrainedBlockEigenvalues(TrainedNetStudy):
    """Eigenvalues of the Jacobians of the blocks in the last unit of a trained network.

    They are taken at two test images. Metrics as in `eigenvalue_metrics`.
    """

    key = "chang2018/trained_block_eigenvalues"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        y = net.opening(first_test_images(self.training.resolved, context, 2).double())
        for flow, boundary in zip(net.units, net.boundaries, strict=False):
            y = boundary(flow(y))
        return eigenvalue_metrics(net.units[-1], y), {}
