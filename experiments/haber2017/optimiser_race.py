"""Claim 7: the paper's optimiser beside Adam, from the same weights, on the same objective, at
equal time.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets import statistics
from stablenets.claims.claim import NOT_REPRODUCED, REPRODUCED, UNDECIDED, Finding
from stablenets.claims.results import Results
from stablenets.claims.work import Measured, RunContext, Study
from stablenets.config import resolve
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.schema import flatten_keys, option

from .look import DATA_NAMES, FAMILY_STYLES
from .optimisers.block_descent import BlockDescent
from .optimisers.race import race
from .settings import planar

SHARES = np.linspace(0, 1, 201)


@dataclass(frozen=True)
class Race(Study):
    """Block coordinate descent against Adam on a planar problem.

    Adam has the time that block descent took, and its cycle ends with it. Metrics: that time, and
    of both the test error of the iterate with the lowest validation error (the paper's output rule)
    and the objective at the end. Arrays: seconds, objective and test error.
    """

    key = "haber2017/optimiser_race"

    dataset: str = option("swiss_roll")
    family: str = option("resnet")
    layers: int = option(16, low=1)
    iterations: int = option(40, "of block descent", low=1)
    smoothness: float = option(1e-4, low=0.0)
    seed: int = option(0, low=0)

    @property
    def descent(self) -> BlockDescent:
        """Iterations on all training examples of the swiss roll, on a part of the others'."""
        return BlockDescent(iterations=self.iterations, batch=512, sample=512)

    @property
    def options(self) -> dict[str, Any]:
        return super().options | flatten_keys({"descent": dataclasses.asdict(self.descent)})

    @classmethod
    def further_defaults(cls) -> dict[str, Any]:
        return flatten_keys({"descent": dataclasses.asdict(BlockDescent())})

    @property
    def cost(self) -> float:
        return self.layers * self.iterations

    def measure(self, place: RunContext) -> Measured:
        values = planar(
            self.dataset, self.family, self.layers, self.seed, 1, self.smoothness
        ).values  # the time is Adam's limit, no epochs
        traces = race(resolve(values), self.descent)
        names = {"block descent": "descent", "adam": "adam"}
        metrics, arrays = {"seconds": traces["block descent"].seconds[-1]}, {}
        for name, short in names.items():
            trace = traces[name]
            metrics |= {
                f"{short}_test_error": trace.test_error[trace.best],
                f"{short}_objective": trace.objective[-1],
            }
            arrays |= {
                f"{short}_seconds": np.array(trace.seconds),
                f"{short}_objective": np.array(trace.objective),
                f"{short}_test_error": np.array(trace.test_error),
            }
        return metrics, arrays


def compared(results: Results) -> Finding:
    """Test error of block descent less that of Adam at equal time: the mean over data sets and
    families, paired over seeds.
    """
    rows = results["race"]
    estimate = statistics.mean(
        (100 * (rows["descent_test_error"] - rows["adam_test_error"])).groupby(rows["seed"]).mean()
    )
    lower = float((rows["descent_objective"] < rows["adam_objective"]).mean())
    verdict = (
        REPRODUCED if estimate.high <= 0 else NOT_REPRODUCED if estimate.low > 0 else UNDECIDED
    )
    return Finding(
        verdict,
        f"test error, block descent - Adam: {estimate.value:+.1f} points; a lower objective in"
        f" {lower:.0%} of {len(rows)} pairs",
        estimate.low,
        estimate.high,
        "The paper states no comparison: we hold its optimiser to Adam's result at equal processor"
        " time, at whose end Adam's cycle ends, each with the paper's output rule. Reproduced if"
        " the whole interval is at or below 0, undecided if it holds 0; a seed's difference is the"
        " mean over data sets and families.",
    )


def race_table(results: Results) -> pd.DataFrame:
    rows = []
    for (dataset, family), own in results["race"].groupby(["dataset", "family"], sort=False):
        rows.append(
            {
                "data": DATA_NAMES[dataset],
                "net": FAMILY_STYLES[family][0],
                "seconds": own["seconds"].mean(),
            }
            | {
                f"{kind}, {name}": str(estimate(own[f"{short}_{column}"]))
                for kind, column, estimate in (
                    ("test error in %", "test_error", statistics.percent),
                    ("objective", "objective", statistics.mean),
                )
                for name, short in (("block descent", "descent"), ("Adam", "adam"))
            }
        )
    return pd.DataFrame(rows)


def race_curves(results: Results) -> Figure:
    """The objective over the share of the time that is gone, a row a data set, a column a family:
    medians over seeds and their range.
    """
    rows = results["race"]
    names = list(dict.fromkeys(rows["dataset"]))
    figure, _ = new_figure(1, width=6.8, height=0.6 + 1.6 * len(names))
    figure.clear()
    panels = figure.subplots(
        len(names), len(FAMILY_STYLES), squeeze=False, sharex=True, sharey="row"
    )
    for line, dataset in zip(panels, names, strict=True):
        for axes, (family, (title, *_)) in zip(line, FAMILY_STYLES.items(), strict=True):
            own = rows[(rows["dataset"] == dataset) & (rows["family"] == family)]
            for short, name, colour in (
                ("descent", "block descent", COLOURS[0]),
                ("adam", "Adam", COLOURS[1]),
            ):
                curves = np.array(
                    [
                        np.interp(SHARES, seconds / seconds[-1], objective)
                        for seconds, objective in (
                            (
                                results.arrays(run)[f"{short}_seconds"],
                                results.arrays(run)[f"{short}_objective"],
                            )
                            for run in own["run"]
                        )
                    ]
                )
                axes.plot(SHARES, np.median(curves, 0), color=colour, linewidth=1, label=name)
                axes.fill_between(
                    SHARES, curves.min(0), curves.max(0), color=colour, alpha=0.15, linewidth=0
                )
            axes.set(yscale="log", title=title if dataset == names[0] else "")
            if dataset == names[-1]:
                axes.set_xlabel("share of the time")
        line[0].set_ylabel(f"objective,\n{DATA_NAMES[dataset]}")
    figure.legend(
        *panels[0][0].get_legend_handles_labels(),
        loc="outside lower center",
        ncols=2,
        frameon=False,
    )
    return figure
