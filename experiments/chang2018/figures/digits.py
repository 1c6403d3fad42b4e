"""Small networks on digits, and the Hamiltonian network with one change each."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import TEST_ACCURACY, gap_between, mean_over_seeds, select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_diverged, count_seeds, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.looks import LOOKS
from stablenets.plotting.panels import plot_dots
from stablenets.plotting.plots import plot_differences

from ..claims.digits import (
    IN_ORDER,
    ON_PAR,
    SEARCHED_ON_DIGITS,
    variant_gain,
    with_variants,
)
from ..claims.naming import DATA_NAMES, LABELS, NAMES, with_names
from ..runs import paper
from ..trainings import AS_IT_IS
from .accuracy import OURS


@paper.table(
    "digits",
    runs=["digits"],
    caption="Small networks on 8x8 digits: test accuracy, and the difference in points, paired over"
    f" seeds. How settings were chosen: {SEARCHED_ON_DIGITS}.",
)
def digits_table(results: Results) -> pd.DataFrame:
    rows = with_names(results["digits"])

    def lead(own: pd.DataFrame) -> str:
        family = own["net.family"].iloc[0]
        is_ours = family == "hamiltonian"
        return "itself" if is_ours else str(gap_between(rows, "family", "hamiltonian", family))

    return tabulate(rows, ["net"], OURS | {"Hamiltonian minus this": lead})


@paper.figure(
    "digits",
    runs=["digits"],
    finding="All lie within two points of 0.",
)
def digits_figure(results: Results) -> Figure:
    """Small networks on 8x8 digits: differences in test accuracy, paired over seeds, with 95 %
    intervals, as in the criteria of claims 10a and 10b. A dashed line is the bar of a criterion,
    where that is not 0.
    """
    figure, (axes,) = new_figure(1, width=4.2, height=2.2)
    gaps = {
        f"{NAMES[ours]} minus {NAMES[theirs]}": gap_between(
            results["digits"], "family", ours, theirs
        )
        for ours, theirs, _ in (*ON_PAR, *IN_ORDER)
    }
    plot_differences(axes, gaps, None)
    for row, (_, _, line) in enumerate((*ON_PAR, *IN_ORDER)):
        if line:
            axes.plot([line, line], [row - 0.4, row + 0.4], "--", color="0.3", linewidth=0.8)
    axes.set_xlabel("points of test accuracy")
    return figure


@paper.table("digits_by_depth", runs=["digits_by_depth"])
def digits_by_depth_table(results: Results) -> pd.DataFrame:
    """Small networks on 8x8 digits by depth, the same number of steps: test accuracy, and the
    difference from the shallow network of the family in points, paired over seeds. The learning
    rate of the deep networks was not tuned.
    """
    rows = with_names(results["digits_by_depth"]).sort_values(["net.family", "layers"])

    def change(own: pd.DataFrame) -> str:
        family = select_rows(rows, family=own["net.family"].iloc[0])
        shallow, deep = family["net"].iloc[0], own["net"].iloc[0]
        return "itself" if deep == shallow else str(gap_between(family, "net", deep, shallow))

    return tabulate(rows, ["net"], OURS | {"minus the shallow one": change})


@paper.figure(
    "digits_by_depth",
    runs=["digits_by_depth"],
    finding="The learning rate of the deep ResNet was not tuned: its low accuracy says nothing of"
    " ResNets.",
)
def digits_by_depth_figure(results: Results) -> Figure:
    """8x8 digits, the same number of steps at every depth: test accuracy of each seed (dots) and
    mean (bar). Each family has an axis of its own.
    """
    rows = with_names(results["digits_by_depth"]).sort_values(["net.family", "layers"])
    families = list(rows.groupby("net.family", sort=False))
    figure, panels = new_grid(len(families), 1, width=4.2, height=1.3 * len(families))
    for (axes,), (family, own) in zip(panels, families, strict=True):
        groups = {net: TEST_ACCURACY.of(runs) for net, runs in own.groupby("net", sort=False)}
        plot_dots(axes, groups, colours=[LOOKS[family][0]] * len(groups))
        axes.margins(y=0.3)
    panels[-1, 0].set_xlabel("test accuracy in %, 8x8 digits")
    return figure


@paper.table("ablations", runs=["ablations"])
def ablations_table(results: Results) -> pd.DataFrame:
    """The Hamiltonian network with one change, the rate and the number of steps the same for all:
    test accuracy in %, that of the network as it is with the same seeds, their difference in
    points, paired over seeds, and training loss. Not all changes have the same number of seeds.
    "wider before the first block": a unit gets its width before its first block, otherwise after
    it. "opening and head": the layers before and after all units.
    """
    rows = with_variants(results)
    plain = select_rows(rows, variant=AS_IT_IS)

    def same_seeds(own: pd.DataFrame):
        return mean_over_seeds(select_rows(plain, seed=list(own["seed"])), TEST_ACCURACY)

    def gain(own: pd.DataFrame) -> str:
        name = own["variant"].iloc[0]
        return "itself" if name == AS_IT_IS else str(variant_gain(rows, name))

    columns = {
        "parameters": "parameters",
        "test accuracy": TEST_ACCURACY,
        "as it is, same seeds": same_seeds,
        "difference": gain,
        "training loss": "train_loss",
        "diverged": count_diverged,
        "seeds": count_seeds,
    }
    return tabulate(rows, ["dataset", "variant"], columns, LABELS)


@paper.figure(
    "ablations",
    runs=["ablations"],
    finding="Without batch normalisation in opening and head accuracy falls, and much more without "
    "any. No other change has a clear effect.",
)
def ablations_figure(results: Results) -> Figure:
    """One change at a time: differences in test accuracy with 95 % intervals. Filled arrow: a value
    beyond the axis; open arrow: an interval that goes on beyond it. Without "wider before the first
    block" a unit gets its width after its first block; opening and head are the layers before and
    after all units.
    """
    rows = with_variants(results)
    changes = [name for name in rows["variant"].unique() if name != AS_IT_IS]
    figure, (axes,) = new_figure(1, width=4.2, height=0.8 + 0.28 * len(changes))
    gains = {name: variant_gain(rows, name) for name in changes}
    plot_differences(axes, gains, None, limits=(-3.0, 1.0))
    axes.set_xlabel(f"points gained, {DATA_NAMES[rows['dataset'].iloc[0]]}")
    return figure
