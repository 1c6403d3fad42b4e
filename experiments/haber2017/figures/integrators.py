"""Integrators on antisymmetric weights: size of the signal, and singular values of the Jacobian."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.estimates import select_rows
from stablenets.claims.results import Results
from stablenets.claims.tabulating import count_seeds, largest_of, smallest_of, tabulate
from stablenets.plotting.figures import new_grid
from stablenets.plotting.groups import COLUMN_WIDTH, plot_groups
from stablenets.plotting.legends import add_legend_below
from stablenets.plotting.looks import BLUE, GREEN, MARKER_OF, ORANGE, PINK, SKY
from stablenets.plotting.panels import set_panel
from stablenets.statistics import Estimate

from ..measures import ACTIVATION_NAMES, KEPT_SIZE, SCHEME_NAMES, with_sizes
from ..runs import FIXED_TIME, paper
from ..studies.example_1 import SCHEMES, smallest_damping

COLOURS = dict(zip(SCHEMES, (ORANGE, SKY, BLUE, GREEN, PINK), strict=True))
LOOKS = {  # Verlet and leapfrog as in the figures of trained networks
    scheme: {"label": SCHEME_NAMES[scheme], "colour": colour, "marker": MARKER_OF[colour]}
    for scheme, colour in COLOURS.items()
}


def damping(own: pd.DataFrame) -> float | str:
    """The γ of forward Euler with damping; '-' for the other schemes."""
    first = own.iloc[0]
    return smallest_damping(first["h"]) if first["scheme"] == "damped euler" else "-"


@paper.table("drift", runs=["drift"])
def drift_table(results: Results) -> pd.DataFrame:
    """Integrators on antisymmetric weights of highest frequency 1, first at a fixed final time of
    20, then at a fixed step of 0.1. Size: the norm of the signal relative to its start, of leapfrog
    that of (y_j, y_j - y_j-1); the largest over all layers, the smallest over the layers that are
    stored (at most 129). s: singular values of dY_N/dY_0. Y is half of the state of Verlet and
    leapfrog, so that their smallest s comes near 0 even in linear layers. γ: the smallest damping
    at which forward Euler does not grow; there is none for h above 1.
    """
    rows = with_sizes(results)
    is_fixed_time = np.isclose(rows["h"] * rows["layers"], FIXED_TIME)
    kinds = np.where(is_fixed_time, f"time {FIXED_TIME:g}", "step 0.1")
    columns = {
        "γ": damping,
        "largest size, mean over seeds": lambda own: own["growth"].mean(),
        "largest size, all seeds": largest_of("growth"),
        "smallest size, all seeds": smallest_of("smallest"),
        "largest s, all seeds": largest_of("jacobian_high"),
        "smallest s, all seeds": smallest_of("jacobian_low"),
        "seeds": count_seeds,
    }
    by = {name: name for name in ("fixed", "activation", "scheme", "layers", "h")}
    names = SCHEME_NAMES | {"identity": "linear"}
    return tabulate(rows.assign(fixed=kinds), by, columns, names)


@paper.figure(
    "drift",
    runs=["drift"],
    finding="Runge-Kutta and Verlet keep the size of the signal. But in 10,000 tanh layers, their"
    " largest singular values are 298 and 822,733: the signal is stable while the gradient"
    " explodes. In linear layers, no singular value of these two schemes is above 1.23. Forward"
    " Euler to time 20 with 1,024 layers lets the signal grow by a factor of 1.12 at most. With"
    " damping, the signal decays. Leapfrog's norm oscillates, and drops below 1/3 for a time.",
)
def drift_figure(results: Results) -> Figure:
    """Integrators on antisymmetric weights. Above: size of the signal relative to its start, the
    largest over all layers, the smallest over the layers that are stored (at most 129). Below:
    singular values of dY_N/dY_0. The dot is the largest value over all seeds; the bar reaches down
    to the smallest one. Networks with the first two numbers of layers end at
    time 20; the last number is that at a step of 0.1. Dashed: factors of 3 and 1/3. Open triangles:
    beyond the axis. Arrowheads: the bar goes on. Damping of forward Euler needs h at most 1. Of
    leapfrog we measure the signal by the norm of (y_j, y_j - y_j-1). Y is half of the state of
    Verlet and leapfrog, so that their smallest singular values come near 0 even in linear layers.
    """
    rows = with_sizes(results)
    rows = rows[rows["layers"].isin(shown_layers(rows))]
    places = sorted(rows["layers"].unique())
    quantities = (
        ("size of the signal / start", "growth", "smallest", (0.03, 30.0)),
        ("singular values", "jacobian_high", "jacobian_low", (1e-6, 1e9)),
    )
    figure, panels = new_grid(2, 2, COLUMN_WIDTH, 4.9, sharex=True, sharey="row")
    for line, (name, high, low, limits) in zip(panels, quantities, strict=True):
        for axes, activation in zip(line, ACTIVATION_NAMES, strict=True):
            own = select_rows(rows, activation=activation)
            ranges = {scheme: ranges_of(own, scheme, low, high) for scheme in SCHEMES}
            plot_groups(axes, ranges, LOOKS, places, limits)
            set_panel(axes, yscale="log", ylim=limits, reference=1)
            for factor in (KEPT_SIZE, 1 / KEPT_SIZE):
                set_panel(axes, threshold=factor)
        line[0].set_ylabel(name)
    for above, below, name in zip(*panels, ACTIVATION_NAMES.values(), strict=True):
        above.set_title(f"{name} layers")
        below.set_xlabel("layers")
    add_legend_below(figure, columns=2)
    return figure


def shown_layers(rows: pd.DataFrame) -> list[int]:
    """The smallest and the largest number of layers to FIXED_TIME, and that at a fixed step."""
    is_fixed_time = np.isclose(rows["h"] * rows["layers"], FIXED_TIME)
    fixed = rows["layers"][is_fixed_time]
    return [fixed.min(), fixed.max(), *rows["layers"][~is_fixed_time].unique()]


def ranges_of(rows: pd.DataFrame, scheme: str, low: str, high: str) -> dict[int, Estimate]:
    """By layers: the largest value of a column, and an interval down to the smallest of another."""
    found = {}
    for layers, own in select_rows(rows, scheme=scheme).groupby("layers"):
        top = float(own[high].max())
        found[layers] = Estimate(top, float(own[low].min()), top, len(own))
    return found
