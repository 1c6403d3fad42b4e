"""How families rank at a depth, and whether isometry predicts accuracy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd

from stablenets import statistics
from stablenets.statistics import Estimate
from stablenets.statistics.aggregates import (
    Scores,
    interquartile_mean,
    probability_of_improvement,
)
from stablenets.statistics.ranks import rank_correlation

from .measures import BENCH_NAMES, DEPTH, benches_of, family_label

# Benches with the same families; only these are compared with each other.
RANKED = {
    "dense": ("swiss_roll", "digits", "mnist"),
    "convolutional": ("mnist_conv", "cifar10"),
    "recurrent": ("psdigits", "psmnist"),
}
TOLERANCE = 10.0  # % by which the parameters of a ranked family may differ from the target


def comparable_runs(runs: pd.DataFrame, kind: str, depth: int) -> pd.DataFrame:
    """The runs at a depth whose families are compared, with `score`: 0 guessing, 1 no error.

    Only families are there that have runs on each bench that has runs at this depth, and whose
    parameters differ by at most TOLERANCE from the target there.
    """
    own = runs[runs["bench"].isin(RANKED[kind]) & (runs["depth"] == depth)]
    is_off = (own["of_target"] - 100).abs() > TOLERANCE
    own = own[~own["family"].isin(own["family"][is_off])]
    benches = own.groupby("family")["bench"].nunique()
    whole = benches.index[benches == own["bench"].nunique()]
    own = own[own["family"].isin(whole)]
    return own.assign(score=(own["accuracy"] - own["chance"]) / (1 - own["chance"]))


def scores_by_family(runs: pd.DataFrame, kind: str, depth: int) -> dict[str, Scores]:
    """For each family of `comparable_runs` its scores by bench."""
    scored = comparable_runs(runs, kind, depth)
    return {
        str(family): {
            bench: of_bench["score"].to_numpy() for bench, of_bench in of_family.groupby("bench")
        }
        for family, of_family in scored.groupby("family", sort=False)
    }


def differences_from_first(runs: pd.DataFrame, kind: str, depth: int) -> list[dict[str, Any]]:
    """A row for each family but the first of `ranked_families`: how far the first is ahead of it.

    The scores of a seed are averaged over data sets, and the difference is paired by seed.
    """
    scored = comparable_runs(runs, kind, depth)
    means = scored.groupby(["family", "seed"])["score"].mean().mul(100)
    labels = {
        family_label(family, bool(own["is_searched"].all())): means[family]
        for family, own in scored.groupby("family", sort=False)
    }
    first, *rest = [row["family"] for row in ranked_families(runs, kind, depth)] or [""]
    found = []
    for other in rest:
        difference = statistics.paired(labels[first], labels[other])
        is_shown = difference.low > 0 or difference.high < 0
        found.append(
            {
                "first": first,
                "other": other,
                "first minus other, points": difference,
                "differs from 0": "yes" if is_shown else "not shown",
                "data sets": scored["bench"].nunique(),
                "seeds": difference.n,
            }
        )
    return found


def ranked_families(runs: pd.DataFrame, kind: str, depth: int) -> list[dict[str, Any]]:
    """A row for each family, the best interquartile mean first."""
    scores = scores_by_family(runs, kind, depth)
    searched = runs.groupby("family")["is_searched"].all().to_dict()
    rows = [
        {
            "family": family_label(family, searched[family]),
            "interquartile mean": scaled(interquartile_mean(own)),
            "better than another": probability_of_improvement(own, others(scores, family)),
            "settings at an edge": edge_text(runs, family, own),
            "data sets": len(own),
            "seeds": min(map(len, own.values())),
        }
        for family, own in scores.items()
        if len(scores) > 1
    ]
    return sorted(rows, key=lambda row: row["interquartile mean"].value, reverse=True)


def edge_text(runs: pd.DataFrame, family: str, benches: Iterable[str]) -> str:
    """On which data sets which settings of a family are at an edge of the search; else ''."""
    own = runs[runs["family"] == family].drop_duplicates("bench").set_index("bench")["at_edge"]
    return "; ".join(f"{BENCH_NAMES[bench]}: {own[bench]}" for bench in benches if own[bench])


def others(scores: dict[str, Scores], family: str) -> Scores:
    """The scores of all other families by bench."""
    return {
        bench: np.concatenate([own[bench] for name, own in scores.items() if name != family])
        for bench in scores[family]
    }


def scaled(estimate: Estimate, factor: float = 100.0) -> Estimate:
    """An estimate in per cent."""
    ends = (factor * end for end in (estimate.value, estimate.low, estimate.high))
    return Estimate(*ends, n=estimate.n)


def isometry_correlations(runs: pd.DataFrame) -> list[dict[str, Any]]:
    """The rank correlation of isometry and accuracy for each bench, over all depths and at each."""
    found = []
    for bench in benches_of(runs):
        of_bench = runs[runs["bench"] == bench]
        depths = sorted(set(of_bench["depth"]))
        parts = {"all": of_bench} if len(depths) > 1 else {}
        parts |= {str(depth): of_bench[of_bench["depth"] == depth] for depth in depths}
        for layers, own in parts.items():
            correlation = rank_correlation(-own["defect"], own["accuracy"], own["family"])
            is_shown = correlation.low > 0 or correlation.high < 0
            found.append(
                {
                    "bench": BENCH_NAMES[bench],
                    DEPTH: layers,
                    "rank correlation": correlation,
                    "differs from 0": "yes" if is_shown else "not shown",
                    "families": own["family"].nunique(),
                    "runs": len(own),
                }
            )
    return found
