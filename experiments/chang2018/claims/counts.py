"""Claim 1: numbers of parameters, by layouts that we reconstructed."""

from __future__ import annotations

from collections.abc import Collection, Iterator

import pandas as pd

from stablenets.claims.criteria import Criterion, at_least
from stablenets.claims.estimates import exact, select_rows
from stablenets.claims.results import Results

from ..published import TABLE
from ..runs import paper

KINDS = {  # networks that have one layout, by the first letters of their presets
    "Hamiltonian networks": ("hamiltonian",),
    "ResNets and RevNets": ("resnet", "revnet"),
    "midpoint and leapfrog networks": ("midpoint", "leapfrog"),
}


def counted(results: Results) -> pd.DataFrame:
    """The parameter counts of the table's networks, with `fits`: all printed digits agree."""
    rows = results["counts"]
    rows = rows[rows["widths"].map(len) == 0]

    def fits(row: pd.Series) -> bool:
        stated = zip(("cifar10", "cifar100"), TABLE[row["net"]].parameters, strict=True)
        return all(
            text is None or in_millions(row[data], like=text) == text for data, text in stated
        )

    return rows.assign(fits=rows.apply(fits, axis=1))


def in_millions(count: float, like: str) -> str:
    """A count in millions, rounded to the digits of a printed number."""
    return f"{count / 1e6:.{len(like.split('.')[1])}f}"


def most_by_one_layout(rows: pd.DataFrame, nets: Collection[str]) -> tuple[int, int]:
    """The most of these networks whose counts one layout has, and the number of layouts tried."""
    layouts = select_rows(rows, net=nets).groupby(["transition", "block_norm"])["fits"].sum()
    return int(layouts.max()), len(layouts)


@paper.claim(
    "1",
    kind="ours",
    source="the numbers are those of the main table; the layouts are our reconstruction",
    runs=["counts"],
    published="0.43 to 19.4 million",
)
def parameters(results: Results) -> Iterator[Criterion]:
    """For each kind of network, one layout (where the width changes between units, and which norms
    and biases a block has) gives the numbers of parameters of the main table, to all printed
    digits.
    """
    rows = counted(results)
    for label, starts in KINDS.items():
        nets = [net for net in TABLE if net.startswith(starts)]
        most, tried = most_by_one_layout(rows, nets)
        best = f"in the best of {tried} layouts" if tried > 1 else "in their only layout"
        label = f"number of the {len(nets)} {label} that have the paper's parameter count {best}"
        yield at_least(exact(most, len(nets), "networks"), len(nets), label)
