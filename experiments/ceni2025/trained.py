"""Nets before and after training: singular values of the Jacobian of the last state by the first,
bounds, gradients, weights.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure
from torch import Tensor

from stablenets.claims.results import Results
from stablenets.claims.work import Measured, RunContext, TrainedNetStudy
from stablenets.data import load
from stablenets.nets import Network, SequenceNetwork
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.probes import StateGradients, log_spaced_depths
from stablenets.schema import option
from stablenets.training.environment import data_root
from stablenets.training.losses import LOSSES
from stablenets.training.network import build_network

from .nets import DATA_NAMES, DEEP, RECURRENT
from .spectra import layers, spectrum, time_steps

WHEN = {"_before": "before", "": "after"}
DEPTHS = 64  # at which gradients are kept
WORST = {
    "smallest": np.min,
    "low": np.min,
    "limit_low": np.min,
    "inside": np.min,
    "largest": np.max,
    "high": np.max,
    "limit_high": np.max,
}  # over examples; of the rest the median


@dataclass(frozen=True)
class Trained(TrainedNetStudy):
    """A trained roaMLP or roaRNN and, with `_before`, what it was drawn as.

    Metrics: those of `spectrum`, the farthest of the first test examples or their median, as WORST
    says; `beta_W`, β times the mean ‖W‖; of ‖∂Loss/∂x_l‖ over that of the last state the `first`,
    the `least` and the `most` over all l; `moved_...`, how far a tensor is from where it began,
    over its norm there, where that is not 0. Arrays: log10 of the singular values at the first
    example, and the norms of the gradients by depth.
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
            root=data_root(run.config) if place.data_root is None else place.data_root,
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
        arrays: dict[str, np.ndarray] = {
            "depths": np.array(log_spaced_depths(run.config.depth, DEPTHS))
        }
        for when, net in nets.items():
            spectra = [spectrum(net.units[0], steps) for steps in walks(net, x.double())]
            found = {
                name: float(WORST.get(name, np.median)([each[name] for each, _ in spectra]))
                for name in spectra[0][0]
                if all(name in each for each, _ in spectra)
            }
            gradients = StateGradients(arrays["depths"].tolist())
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


def walks(net: Network | SequenceNetwork, x: Tensor) -> list:
    """The steps through the layers, or through time, from each example."""
    (unit,) = net.units
    if isinstance(net, SequenceNetwork):
        return [time_steps(unit, u) for u in x]
    return [layers(unit, start) for start in net.opening(x).split(1)]


GROUPS = ("trained", "trained_in_time")


def label(study: Trained) -> str:
    run = study.training.resolved
    name = (DEEP | RECURRENT)[run.net.family][0] + (", hidden layer" if run.net.head_hidden else "")
    return (
        f"{name}, {DATA_NAMES[run.dataset_name]}, {run.config.depth:,}"
        f" {'steps' if run.net.family == 'roarnn' else 'layers'}"
    )


def shown(exponent: float | None) -> str:
    """A number from its log10; nothing where it is not known."""
    if exponent is None or np.isnan(exponent):
        return ""
    if np.isneginf(exponent):
        return "0"
    return f"{10**exponent:.3g}" if abs(exponent) < 5 else f"1e{exponent:.1f}"


COLUMNS = {
    "smallest": "smallest",
    "median": "median",
    "largest": "largest",
    "bound, low": "low",
    "bound, high": "high",
}
FACTORS = {
    "β‖W‖": "beta_W",
    "first / last gradient": "first",
    "least / last": "least",
    "largest / last": "most",
}


def trained_table(results: Results) -> pd.DataFrame:
    rows = {
        name: row
        for group in GROUPS
        for row in results[group].to_dict("records")
        for name in [row["run"]]
    }
    table = []
    for study in results.works(GROUPS):
        row, unit = (
            rows[study.name],
            study.training.resolved.dynamics.at_depth(study.training.resolved.config.depth),
        )
        for ending, when in WHEN.items():
            moved = {
                f"{name} moved by": row.get(f"moved_{name}") if when == "after" else None
                for name in ("W", "U")
            }
            table.append(
                {
                    "net": label(study),
                    "seed": study.seed,
                    "training": when,
                    "1 - α": 1 - unit.alpha,
                    **{column: row.get(f"{key}{ending}") for column, key in FACTORS.items()},
                    **{column: shown(row.get(f"{key}{ending}")) for column, key in COLUMNS.items()},
                    **moved,
                }
            )
    return pd.DataFrame(table)


def trained_figure(results: Results) -> Figure:
    """Of the first seed of each net: singular values by rank, and gradients by depth, before
    training and after.
    """
    studies = {label(study): study for study in reversed(results.works(GROUPS))}
    figure, (values, gradients) = new_figure(2, width=4.0, height=3.6)
    for colour, (name, study) in zip(COLOURS, reversed(studies.items()), strict=False):
        arrays = results.arrays(study.name)
        for ending, style in (("_before", "--"), ("", "-")):
            σ, norms = arrays[f"spectrum{ending}"], arrays[f"gradients{ending}"]
            values.plot(
                np.linspace(0, 1, len(σ)),
                10**σ,
                style,
                color=colour,
                linewidth=1.2,
                label=name if not ending else None,
            )
            with np.errstate(divide="ignore", invalid="ignore"):
                gradients.plot(
                    arrays["depths"] / arrays["depths"][-1],
                    norms / norms[-1],
                    style,
                    color=colour,
                    linewidth=1.2,
                )
    values.set(
        xlabel="rank, from the largest to the smallest",
        ylabel=r"singular values of $\partial x_L/\partial x_0$",
        yscale="log",
        xticks=[],
    )
    gradients.set(
        xlabel="layer or time step, over their number",
        yscale="log",
        ylabel=r"$\|\partial$Loss$/\partial x_l\|$ over the last",
    )
    gradients.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    figure.legend(
        *values.get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False
    )
    figure.suptitle("dashed: before training, solid: after", fontsize="medium")
    return figure
