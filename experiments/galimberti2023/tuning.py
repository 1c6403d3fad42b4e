"""How the final times of the planar nets were chosen: by validation accuracy, of seeds that are in
no other table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from stablenets.claims.results import Results

from .planar import DATA_NAMES, named
from .settings import TIMES


def tuning_table(results: Results) -> pd.DataFrame:
    """Validation accuracy by final time, on which the choice rests; of several that are best, the
    one in the middle.
    """
    rows = named(results, "tuning")
    table = rows.pivot_table(
        index=["dataset", "depth", "net"],
        columns="T",
        values="validation",
        aggfunc="mean",
        sort=False,
    )
    table = table.sort_index(axis=1)
    best = [middle(row.index[np.isclose(row, row.max())]) for _, row in table.iterrows()]
    table.columns = [f"T = {T:g}" for T in table.columns]
    used = [TIMES[dataset][net] for dataset, _, net in table.index]
    found = table.assign(best=best, used=used).reset_index()
    return found.assign(dataset=found["dataset"].map(DATA_NAMES)).rename(
        columns={"dataset": "data", "depth": "layers"}
    )


def middle(times: Sequence[float]) -> float:
    """Of an even number the shorter of the two in the middle."""
    return times[(len(times) - 1) // 2]
