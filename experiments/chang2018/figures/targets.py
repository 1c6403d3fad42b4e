"""How long the networks of the paper's table need to a test accuracy on CIFAR."""

from __future__ import annotations

import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.targets import target_table, with_targets

from ..claims.naming import LABELS, with_names
from ..runs import paper


def cifar_targets(results: Results, group: str, targets: tuple[float, ...]) -> pd.DataFrame:
    """The table of one group of runs on CIFAR."""
    rows = with_names(with_targets(results, [group], targets))
    rows["dataset"] = rows["dataset"].map(LABELS)
    return target_table(rows, {"dataset": "data", "net": "net"})


@paper.table("targets", runs=["quarter"])
def cifar10_targets_table(results: Results) -> pd.DataFrame:
    """CIFAR-10 at a quarter of the recipe: epochs, steps and minutes to a test accuracy, medians
    over seeds. Minutes are wall time. `make reproduce-chang2018 RUN_GROUPS=GROUP`, with the PROFILE
    of this page, makes the runs of a line.
    """
    return cifar_targets(results, "quarter", (0.8, 0.9, 0.92))


@paper.table("targets_cifar100", runs=["quarter_cifar100"])
def cifar100_targets_table(results: Results) -> pd.DataFrame:
    """CIFAR-100 at a quarter of the recipe, as the table `targets`."""
    return cifar_targets(results, "quarter_cifar100", (0.5, 0.6, 0.65, 0.7))
