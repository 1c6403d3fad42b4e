"""Accuracies of planar and of image networks, beside the authors' tables."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pandas as pd
from matplotlib.animation import Animation, FuncAnimation
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure

from stablenets.claims.estimates import (
    TEST_ACCURACY,
    mean_over_seeds,
    median_over_seeds,
    select_rows,
)
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, lines_by, setting_table, tabulate
from stablenets.plotting.figures import new_figure, new_grid
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.panels import plot_matrix, set_panel
from stablenets.plotting.plots import plot_lines
from stablenets.plotting.style import COLOURS

from ..claims import BEST_ACCURACY, DATA_NAMES, NONE, with_names
from ..published import AUTHORS_CODE, COLUMNS, NO_LAYERS, TABLE_1, TABLE_2
from ..runs import IMAGE_SETTINGS, IN_TABLE_2, paper, planar_setting
from ..studies.networks import NETWORKS
from ..studies.random_weights import test_points
from ..studies.trained import SHOWN
from .looks import LOOKS

REST = 6  # frames for which the animation rests


def published_in(table: dict, nets: Iterable[str]) -> Callable[[pd.DataFrame], float | None]:
    """A column with the value of a published table at a data set, depth and network.

    Args:
        table: Values by data set and number of layers.
        nets: The networks of its columns.
    """
    columns = list(nets)

    def value(own: pd.DataFrame) -> float | None:
        first = own.iloc[0]
        values = table.get((first["dataset"], first["depth"]), ())
        return dict(zip(columns, values, strict=False)).get(first["net"])

    return value


IN_TABLE_1 = published_in(TABLE_1, COLUMNS)
BY_AUTHORS_CODE = published_in(AUTHORS_CODE, NETWORKS)


@paper.table("planar", runs=["table"])
def planar_table(results: Results) -> pd.DataFrame:
    """Planar problems: test accuracy in %. L4DC 2021: Table 1, single values. Authors' code: run by
    us with its defaults, medians of three seeds. Ours: medians over seeds with 95 % intervals
    between order statistics (from six seeds on).
    """

    columns = {
        "T": "T",
        "rate": "optim.lr",
        "L4DC 2021": IN_TABLE_1,
        "authors' code": BY_AUTHORS_CODE,
        "ours, median": lambda own: median_over_seeds(own, TEST_ACCURACY),
        "worst seed": lambda own: TEST_ACCURACY.of(own).min(),
        "seeds": count_seeds,
    }
    rows = with_names(results["table"])
    return tabulate(rows, ["dataset", "depth", "net"], columns, DATA_NAMES)


@paper.table("alternating", runs=["alternating", "table"])
def alternating_table(results: Results) -> pd.DataFrame:
    """Planar problems at few layers, by two ways of training: test accuracy in %, medians over
    seeds with 95 % intervals between order statistics. Alternating: the method of the authors'
    code, in our code and with the final time that was chosen for our training. L4DC 2021: Table 1.
    Authors' code: run by us with its defaults.
    """
    keys = ["dataset", "depth", "net"]
    ours = with_names(results["table"]).groupby(keys).apply(median_accuracy)
    rows = results["alternating"].rename(columns={"layers": "depth"})
    columns = {
        "T": "T",
        "L4DC 2021": IN_TABLE_1,
        "authors' code": BY_AUTHORS_CODE,
        "alternating": lambda own: median_over_seeds(own, TEST_ACCURACY),
        "our training": lambda own: ours[tuple(own.iloc[0][keys])],
        "seeds": count_seeds,
    }
    return tabulate(rows, keys, columns, DATA_NAMES)


@paper.figure(
    "planar",
    runs=["table"],
    finding="From 16 layers on every cell is met or passed. At few layers ours is above in most "
    "cells; with one layer on double moons three networks are below.",
)
def planar_figure(results: Results) -> Figure:
    """Test accuracy of our median minus Table 1 of L4DC 2021, in points (H2 is not in that
    table).
    """
    rows = with_names(results["table"])
    datasets = list(rows["dataset"].unique())
    figure, panels = new_figure(len(datasets), width=3.2, height=2.8)
    for axes, dataset in zip(panels, datasets, strict=True):
        own = select_rows(rows, dataset=dataset, net=COLUMNS)
        ours = own.groupby(["net", "depth"]).apply(median_accuracy).unstack().loc[list(COLUMNS)]
        stated = np.transpose([TABLE_1[dataset, depth] for depth in ours.columns])
        style = {"text": "+.1f", "cmap": "RdBu", "vmin": -12, "vmax": 12, "aspect": "auto"}
        mesh = plot_matrix(axes, ours.to_numpy() - stated, COLUMNS, ours.columns, **style)
        axes.set(title=DATA_NAMES[dataset], xlabel="layers")
    figure.colorbar(mesh, ax=panels, label="ours minus Table 1, points")
    return figure


def median_accuracy(rows: pd.DataFrame) -> float:
    """The median test accuracy over seeds in %."""
    return median_over_seeds(rows, TEST_ACCURACY).value


def middle(values: list[float]) -> float:
    """The value in the middle; of an even number the smaller of the two."""
    return sorted(values)[(len(values) - 1) // 2]


@paper.table("tuning", runs=["tuning"])
def tuning_table(results: Results) -> pd.DataFrame:
    """Choice of the final time at a rate of 0.1: mean validation accuracy in %, seeds that are in
    no other table. Best: of several equal ones the one in the middle.
    """
    return setting_table(
        with_names(results["tuning"]),
        ["dataset", "depth", "net"],
        *("T", "T = "),
        names=DATA_NAMES,
        best=middle,
        used=lambda dataset, depth, net: planar_setting(net, dataset, depth)[0],
    )


@paper.table("rate_tuning", runs=["rate_tuning"])
def rate_tuning_table(results: Results) -> pd.DataFrame:
    """Choice of the learning rate at the chosen final time: mean validation accuracy in %, seeds
    that are in no other table. Best: of several equal ones the one in the middle.
    """
    return setting_table(
        with_names(results["rate_tuning"]),
        ["dataset", "depth", "net"],
        *("lr", "rate "),
        names=DATA_NAMES,
        best=middle,
        used=lambda dataset, depth, net: planar_setting(net, dataset, depth)[1],
    )


@paper.animation("layers", runs=["trajectories", "table"])
def layers_animation(results: Results) -> Animation:
    """Swiss roll: test points on their way through the layers of the deepest networks, seed 0.
    Horizontal: the direction that the output layer reads; it decides at the line.
    """
    names = with_names(results["table"]).set_index("run")["net"]
    works = [work for work in results.works(["trajectories"]) if work.dataset == "swiss_roll"]
    figure, panels = new_grid(2, len(works) // 2, width=6.3, height=4.4)
    figure.set_dpi(100)
    moving = []
    for axes, work in zip(panels.flat, works, strict=True):
        arrays = results.arrays(work.name)
        states, layers = arrays["states"], arrays["layers"]
        classes = test_points(work.training)[1][::SHOWN].numpy()
        dots = axes.scatter(*states[0].T, c=classes, cmap=ListedColormap(COLOURS[:2]), s=5)
        moving.append((dots, states))
        low, high = states.min((0, 1)), states.max((0, 1))
        (left, bottom), (right, top) = low - 0.05 * (high - low), high + 0.05 * (high - low)
        axes.set(xticks=[], yticks=[], xlim=(left, right), ylim=(bottom, top))
        axes.set_title(names[work.training.name])
        axes.axvline(0, color="0.7", linewidth=0.8, zorder=0)
    title = figure.suptitle("", fontsize=9)

    def show(stage: int) -> None:
        for dots, states in moving:
            dots.set_offsets(states[stage])
        title.set_text(f"layer {layers[stage]:.0f} of {layers[-1]:.0f}")

    last = len(layers) - 1
    return FuncAnimation(figure, show, [0] * REST + list(range(last)) + [last] * 2 * REST)


@paper.table("images", runs=["images"])
def images_table(results: Results) -> pd.DataFrame:
    """Image networks: test accuracy in %, means over seeds, beside Table 2 of L4DC 2021."""

    def published(own: pd.DataFrame) -> float | None:
        first = own.iloc[0]
        if first["dataset"] != "mnist":
            return None
        stated = TABLE_2.get(first["net"], {})
        return NO_LAYERS if first["net"] == NONE else stated.get(first["depth"])

    columns = {
        "parameters": "parameters",
        "L4DC 2021": published,
        "ours, last": TEST_ACCURACY,
        "ours, best on validation": BEST_ACCURACY,
        "seeds": count_seeds,
    }
    return tabulate(with_names(results["images"]), ["dataset", "depth", "net"], columns, DATA_NAMES)


@paper.figure("images", runs=["images"])
def images_figure(results: Results) -> Figure:
    """Image networks by depth: means with 95 % intervals (networks with one seed have none).
    Crosses are values of Table 2 of L4DC 2021, if the data are MNIST. Dashed: without layers.
    """
    rows = with_names(results["images"])
    deep = rows[rows["net"] != NONE]
    figure, (axes,) = new_figure(1, width=4.2, height=3.2)
    plot_lines(axes, lines_by(deep, "net", "depth", TEST_ACCURACY), LOOKS)
    for net in IN_TABLE_2 if (rows["dataset"] == "mnist").all() else ():
        axes.plot(*zip(*TABLE_2[net].items(), strict=True), "x", color=LOOKS[net]["colour"])
    none = mean_over_seeds(select_rows(rows, net=NONE), TEST_ACCURACY)
    axes.axhline(none.value, color="0.3", linewidth=0.8, linestyle="--", label=NONE)
    set_panel(axes, depths=deep["depth"])
    axes.set_ylabel(f"test accuracy in %, {DATA_NAMES[rows['dataset'].iloc[0]]}")
    add_legend_below(figure, columns=5)
    return figure


@paper.table("image_tuning", runs=["image_tuning"])
def image_tuning_table(results: Results) -> pd.DataFrame:
    """Image networks: validation accuracy in % by learning rate, without and with a limit of 1 on
    the norm of the gradient, a seed that is in no other table. Used: the rate, in the row of its
    limit.
    """

    def used(dataset: str, depth: int, net: str, limit: str) -> float | None:
        rate, clip_norm = IMAGE_SETTINGS[net]
        return rate if limit == limit_name(clip_norm) else None

    rows = with_names(results["image_tuning"]).sort_values("net")
    rows["limit"] = rows["optim.clip_norm"].map(limit_name)
    by = ["dataset", "depth", "net", "limit"]
    return setting_table(rows, by, "lr", "rate ", names=DATA_NAMES, used=used)


def limit_name(clip_norm: float | None) -> str:
    """The limit on the norm of the gradient in words."""
    return "none" if clip_norm is None or np.isnan(clip_norm) else f"{clip_norm:g}"
