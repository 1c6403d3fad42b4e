"""Claim 7: the paper's optimiser beside Adam, from the same weights, on the same objective, at equal time."""
from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from experiments.haber2017.look import DATA_NAMES, FAMILY_STYLES
from experiments.haber2017.settings import planar
from stablenets.claims import statistics
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED, Finding
from stablenets.claims.results import Results
from stablenets.claims.work import Measured, Place, Study
from stablenets.config import resolve
from stablenets.runs.pictures import new_figure
from stablenets.schema import option
from stablenets.training.block_descent import BlockDescent
from stablenets.training.race import race

CLOCK = "processor"  # what the wall clock would show on a machine that does nothing else


@dataclass(frozen=True)
class Race(Study):
    """Block coordinate descent against Adam on a planar problem.

    Adam has the time that block descent took, and its cycle ends with it. Metrics: that time, and of both the test error of the iterate
    with the lowest validation error (the paper's output rule) and the objective at the end. Arrays: seconds, objective and test error.
    """

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
    def identity(self) -> dict[str, Any]:
        return super().identity | {"descent": dataclasses.asdict(self.descent)}

    @property
    def size(self) -> float:
        return self.layers * self.iterations

    def measure(self, place: Place) -> Measured:
        values = planar(self.dataset, self.family, self.layers, self.seed, 1, self.smoothness).values  # the time is Adam's limit, no epochs
        traces = race(resolve(values), self.descent)
        names = {"block descent": "descent", "adam": "adam"}
        metrics, arrays = {"seconds": getattr(traces["block descent"], CLOCK)[-1]}, {}
        for name, short in names.items():
            trace = traces[name]
            metrics |= {f"{short}_test_error": trace.test_error[trace.best], f"{short}_objective": trace.objective[-1]}
            arrays |= {f"{short}_seconds": np.array(getattr(trace, CLOCK)), f"{short}_objective": np.array(trace.objective),
                       f"{short}_test_error": np.array(trace.test_error)}
        return metrics, arrays


def compared(results: Results) -> Finding:
    """Test error of block descent less that of Adam at equal time, over pairs of data set, family and seed."""
    rows = results["race"]
    difference = 100 * (rows["descent_test_error"] - rows["adam_test_error"])
    estimate = statistics.mean(difference)
    lower = float((rows["descent_objective"] < rows["adam_objective"]).mean())
    verdict = REPRODUCED if estimate.high <= 0 else NOT_REPRODUCED if estimate.low > 0 else PARTLY
    return Finding(
        verdict, f"test error, block descent - Adam: {estimate.value:+.1f} points; a lower objective in {lower:.0%} of {len(rows)} pairs",
        estimate.low, estimate.high,
        "The paper states no comparison: we hold its optimiser to Adam's result at equal processor time, at whose end Adam's cycle ends, "
        "each with the paper's output rule. It is reproduced if it is no worse, partly if the interval holds 0.")


def race_table(results: Results) -> pd.DataFrame:
    rows = []
    for (dataset, family), own in results["race"].groupby(["dataset", "family"], sort=False):
        rows.append({"data": DATA_NAMES[dataset], "net": FAMILY_STYLES[family][0], "seconds": own["seconds"].mean()} | {
            f"{kind}, {name}": str(estimate(own[f"{short}_{column}"]))
            for kind, column, estimate in (("test error in %", "test_error", statistics.percent),
                                           ("objective", "objective", statistics.mean))
            for name, short in (("block descent", "descent"), ("Adam", "adam"))})
    return pd.DataFrame(rows)


def race_curves(results: Results) -> Figure:
    """The objective over time, a panel a family, on the first data set; thin lines are seeds."""
    rows = results["race"]
    rows = rows[rows["dataset"] == rows["dataset"].iloc[0]]
    figure, panels = new_figure(rows["family"].nunique(), width=2.1, height=2.6)
    for axes, (family, own) in zip(panels, rows.groupby("family", sort=False), strict=True):
        for short, name, colour in (("descent", "block descent", "#0072B2"), ("adam", "Adam", "#D55E00")):
            for index, run in enumerate(own["run"]):
                curves = results.arrays(run)
                axes.plot(curves[f"{short}_seconds"], curves[f"{short}_objective"], color=colour, linewidth=1,
                          label=name if index == 0 else None)
        axes.set(title=FAMILY_STYLES[family][0], xlabel="processor time in s", yscale="log")
    panels[0].set_ylabel(f"objective, {rows['dataset'].iloc[0].replace('_', ' ')}")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=2, frameon=False)
    return figure
