"""Networks before and after training: singular values, bounds, gradients, weights, filters."""

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

DEPTHS = 64  # at which gradients are kept
# What is taken over examples; of other metrics the median.
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
    """A trained roaMLP or roaRNN and, with `_before`, the network before training.

    Metrics: those of `measure_spectrum`, over the first test examples as in WORST; `beta_W`, β
    times the mean ‖W‖; the `first`, the `least` and the `most` of ‖∂Loss/∂x_l‖ over all l, divided
    by that of the last state; `moved_NAME`, how far a tensor has moved relative to its first norm,
    if that is not 0. Arrays: log10 of the singular values at the first example, and the norms of
    the gradients by depth.
    """

    key = "ceni2025/trained_spectrum"

    examples: int = option(3, low=1)

    # 1 measured deep nets alone, and neither gradients nor weights; 2 had medians over examples
    version = 3

    def measure(self, place: RunContext) -> Measured:
        run = self.training.resolved
        data = load(
            run.dataset,
            run.common,
            root=data_root(place.data_root or run.config.data_root),
            split_seed=run.config.seeds.split,
            permutation_seed=run.config.seeds.permutation,
            device="cpu",
            download=False,
        )
        torch.manual_seed(run.config.seeds.init)
        nets = {
            "_before": build_network(run, run.dataset.facts).double(),
            "": self.training.trained(place).requires_grad_(True),
        }
        x, y = next(iter(data.test.sweep(self.examples)))
        loss = LOSSES[run.dataset.facts.task]
        metrics: dict[str, float] = {}
        depths = log_spaced_depths(run.config.depth, DEPTHS)
        arrays: dict[str, np.ndarray] = {"depths": np.array(depths)}
        for when, net in nets.items():
            spectra = [measure_spectrum(net.units[0], steps) for steps in paths(net, x.double())]
            found = {
                name: float(WORST.get(name, np.median)([each[name] for each, _ in spectra]))
                for name in spectra[0][0]
                if all(name in each for each, _ in spectra)
            }
            gradients = StateGradients(depths)
            loss(net(x.double(), gradients), y).backward()
            norms = gradients.norms()
            over = norms / norms[-1]
            found |= {
                "beta_W": net.units[0].dynamics.beta * found["norm_W"],
                "first": float(over[0]),
                "least": float(over.min()),
                "most": float(over.max()),
            }
            metrics |= {f"{name}{when}": value for name, value in found.items()}
            arrays |= {f"spectrum{when}": spectra[0][1].numpy(), f"gradients{when}": norms.numpy()}
        with torch.no_grad():
            first, last = (dict(net.units[0].named_parameters()) for net in nets.values())
            metrics |= {
                f"moved_{name}": float((last[name] - start).norm() / start.norm())
                for name, start in first.items()
                if start.any()
            }
        return metrics, arrays


def paths(net: Network | SequenceNetwork, x: Tensor) -> list[Steps]:
    """The steps through the layers, or through time, from each example."""
    (unit,) = net.units
    if isinstance(net, SequenceNetwork):
        return [time_steps(unit, u) for u in x]
    return [layer_steps(unit, start) for start in net.opening(x).split(1)]


@dataclass(frozen=True)
class FilterAngle(TrainedNetStudy):
    """The smallest angle of an eigenvalue of the filter of a roaRNN, in radians.

    It is 0 if the filter leaves a direction where it is.
    """

    key = "ceni2025/filter_angle"

    def measure(self, place: RunContext) -> Measured:
        angles = torch.linalg.eigvals(self.training.trained(place).units[0].O).angle().abs()
        return {"angle": float(angles.min())}, {}
