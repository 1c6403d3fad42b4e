"""Claims 1 to 3, on nets that are not trained: Example 1, growth by depth and step, and what
integrators do.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .look import depth_axis
from .studies import EXAMPLE_1, POINTS

NET_COLOURS = dict(zip(EXAMPLE_1, (COLOURS[1], COLOURS[2], COLOURS[0]), strict=True))
NET_NAMES = {"K+": "$K_+$", "K-": "$K_-$", "K0": "$K_0$"}
SCHEMES = {
    "euler": ("forward Euler", COLOURS[1], "o"),
    "damped euler": ("forward Euler, sufficient γ", COLOURS[4], "s"),
    "rk4": ("Runge-Kutta 4", COLOURS[2], "^"),
    "verlet": ("Verlet", COLOURS[0], "D"),
    "leapfrog": ("leapfrog", COLOURS[3], "v"),
}
START_12 = math.dist(POINTS[0], POINTS[1])
START_13 = math.dist(POINTS[0], POINTS[2])
STABLE = (
    3.0  # growth that a stable scheme may show: tanh and a large step distort, they do not add up
)


def example_1(results: Results) -> Finding:
    """K+ drives y1 and y2 apart, K- draws them together, K0 keeps their distance."""
    ratio = (results["example1"].set_index("net")["distance_12"] / START_12).to_dict()
    holds = (ratio["K+"] > 2, ratio["K-"] < 0.5, abs(ratio["K0"] - 1) < 0.1)
    return Finding(
        verdict(*holds),
        "|y1 - y2| after 10 layers: " + ", ".join(f"{net} ×{ratio[net]:.4g}" for net in EXAMPLE_1),
        note=(
            "Nothing is drawn, so there is no interval. K0 is outside Lemma 1, max |1 + hλ| ="
            " 1.005: forward Euler grows by half a per cent a layer; ten layers hide that, a"
            " thousand do not (claim 2)."
        ),
    )


def growth(results: Results) -> Finding:
    """K-: the gradient vanishes; K+: it explodes; K0: neither, at the largest depth and the largest
    step.
    """
    rows = results["growth"].set_index(["net", "layers"])
    depth = int(results["growth"]["layers"].max())
    shrunk, blown, kept = (rows.loc[(net, depth)] for net in ("K-", "K+", "K0"))
    holds = (
        shrunk["jacobian_points_high"] < 1e-6,
        blown["jacobian_origin_high"] > 1e6,
        blown["distance_12"] / START_12 > 10,
        max(kept["jacobian_points_high"], 1 / kept["jacobian_points_low"]) < STABLE,
    )
    return Finding(
        verdict(*holds),
        f"‖dY_N/dY_0‖ at {depth:,} layers: K- {shrunk['jacobian_points_high']:.2g}, K+"
        f" {blown['jacobian_points_high']:.3g} at y1 and {blown['jacobian_origin_high']:.2g} at the"
        f" origin, K0 {kept['jacobian_points_high']:.3g}",
        note=(
            "K- vanishes as stated. K+ explodes where tanh is linear, at the origin; the points of"
            " Example 1 soon leave that region, tanh saturates, their distance then grows linearly"
            " and their gradient stops growing. K0 keeps both for tens of layers: by forward Euler"
            " at h = 0.1 half a per cent a layer adds up. The integrator is to blame, not the"
            " design (claim 3). The verdict is on depth; by step, in the figure, K- leaves Lemma"
            " 1's circle where h is large and then grows at the origin."
        ),
    )


def drift(results: Results) -> Finding:
    """Forward Euler grows on antisymmetric weights; a better integrator, or enough γ, does not."""
    rows = results["drift"]
    peak = rows.groupby("scheme")["growth"].max()
    others = peak.drop("euler")
    linear = rows[(rows["scheme"] == "euler") & (rows["activation"] == "identity")]
    exact = (1 + linear["h"] ** 2) ** (linear["layers"] / 2)
    longest = rows["layers"].max()
    tanh = (
        rows[(rows["activation"] == "tanh") & (rows["layers"] == longest)]
        .groupby("scheme")["jacobian_high"]
        .max()
    )
    agreement = float((linear["jacobian_high"] / exact - 1).abs().max())
    return Finding(
        verdict(peak["euler"] > 10, others.max() < STABLE, agreement < 1e-6),
        "largest growth of the signal:"
        f" {', '.join(f'{SCHEMES[name][0]} ×{peak[name]:.3g}' for name in SCHEMES)}",
        note=(
            "The authors' own later finding, from their course and Meganet. In the linear case"
            f" forward Euler's growth is (1 + h²)^(N/2), which we meet to {agreement:.0e}. The γ"
            " that suffices for the fastest motion damps the slower ones: their singular values"
            f" fall to {rows.loc[rows['scheme'] == 'damped euler', 'jacobian_low'].min():.0e},"
            " which no better integrator does. With tanh gradients grow with time in every scheme,"
            f" to between {tanh.min():.0e} and {tanh.max():.0e} at {longest:,} layers: neighbours"
            " turn at different speeds. To keep the signal is to let it grow by no more than"
            f" ×{STABLE:g} in any seed."
        ),
    )


def example_1_table(results: Results) -> pd.DataFrame:
    rows = results["example1"]
    return pd.DataFrame(
        {
            "net": rows["net"],
            "layers": rows["layers"],
            "h": rows["h"],
            **{
                point: [
                    f"({x:.6f}, {y:.6f})"
                    for x, y in zip(rows[f"{point}_0"], rows[f"{point}_1"], strict=True)
                ]
                for point in ("y1", "y2", "y3")
            },
            "|y1 - y2|": rows["distance_12"].map("{:.5f}".format),
            "|y1 - y3|": rows["distance_13"].map("{:.5f}".format),
            "max |1 + hλ|": rows["lemma_1"].map("{:.6f}".format),
        }
    )


def growth_table(results: Results) -> pd.DataFrame:
    rows = (
        pd.concat([results["growth"], results["steps"]])
        .drop_duplicates(["net", "layers", "h"])
        .sort_values(["net", "h", "layers"])
    )
    return pd.DataFrame(
        {
            "net": rows["net"],
            "layers": rows["layers"],
            "h": rows["h"],
            "|y1 - y2| / start": rows["distance_12"] / START_12,
            "|y1 - y3| / start": rows["distance_13"] / START_13,
            "‖J‖ at y1": rows["jacobian_points_high"],
            "smallest at y1": rows["jacobian_points_low"],
            "‖J‖ at 0": rows["jacobian_origin_high"],
        }
    )


def drift_table(results: Results) -> pd.DataFrame:
    grouped = results["drift"].groupby(["activation", "scheme", "layers", "h"], sort=False)
    return grouped.agg(
        **{
            "growth, mean": ("growth", "mean"),
            "growth, worst": ("growth", "max"),
            "‖J‖, worst": ("jacobian_high", "max"),
            "smallest, worst": ("jacobian_low", "min"),
            "seeds": ("seed", "nunique"),
        }
    ).reset_index()


def phase_planes(results: Results) -> Figure:
    """Figure 1 of the paper: hidden states as lines, the force field as arrows."""
    figure, panels = new_figure(3, width=2.5, height=3.1)
    for axes, (net, K), row in zip(
        panels, EXAMPLE_1.items(), results["example1"].itertuples(), strict=True
    ):
        assert row.net == net
        trajectory = results.arrays(row.run)["trajectory"]
        reach = 1.1 * max(0.6, np.abs(trajectory).max())
        grid = np.stack(np.meshgrid(*[np.linspace(-reach, reach, 13)] * 2), -1)
        force = np.tanh(grid @ np.array(K))
        axes.quiver(
            *np.moveaxis(grid, -1, 0),
            *np.moveaxis(force, -1, 0),
            color="0.72",
            width=0.005,
            zorder=0,
        )
        for point, (colour, name) in enumerate(
            zip(COLOURS, ("$y_1$", "$y_2$", "$y_3$"), strict=False)
        ):
            axes.plot(
                *trajectory[:, point].T,
                "-",
                color=colour,
                linewidth=1.2,
                marker=".",
                markersize=4,
                label=name,
            )
            axes.plot(
                *trajectory[0, point], "o", color=colour, markersize=6, markerfacecolor="white"
            )
        axes.set(
            title=f"{NET_NAMES[net]}, {row.layers} layers, $h$ = {row.h}",
            xlabel="feature 1",
            aspect="equal",
            xlim=(-reach, reach),
            ylim=(-reach, reach),
        )
    panels[0].set_ylabel("feature 2")
    figure.legend(
        *panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure


def growth_curves(results: Results) -> Figure:
    figure, (far, deep, steep) = new_figure(3, width=2.6, height=2.9)
    for net, rows in results["growth"].groupby("net", sort=False):
        style = {"color": NET_COLOURS[net], "marker": "o", "markersize": 3}
        visible = rows["distance_12"].clip(lower=1e-18)
        far.plot(rows["layers"], visible / START_12, label=NET_NAMES[net], **style)
        deep.plot(rows["layers"], rows["jacobian_points_high"].clip(1e-18, 1e18), **style)
        deep.plot(
            rows["layers"],
            rows["jacobian_origin_high"].clip(1e-18, 1e18),
            ":",
            **style | {"marker": None},
        )
    for net, rows in results["steps"].groupby("net", sort=False):
        steep.plot(
            rows["h"],
            rows["jacobian_points_high"].clip(1e-18, 1e18),
            color=NET_COLOURS[net],
            marker="o",
            markersize=3,
        )
        steep.plot(
            rows["h"], rows["jacobian_origin_high"].clip(1e-18, 1e18), ":", color=NET_COLOURS[net]
        )
    far.set(xlabel="layers $N$, $h$ = 0.1", ylabel="$|y_1 - y_2|$ / start")
    deep.set(xlabel="layers $N$, $h$ = 0.1", ylabel=r"$\|\partial Y_N/\partial Y_0\|$")
    steep.set(xlabel="step $h$, 100 layers", ylabel=r"$\|\partial Y_N/\partial Y_0\|$")
    for axes in (far, deep, steep):
        axes.set(xscale="log", yscale="log", ylim=(1e-19, 1e19), yticks=[1e-16, 1e-8, 1, 1e8, 1e16])
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    deep.plot([], [], "-", color="0.3", label="at $y_1$")
    deep.plot([], [], ":", color="0.3", label="at the origin")
    handles = [*far.get_legend_handles_labels()[0], *deep.get_legend_handles_labels()[0]]
    figure.legend(handles=handles, loc="outside lower center", ncols=5, frameon=False)
    return figure


def drift_curves(results: Results) -> Figure:
    figure, (fixed, linear, curved) = new_figure(3, width=2.6, height=3.0)
    rows = results["drift"]
    longest = rows["layers"].max()
    for scheme, (name, colour, marker) in SCHEMES.items():
        own = rows[rows["scheme"] == scheme]
        short = own[
            (own["activation"] == "identity")
            & (own["h"] * own["layers"] == own["h"].max() * own["layers"].min())
        ]
        peaks = short.groupby("layers")["growth"].mean()
        fixed.plot(peaks.index, peaks, color=colour, marker=marker, markersize=3.5, label=name)
        depth_axis(fixed, peaks.index)
        for axes, activation in ((linear, "identity"), (curved, "tanh")):
            runs = own[(own["activation"] == activation) & (own["layers"] == longest)]["run"]
            curves = [results.arrays(run) for run in runs]
            axes.plot(
                curves[0]["depths"][1:],
                np.mean([curve["growth"] for curve in curves], 0)[1:],
                color=colour,
            )
    fixed.set(
        xlabel="layers $N$, $T = hN$ = 20",
        ylabel="largest signal / first",
        title="linear, fixed time",
    )
    linear.set(
        xlabel="layer, $h$ = 0.1", title="linear, fixed step", ylabel="signal / first", xscale="log"
    )
    curved.set(
        xlabel="layer, $h$ = 0.1", title="tanh, fixed step", ylabel="signal / first", xscale="log"
    )
    for axes in (fixed, linear, curved):
        axes.set(yscale="log", ylim=(0.05, None))
        axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    figure.legend(
        *fixed.get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False
    )
    return figure
