"""Claims 1, 5 and 6: what holds for any weights, and the counterexample."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS

from .networks import RANDOM_X, SINGULAR_X
from .studies import TrainedSymplectic

ROUNDING = 1e-12
CANONICAL = ("H2", "MS3")  # conserve the form of the canonical J
TOLD = 1e-3  # a defect that is no rounding
LINEAR = (0.85, 1.15)  # exponents of t that are about 1
SAME = 0.05
TRAINED = ", trained"  # ends the name of a net in tables


def symplectic(results: Results) -> Finding:
    rows, after = results["symplectic"], after_training(results)
    worst = {
        "layer": rows["layer"].max(),
        "product": rows["product"].max(),
        "after training": after[["layer", "product"]].max(axis=None),
    }
    wrong = pd.concat([rows, after]).set_index("net")["wrong_transpose"]
    fails, passes = (
        wrong[[name.startswith((RANDOM_X, SINGULAR_X)) for name in wrong.index]].min(),
        wrong["H2"].max(),
    )
    trained = after["net"].value_counts(sort=False)
    return Finding(
        verdict(*(value < ROUNDING for value in worst.values()), given=bool(fails > TOLD)),
        ", ".join(f"{name} {value:.1e}" for name, value in worst.items())
        + f"; wrong transpose at least {fails:.2g}",
        note=(
            f"The largest ‖B.T J B - J‖ / (‖B‖² ‖J‖), examples one by one, in float64: {len(rows)}"
            f" random nets up to {rows['layers'].max()} layers; trained ones: "
        )
        + "; ".join(f"{count} of {name.removesuffix(TRAINED)}" for name, count in trained.items())
        + " (where X is not I: swiss roll, X not trained, accuracy at least"
        f" {100 * after['test_accuracy'].min():.0f} %). The wrong transpose, F.T J F = J with the"
        f" Jacobian F = B.T itself, {'holds' if passes < ROUNDING else 'fails'} at X = I (at most"
        f" {passes:.0e}) and {'fails' if fails > TOLD else 'passes'} for a random and for a"
        " singular X, whose smallest defect is given.",
    )


def after_training(results: Results) -> pd.DataFrame:
    """Rows of `trained` by the names of their nets and their layers, which those at X = I have from
    the training.
    """
    rows = results["trained"]
    depths = {
        work.training.name: work.training.resolved.config.depth
        for work in results.works(("trained",))
        if isinstance(work, TrainedSymplectic)
    }
    return rows.assign(
        net=rows["net"].fillna("H2") + TRAINED,
        layers=rows["layers"].fillna(rows["training"].map(depths)).astype(int),
    )


def symplectic_table(results: Results) -> pd.DataFrame:
    rows = pd.concat([results["symplectic"], after_training(results)])
    table = rows.groupby(["net", "layers"], sort=False).agg(
        **{
            "one layer": ("layer", "max"),
            "products": ("product", "max"),
            "wrong transpose, smallest": ("wrong_transpose", "min"),
            "∣det - 1∣ of a layer": ("determinant", "max"),
            "seeds": ("seed", "nunique"),
        }
    )
    return table.reset_index()


def counterexample(results: Results) -> Finding:
    rows = growing(results)
    exact = rows[rows["scheme"] == "semi-implicit"]
    slow = (
        exact[exact["T"] == exact["T"].min()]
        .set_index("epsilon")["quarter_4"]
        .sort_index(ascending=False)
    )
    spread = slow.max() / slow.min() - 1
    by_time = exact[exact["epsilon"] == 1].set_index("T")
    exponents = {f"ε = {row.epsilon:g}, εT = {row.T}": row.exponent for row in exact.itertuples()}
    longer = by_time.drop(index=by_time.index.min())
    for T, norm in longer["quarter_4"].items():
        first = by_time["quarter_4"].iloc[0]
        exponents[f"εT = {by_time.index[0]} to {T}"] = float(
            np.log(norm / first) / np.log(T / by_time.index[0])
        )
    linear, alike = (
        all(LINEAR[0] <= value <= LINEAR[1] for value in exponents.values()),
        bool(spread < SAME),
    )
    return Finding(
        verdict(linear, alike, given=bool((exact["determinant"] - 1).abs().max() < 1e-9)),
        f"εT = {exact['T'].min()}: "
        + ", ".join(f"ε = {ε:g} {value:.3f}" for ε, value in slow.items())
        + "".join(
            f"; T = {T}: " + " ".join(f"{row[f'quarter_{quarter}']:.1f}" for quarter in range(1, 5))
            for T, row in longer.iterrows()
        )
        + f"; exponent of t {min(exponents.values()):.2f} to {max(exponents.values()):.2f}",
        note=(
            "‖∂y(T)/∂y(T-t)‖ by semi-implicit Euler, at t = T; for the longest T at its quarters."
            " Exponents are slopes of log norm over log t from T/2 to T, and over two T, which have"
            " two starting points: "
        )
        + ", ".join(f"{value:.3f} ({name})" for name, value in exponents.items())
        + f". About linear is {LINEAR[0]:g} to {LINEAR[1]:g}: {'all' if linear else 'not all'} of"
        f" them are. ε changes the norm by {100 * spread:.1f} % at most"
        + (
            ": weights that change slowly, or not at all, do not keep gradients from exploding."
            if linear and alike
            else "."
        ),
    )


def growing(results: Results) -> pd.DataFrame:
    """Rows of `counterexample` with the exponent of t over the later half."""
    rows = results["counterexample"]
    return rows.assign(exponent=[exponent(results.arrays(run)["norms"]) for run in rows["run"]])


def exponent(norms: np.ndarray) -> float:
    """The slope of log norm over log t on the later half of even times t."""
    t = np.arange(1, len(norms) + 1)
    later = 2 * t >= len(norms)
    return float(np.polyfit(np.log(t[later]), np.log(norms[later]), 1)[0])


def counterexample_table(results: Results) -> pd.DataFrame:
    quarters = {f"quarter_{quarter}": f"t = {quarter}/4 T" for quarter in range(1, 5)}
    columns = {
        "scheme": "scheme",
        "epsilon": "ε",
        "T": "εT",
        **quarters,
        "exponent": "exponent from T/2 to T",
        "determinant": "determinant",
        "length": "∣y(T)∣",
    }
    return growing(results)[list(columns)].rename(columns=columns)


def counterexample_figure(results: Results) -> Figure:
    rows = results["counterexample"].sort_values(
        ["scheme", "epsilon"], ascending=False
    )  # semi-implicit first, and the fastest of it
    times, lines = (
        sorted(rows["T"].unique()),
        list(dict.fromkeys(zip(rows["scheme"], rows["epsilon"], strict=True))),
    )
    figure, panels = new_figure(len(times), width=3.2, height=2.8)
    for axes, T in zip(panels, times, strict=True):
        for row in rows[rows["T"] == T].itertuples():
            number, euler = lines.index((row.scheme, row.epsilon)), row.scheme != "semi-implicit"
            axes.plot(
                np.linspace(0.01, 1, 100) * T,
                results.arrays(row.run)["norms"],
                ":" if euler else "-",
                color=COLOURS[number],
                label=f"{row.scheme}, $ε$ = {row.epsilon:g}",
                linewidth=1 + 0.8 * (3 - number) * (not euler),
            )
        axes.set(xlabel="$εt$", title=f"$εT$ = {T}")
        axes.legend(frameon=False)
    panels[0].set_ylabel(r"$\|\partial y(T)/\partial y(T-t)\|$")
    return figure


def framed(results: Results) -> Finding:
    rows = results["general"]
    worst = {name: rows[name].max() for name in ("output", "gradient", "skew")}
    return Finding(
        verdict(worst["output"] < 1e-9, worst["gradient"] < 1e-9, given=bool(worst["skew"] < 1e-9)),
        f"largest relative difference: outputs {worst['output']:.1e}, gradients"
        f" {worst['gradient']:.1e}",
        note=(
            f"{', '.join(dict.fromkeys(rows['net']))} against y + h J K.T σ(K y + b) with full"
            f" matrices J (skew to {worst['skew']:.0e}) and K, {rows['layers'].max()} layers. In"
            " MS1 and MS2 J is the inverse of K.T, which costs digits where K is badly"
            " conditioned."
        ),
    )


def framed_table(results: Results) -> pd.DataFrame:
    return (
        results["general"]
        .groupby("net", sort=False)
        .agg(
            **{
                "outputs": ("output", "max"),
                "gradients": ("gradient", "max"),
                "J + J.T": ("skew", "max"),
                "seeds": ("seed", "nunique"),
            }
        )
        .reset_index()
    )
