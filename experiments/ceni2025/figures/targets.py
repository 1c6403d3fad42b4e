"""How long networks on pixels need to a test accuracy."""

from __future__ import annotations

import math

import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.targets import target_table, with_targets
from stablenets.claims.work import Work

from ..names import LABELS
from ..runs import paper
from .pixels import minutes_an_epoch, with_width

TARGETS = (0.94, 0.96, 0.98)
GROUPS = ("ten_epochs", "wide", "hidden", "ten_epochs_lstm")


@paper.table("targets", runs=[*GROUPS, "step_time"])
def targets_table(results: Results) -> pd.DataFrame:
    """Permuted pixels: epochs, steps and minutes to a test accuracy, medians over seeds. Minutes
    are those of training steps on one thread, without evaluation; epochs are evaluated as a whole.
    `make reproduce-ceni2025 RUN_GROUPS=GROUP`, with the PROFILE of this page, makes the runs of a
    line.
    """
    works: dict[str, Work] = {work.name: work for work in results.works(GROUPS)}

    def seconds_to_target(row: pd.Series) -> float:
        if not math.isfinite(row["target_epochs"]):
            return math.inf
        return 60 * row["target_epochs"] * minutes_an_epoch(results, works[row["run"]])

    rows = with_width(with_targets(results, GROUPS, TARGETS))
    rows["target_seconds"] = rows.apply(seconds_to_target, axis=1)
    rows["net.family"] = rows["net.family"].map(LABELS)
    rows["dataset"] = rows["dataset"].map(LABELS)
    by = {"dataset": "data", "net.family": "net", "width": "H"}
    return target_table(rows, by | {"net.head_hidden": "hidden neurons of the readout"})
