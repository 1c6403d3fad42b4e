"""Studies of trained networks: spectra and gradients before and after training, and filters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stablenets.claims.work import Measured, RunContext, TrainedNetStudy
from stablenets.data import load
from stablenets.nets import Network, SequenceNetwork
from stablenets.probes import StateGradients, log_spaced_depths
from stablenets.schema import option
from stablenets.training.environment import data_root
from stablenets.training.losses import LOSSES
from stablenets.training.network import build_network

from .spectra import Steps, layer_steps, measure_spectrum, time_steps

DEPTHS = 64  # number of depths whose gradient norms are kept
# How the metrics of several examples become one; for metrics that are not listed, the median.
WORST = {
    "smallest": np.min,
    "low": np.min,
    "limit_low": np.min,
    "inside": np.min,
    "largest": np.max,
    "high": np.max,
    "limit_high": np.max,
}


@dataclass(frozen=True)
class TrainedSpectrum(TrainedNetStudy):
    """Singular values and gradients of a roaMLP or roaRNN, before and after training.

    Names of metrics and arrays that end in `_before` belong to the network before training.

    Metrics:
        Those of `measure_spectrum`, at the first test examples: the worst one as in WORST, or the
            median.
        beta_W: β times the mean ‖W_l‖.
        first, least, most: ‖∂Loss/∂x_l‖ / ‖∂Loss/∂x_L‖ at the first depth that is kept, and its
            minimum and maximum over these depths.
        moved_NAME: ‖θ - θ_before‖ / ‖θ_before‖ of each tensor that does not start at 0.

    Arrays:
        depths: The depths whose gradients are kept.
        spectrum: (n,), log10 of the singular values at the first example.
        gradients: ‖∂Loss/∂x_l‖ at each of `depths`.
    """

    key = "ceni2025/trained_spectrum"

    examples: int = option(3, low=1)

    # Version 1 measured only deep networks, and neither gradients nor weights. Version 2 took the
    # median over examples for all metrics.
    version = 3

    def measure(self, context: RunContext) -> Measured:
        run = self.training.resolved
        data = load(
            run.dataset,
            run.common,
            root=data_root(context.data_root or run.config.data_root),
            split_seed=run.config.seeds.split,
            permutation_seed=run.config.seeds.permutation,
            device="cpu",
            download=False,
        )
        torch.manual_seed(run.config.seeds.init)
        nets = {
            "_before": build_network(run, run.dataset.facts).double(),
            "": self.training.trained(context).requires_grad_(True),
        }
        x, y = next(iter(data.test.sweep(self.examples)))
        loss = LOSSES[run.dataset.facts.task]
        metrics: dict[str, float] = {}
        depths = log_spaced_depths(run.config.depth, DEPTHS)
        arrays: dict[str, np.ndarray] = {"depths": np.array(depths)}
        for suffix, net in nets.items():
            results = [
                measure_spectrum(net.units[0], steps) for steps in example_steps(net, x.double())
            ]
            per_example = [example_metrics for example_metrics, _ in results]
            combined = {
                name: float(WORST.get(name, np.median)([example[name] for example in per_example]))
                for name in per_example[0]
                if all(name in example for example in per_example)
            }
            gradients = StateGradients(depths)
            loss(net(x.double(), gradients), y).backward()
            norms = gradients.norms()
            relative = norms / norms[-1]
            combined |= {
                "beta_W": net.units[0].dynamics.beta * combined["norm_W"],
                "first": float(relative[0]),
                "least": float(relative.min()),
                "most": float(relative.max()),
            }
            metrics |= {f"{name}{suffix}": value for name, value in combined.items()}
            _, spectrum = results[0]
            arrays |= {f"spectrum{suffix}": spectrum.numpy(), f"gradients{suffix}": norms.numpy()}
        with torch.no_grad():
            before, after = (dict(net.units[0].named_parameters()) for net in nets.values())
            metrics |= {
                f"moved_{name}": float((after[name] - start).norm() / start.norm())
                for name, start in before.items()
                if start.any()
            }
        return metrics, arrays


def example_steps(net: Network | SequenceNetwork, x: Tensor) -> list[Steps]:
    """Return, for each example of a batch, its steps through the layers or through time."""
    (unit,) = net.units
    if isinstance(net, SequenceNetwork):
        return [time_steps(unit, u) for u in x]
    return [layer_steps(unit, start) for start in net.opening(x).split(1)]


@dataclass(frozen=True)
class FilterAngle(TrainedNetStudy):
    """The eigenvalue of the filter of a roaRNN that is nearest to 1.

    Metrics:
        angle: The smallest angle of an eigenvalue in radians; 0 if the filter has an eigenvalue 1,
            so that it does not move some direction.
    """

    key = "ceni2025/filter_angle"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        angles = torch.linalg.eigvals(net.units[0].O).angle().abs()
        return {"angle": float(angles.min())}, {}
