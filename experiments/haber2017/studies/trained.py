"""Studies of trained networks: decision regions, weights over depth, perturbed inputs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import torch

from stablenets.claims.work import Measured, RunContext, TrainedNetStudy
from stablenets.data import load
from stablenets.training.environment import data_root

# Half the width and half the height of a map of decision regions.
EXTENTS = {"ellipses": (2.2, 1.0), "swiss_roll": (1.4, 1.4), "peaks": (3.0, 3.0)}
PIXELS = 120  # of a map of decision regions, in each direction


@dataclass(frozen=True)
class DecisionRegions(TrainedNetStudy):
    """Decision regions of a trained network.

    Arrays:
        classes: (PIXELS, PIXELS) uint8, the predicted class on a grid, the bottom row first.
    """

    key = "haber2017/decision_regions"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        right, top = EXTENTS[self.dataset]
        x, y = torch.meshgrid(
            torch.linspace(-right, right, PIXELS), torch.linspace(-top, top, PIXELS), indexing="xy"
        )
        grid = torch.stack((x, y), -1).flatten(0, 1).double()
        classes = net(grid).argmax(1).view(PIXELS, PIXELS)
        return {}, {"classes": classes.numpy().astype(np.uint8)}


@dataclass(frozen=True)
class WeightsOverDepth(TrainedNetStudy):
    """How the weights of a trained network change from layer to layer.

    Metrics:
        variation: 1/(2h) Σ ‖θ_{j+1} - θ_j‖².
        roughness: Σ ‖K_{j+1} - K_j‖² / Σ ‖K_j‖². It is about 2 for independent random weights. For
            samples of a smooth function of time it falls as 1 / depth².

    Arrays:
        K: (layers, n²).
    """

    key = "haber2017/weights_over_depth"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        (flow,) = net.units
        K = flow.K.flatten(1)
        roughness = K.diff(dim=0).square().sum() / K.square().sum()
        metrics = {"variation": float(net.variation()), "roughness": float(roughness)}
        return metrics, {"K": K.numpy()}


@dataclass(frozen=True)
class PerturbedOutputs(TrainedNetStudy):
    """How much the class scores of a trained network change with a small change of its input.

    The gain at a point is the largest singular value of the Jacobian of the whole network there:
    the largest ‖N(x + δ) - N(x)‖ / ‖δ‖ for small δ. It is measured at 100 test points.

    Metrics:
        gain_median, gain_largest: Median and maximum of the gain over points.
        relative_gain: The median, divided by the mean distance of the scores from their mean.
    """

    key = "haber2017/perturbed_outputs"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        run = self.training.resolved
        config = dataclasses.replace(run.config, data_root=context.data_root)
        points = load(
            run.dataset,
            run.common,
            root=data_root(config.data_root),
            split_seed=run.config.seeds.split,
            permutation_seed=run.config.seeds.permutation,
            device="cpu",
            download=False,
        ).test
        x = next(iter(points.sweep(100)))[0].double()
        jacobians = torch.func.vmap(torch.func.jacrev(lambda point: net(point[None])[0]))(x)
        gains = torch.linalg.matrix_norm(jacobians, 2)
        scores = net(x)
        spread = (scores - scores.mean(0)).norm(dim=1).mean()
        return {
            "gain_median": float(gains.median()),
            "gain_largest": float(gains.max()),
            "relative_gain": float(gains.median() / spread),
        }, {}
