"""Claim 9: which filter can add."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from matplotlib.figure import Figure

from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.claims.work import Measured, RunContext, TrainedNetStudy
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .recall import SUM, outcomes


@dataclass(frozen=True)
class Steady(TrainedNetStudy):
    """How far the filter of a roaRNN is from leaving a direction where it is: the smallest angle of
    its eigenvalues, in radians.
    """

    key = "ceni2025/filter_angle"

    def measure(self, place: RunContext) -> Measured:
        angles = torch.linalg.eigvals(self.training.trained(place).units[0].O).angle().abs()
        return {"angle": float(angles.min())}, {}


def filters(results: Results) -> pd.DataFrame:
    """Runs of the adding problem by filter, with the smallest angle of each filter."""
    angle = results["angles"].set_index("training")["angle"]
    return outcomes(results, "filters").assign(angle=lambda rows: rows["run"].map(angle))


STILL = 1e-5  # radians; weights are float32


def which_filter(results: Results) -> Finding:
    """Each filter counts once: a run has one, and no other run has the same."""
    rows = filters(results)
    rows = rows.assign(still=rows["angle"] < STILL, solved=np.isfinite(rows["solved_at"]))
    random = rows[rows["filter"].isin(["haar", "haar_fixed_axis"])]
    turning = random[~random["still"]]
    turns = ", ".join(f"{row.angle * row.length:.1f} {row.end:.2g}" for row in turning.itertuples())
    counted = ", ".join(
        f"{name} {own['solved'].sum()} of {len(own)}"
        for name, own in rows.groupby("filter", sort=False)
    )
    return Finding(
        verdict(
            bool(rows[rows["still"]]["solved"].all()), not rows[~rows["still"]]["solved"].any()
        ),
        f"solved, of {len(rows)} filters: {counted}; of random filters with the eigenvalue 1"
        f" {random[random['still']]['solved'].sum()} of {random['still'].sum()}, without it"
        f" {turning['solved'].sum()} of {len(turning)}",
        note=(
            f"Adding over {rows['length'].max()} steps, {rows['steps'].max():.0f} training steps,"
            " one run a filter. A sum over time can be read from a direction that the filter"
            " leaves where it is. A random orthogonal matrix of even size has such a direction"
            " where its determinant is -1, which is every second draw; `steady` draws these alone."
            " Without one the slowest rotation may do while it turns little over the sequence; by"
            f" that turn, in radians, the error at the end: {turns or 'no such draw'}. The other"
            " settings were found with `haar_fixed_axis`, at no rate of their own for the others."
            " Our own finding, not in the paper's abstract."
        ),
    )


def filter_figure(results: Results) -> Figure:
    rows = filters(results)
    figure, (axes,) = new_figure(1, width=4.2, height=2.9)
    for index, (name, own) in enumerate(rows.groupby("filter", sort=False)):
        axes.plot(
            own["angle"].where(own["angle"] >= STILL, 0.0),
            own["end"],
            "osDv"[index],
            color=COLOURS[index],
            markersize=5,
            label=name,
        )
    axes.axhline(SUM, color="0.3", linewidth=0.8, linestyle="--")
    axes.axhline(1 / 6, color="0.6", linewidth=0.8, linestyle=":")
    axes.set(
        yscale="log",
        xlabel="smallest angle of an eigenvalue of O, radians",
        ylabel="mean squared error, test",
        title=f"adding, {rows['length'].max()} steps",
    )
    axes.legend(frameon=False)
    return figure


def filter_table(results: Results) -> pd.DataFrame:
    rows = filters(results)
    return pd.DataFrame(
        [
            {
                "filter": row["filter"],
                "seed": row["seed"],
                "smallest angle": row["angle"],
                "solved at step": "" if math.isinf(row["solved_at"]) else int(row["solved_at"]),
                "error at the end, test": row["end"],
            }
            for row in rows.to_dict("records")
        ]
    )
