"""Claim 6: roaRNN and an LSTM with as many trainable parameters, in the same budget; and both by
how many they have.
"""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator

from stablenets import statistics
from stablenets.claims.claim import NOT_RUN, Finding, compared
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure

from .nets import DATA_NAMES, RECURRENT, accuracy, counted, rows_of
from .pace import key, minutes_an_epoch
from .pixels import REAL


def beats_lstm(results: Results) -> Finding:
    parts, gains = [], []
    for group in ("first", "pixels"):
        rows = rows_of(group, results)
        ours, theirs = (
            100 * rows[rows["net.family"] == family].set_index("seed")["test_accuracy"].fillna(0.0)
            for family in ("roarnn", "lstm")
        )
        gains.append(statistics.paired(ours, theirs))
        parts.append(f"{counted(rows['epochs'].max())} {gains[-1].signed()}")
    rows = rows_of("pixels", results)
    dataset = rows["dataset"].iloc[0]
    sizes = rows.groupby("net.family")["parameters"].max()
    works = {work.resolved.net.family: work for work in results.works(("pixels", "pixels_lstm"))}
    times = {family: minutes_an_epoch(results, key(work), work) for family, work in works.items()}
    paces = (
        f" An epoch takes {times['roarnn']:.2g} and {times['lstm']:.2g} minutes on one thread."
        if times["roarnn"]
        else ""
    )
    found = (
        f"{DATA_NAMES[dataset]}, points that roaRNN is ahead of torch's LSTM: {'; '.join(parts)}",
        gains[-1].low,
        gains[-1].high,
    )
    note = (
        "Reproduced if all intervals lie above 0, paired over seeds; shown is the last. Trainable"
        f" parameters: roaRNN {sizes['roarnn']:,.0f}, beside its filter, which is fixed; LSTM"
        f" {sizes['lstm']:,.0f}.{paces} Each family has its own rate; batch, warm-up, clipping and"
        f" smoothing were found for roaRNN.{with_chrono(results)}{by_size(results)}"
    )
    if dataset != REAL:
        return Finding(NOT_RUN, *found, f"The claim is about psMNIST, which this is not. {note}")
    return Finding(compared([(gain, 0.0) for gain in gains]), *found, note)


def with_chrono(results: Results) -> str:
    """What the initialisation does here that lets an LSTM add over 10,000 steps."""
    rows, works = results["rates_chrono"], results.works(("rates_chrono",))
    if not len(rows) or results.missing(("rates_chrono",)):
        return ""
    rows = rows.assign(
        epochs=[work.resolved.config.epochs for work in works],
        percent=100 * rows["validation_accuracy"].fillna(0.0),
    )
    found = ", ".join(
        f"{counted(epochs)} {own['percent'].max():.1f} % ({counted(len(own), 'rate')})"
        for epochs, own in rows.groupby("epochs")
    )
    return (
        " LSTM with the chrono initialisation, forget gates that begin as long as the sequence, on"
        f" validation and one seed, the best of the rates tried: {found} (table `rates`)."
    )


def sizes(results: Results) -> pd.DataFrame:
    """A row a net, from few trainable parameters to many."""
    rows = results["sizes"]
    return pd.DataFrame(
        [
            {
                "net": RECURRENT[family][0],
                "H": int(own["net.widths"].iloc[0][0]),
                "trainable parameters": int(count),
                "epochs": int(own["epochs"].max()),
                "estimate": accuracy(own),
                "seeds": own["seed"].nunique(),
            }
            for (family, count), own in rows.groupby(["net.family", "parameters"])
        ]
    )


def by_size(results: Results) -> str:
    if not len(results["sizes"]):
        return ""
    rows = sizes(results)
    told = "; ".join(
        f"{net} "
        + ", ".join(
            f"{estimate.value:.1f} % with {count:,}"
            for count, estimate in zip(own["trainable parameters"], own["estimate"], strict=True)
        )
        for net, own in rows.groupby("net")
    )
    return (
        f" By trainable parameters, {counted(rows['epochs'].max())},"
        f" {counted(rows['seeds'].max(), 'seed')}, at the rates of claim 4: {told}."
    )


def size_table(results: Results) -> pd.DataFrame:
    rows = sizes(results)
    rows.insert(4, "test accuracy", rows.pop("estimate").map(str))
    return rows


def size_figure(results: Results) -> Figure:
    """Test accuracy by trainable parameters."""
    figure, (axes,) = new_figure(1, width=4.2, height=2.9)
    rows = sizes(results)
    for name, colour, marker in RECURRENT.values():
        own = rows[rows["net"] == name]
        if len(own):
            axes.plot(
                own["trainable parameters"],
                [each.value for each in own["estimate"]],
                color=colour,
                marker=marker,
                label=name,
            )
    axes.set(
        xscale="log",
        xlabel="trainable parameters",
        ylabel="test accuracy in %",
        xticks=rows.loc[rows["net"] == RECURRENT["roarnn"][0], "trainable parameters"],
        title=f"{DATA_NAMES[results['sizes']['dataset'].iloc[0]]}, {counted(rows['epochs'].max())}",
    )
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.xaxis.set_minor_locator(NullLocator())
    axes.legend(frameon=False)
    return figure
