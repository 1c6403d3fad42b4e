"""Measured on trained nets of the plane: the regions that they decide, and how their weights move
over depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from stablenets.claims.work import Measured, RunContext, TrainedNetStudy

EXTENTS = {
    "ellipses": (2.2, 1.0),
    "swiss_roll": (1.4, 1.4),
    "peaks": (3.0, 3.0),
}  # half width and half height
PIXELS = 120


@dataclass(frozen=True)
class Regions(TrainedNetStudy):
    """The class that a trained net gives to each point of a grid. Array: classes (PIXELS, PIXELS)
    uint8, rows from below.
    """

    key = "haber2017/decision_regions"

    def measure(self, place: RunContext) -> Measured:
        wide, high = EXTENTS[self.dataset]
        x, y = torch.meshgrid(
            torch.linspace(-wide, wide, PIXELS), torch.linspace(-high, high, PIXELS), indexing="xy"
        )
        outputs = self.training.trained(place)(torch.stack((x, y), -1).flatten(0, 1).double())
        return {}, {"classes": outputs.argmax(1).view(PIXELS, PIXELS).numpy().astype(np.uint8)}


@dataclass(frozen=True)
class OverTime(TrainedNetStudy):
    """How the learned weights of a trained net move from layer to layer.

    Metrics: variation, 1/(2h) Σ ‖θ_{j+1} - θ_j‖², and roughness, Σ ‖K_{j+1} - K_j‖² / Σ ‖K_j‖²,
    which is 2 for weights that are drawn independently and falls as 1 / depth² for samples of a
    smooth function. Array: K (layers, n²).
    """

    key = "haber2017/weights_over_depth"

    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        (unit,) = net.units
        K = unit.K.flatten(1)
        roughness = K.diff(dim=0).square().sum() / K.square().sum()
        return {"variation": float(net.variation()), "roughness": float(roughness)}, {
            "K": K.numpy()
        }
