"""Claims 8 and 10: the penalty on changes over depth, and small networks on digits."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets.claims.comparing import compare_pairs
from stablenets.claims.criteria import Criterion, ahead_of, at_least
from stablenets.claims.estimates import gap_between, select_rows
from stablenets.claims.results import Results
from stablenets.statistics import Estimate

from ..published import SECOND_HAND
from ..runs import paper
from ..trainings import AS_IT_IS, SMOOTH, VARIANTS
from .naming import NAMES, with_names

# What claim 10 compares: ours, theirs and the threshold of ours minus theirs, in points
ON_PAR = [("hamiltonian", "resnet_bn", -1.0), ("hamiltonian", "revnet", -1.0)]
IN_ORDER = [("hamiltonian", "leapfrog", 0.0), ("leapfrog", "midpoint", 0.0)]


def with_variants(results: Results) -> pd.DataFrame:
    """The rows of the ablations with a column `variant`: what is changed."""

    def has(row: pd.Series, name: str) -> bool:
        for key, value in VARIANTS[name].items():
            nested = value.items() if isinstance(value, dict) else [(key, value)]
            prefix = "optim." if isinstance(value, dict) else "" if key == "h" else "net."
            if any(row[prefix + inner] != entry for inner, entry in nested):
                return False
        return True

    def variant(row: pd.Series) -> str:
        fitting = [name for name in VARIANTS if has(row, name)]
        return max(fitting, key=lambda name: len(VARIANTS[name]), default=AS_IT_IS)

    rows = results["ablations"]
    return rows.assign(variant=rows.apply(variant, axis=1))


def variant_gain(rows: pd.DataFrame, variant: str) -> Estimate:
    """The gain in accuracy by a variant, in points, paired over seeds."""
    return gap_between(rows, "variant", variant, AS_IT_IS)


@paper.claim(
    "8",
    kind="paper",
    source=SECOND_HAND,
    runs=["ablations"],
    data=["cifar10", "cifar100", "stl10"],
    figure="ablations",
)
def penalty(results: Results) -> Iterator[Criterion]:
    """A penalty on changes of the weights over depth helps to generalise."""
    gain = variant_gain(with_variants(results), SMOOTH)
    yield ahead_of(gain, 0.0, "test accuracy with the penalty minus without", "points")


# Of claims 10a and 10b, and of tables `digits` and `tuning`
SEARCHED_ON_DIGITS = (
    "with all training digits, the learning rate is 0.1 for every network and was searched for"
    " none; h was searched for Hamiltonian, midpoint and leapfrog, but midpoint has 0.1 and"
    " leapfrog 0.5, although h = 1 was better in the search"
)
DIGITS = {"kind": "ours", "runs": ["digits"], "figure": "digits"}


@paper.claim(
    "10a",
    source=f"claim 4b on substitute data; {SEARCHED_ON_DIGITS}, see table `tuning` of profile full",
    **DIGITS,
)
def digits_on_par(results: Results) -> Iterator[Criterion]:
    """On 8x8 digits, a small Hamiltonian network is at most 1 point below ResNet and RevNet of its
    size.
    """
    for ours, theirs, line in ON_PAR:
        pair = [(ours, theirs)]
        yield from compare_pairs(at_least, results["digits"], "family", pair, line, names=NAMES)


@paper.claim(
    "10b",
    source=f"claim 4c on substitute data; {SEARCHED_ON_DIGITS}, see table `tuning` of profile full",
    **DIGITS,
)
def digits_order(results: Results) -> Iterator[Criterion]:
    """On 8x8 digits, Hamiltonian is ahead of leapfrog, and leapfrog of midpoint."""
    for ours, theirs, line in IN_ORDER:
        pair = [(ours, theirs)]
        yield from compare_pairs(ahead_of, results["digits"], "family", pair, line, names=NAMES)


@paper.claim(
    "10c",
    kind="ours",
    source="claim 6 on substitute data",
    runs=["digits_by_depth"],
    figure="digits_by_depth",
)
def digits_deep(results: Results) -> Iterator[Criterion]:
    """On 8x8 digits, a Hamiltonian network of 194 layers is at most 1 point below one of 38."""
    rows = select_rows(with_names(results["digits_by_depth"]), family="hamiltonian")
    rows = rows.sort_values("layers")
    yield from compare_pairs(at_least, rows, "net", [tuple(rows["net"].iloc[[-1, 0]])], -1.0)
