"""Claim 1: the parameter counts of the paper's table, by layout."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.claim import PARTLY, REPRODUCED, Finding
from stablenets.claims.results import Results

from .look import layout_of
from .published import TABLE
from .settings import BLOCK

BLOCKS = {"none": "one bias", "shift": "two biases", "batch": "norms", "": ""}


def printed(parameters: float, like: str) -> str:
    """In millions, with as many digits as the paper prints."""
    return f"{parameters / 1e6:.{len(like.split('.')[1])}f}"


def counted(results: Results) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The counts of the table's nets, with whether all that the paper prints of them fits; and
    ResNet-1202 with the channels printed.
    """
    rows = results["counts"]
    wide = rows["widths"].map(len) > 0
    fits = [
        all(
            paper is None or printed(row[data], paper) == paper
            for data, paper in zip(
                ("cifar10", "cifar100"), TABLE[row["net"]].parameters, strict=True
            )
        )
        for _, row in rows.iterrows()
    ]
    return rows.assign(fits=fits)[~wide], rows[wide]


def parameters(results: Results) -> Finding:
    rows, wide = counted(results)
    found = rows.groupby("net")["fits"].any()
    missed = [TABLE[net].name for net in TABLE if not found[net]]
    ours = {
        net: rows[(rows["net"] == net) & rows["fits"]]
        for net in TABLE
        if net.startswith("hamiltonian")
    }
    shared = set.intersection(
        *(set(zip(own["transition"], own["block_norm"], strict=True)) for own in ours.values())
    )
    typo = wide["cifar10"].iloc[0] / 1e6
    return Finding(
        REPRODUCED if found.all() else PARTLY,
        f"{found.sum()} of {len(found)} nets fit the paper's counts to all printed digits",
        note="What fits, of two layouts and, in a block, one bias, two or norms: "
        + ", ".join(f"{TABLE[net].name} ({fitting(own)})" for net, own in ours.items())
        + f". {'One' if shared else 'No one'} choice fits all three. after_first_block is the"
        " layout of the authors' code, which has norms from the day before submission on. No"
        f" layout of ours fits {', '.join(missed)}. ResNet-1202 is printed with channels"
        f" 32-64-128, which have {typo:.1f} M; its 19.4 M are those of 16-32-64.",
    )


def fitting(rows: pd.DataFrame) -> str:
    """The choices by which the rows of one net have the paper's counts."""
    fits = rows[rows["fits"]]
    return (
        "; ".join(
            ", ".join(filter(None, (row["transition"], BLOCKS[row["block_norm"]])))
            for _, row in fits.iterrows()
        )
        or "none"
    )


def count_table(results: Results) -> pd.DataFrame:
    rows, _ = counted(results)
    table = []
    for net, own in rows.groupby("net", sort=False):
        layout, block_norm = layout_of(net)
        ours = own[(own["transition"] == layout) & (own["block_norm"] == block_norm)].iloc[0]
        paper = TABLE[net].parameters
        trained = own[
            (own["transition"] == layout)
            & (own["block_norm"] == (BLOCK["block_norm"] if block_norm else ""))
        ].iloc[0]
        table.append(
            {
                "net": TABLE[net].name,
                "as drawn, CIFAR-10": int(ours["cifar10"]),
                "as trained here": int(trained["cifar10"]),
                "paper, M": paper[0],
                "as drawn, CIFAR-100": int(ours["cifar100"]),
                "as trained here, CIFAR-100": int(trained["cifar100"]),
                "paper, CIFAR-100, M": paper[1] or "",
                "drawn": ", ".join(filter(None, (layout, BLOCKS[block_norm]))),
                "trained here fits": "yes" if trained["fits"] else "no",
                "what fits the paper": fitting(own),
            }
        )
    return pd.DataFrame(table)
