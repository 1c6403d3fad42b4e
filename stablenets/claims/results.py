"""What claims, tables and figures read: the rows of each group of the plan, and the arrays of a
run.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from stablenets.claims.ledger import Ledger
from stablenets.claims.work import Work

Plan = Mapping[str, Sequence[Work]]  # work by group; a group is what a claim asks for


@dataclass(frozen=True)
class Results:
    """The plan of a profile joined with what is known of its work; and which groups have been read,
    in their order, so that what is made of them can say who made them.
    """

    plan: Plan
    ledger: Ledger
    read: dict[str, None] = field(default_factory=dict, init=False, compare=False)

    def __getitem__(self, group: str) -> pd.DataFrame:
        """A row for each finished piece of work: run, status, dataset, seed, its options, its
        metrics.
        """
        return pd.DataFrame(
            [
                {
                    "run": work.name,
                    "status": self.ledger[work.name].status,
                    "dataset": work.dataset,
                    "seed": work.seed,
                    **self.ledger[work.name].options,
                    **self.ledger[work.name].metrics,
                }
                for work in self.works((group,))
            ]
        )

    def arrays(self, run: str) -> dict[str, np.ndarray]:
        return self.ledger[run].arrays

    def missing(self, groups: Iterable[str]) -> int:
        """How much of the planned work of these groups has no result."""
        return sum(
            work.name not in self.ledger for group in groups for work in self.plan.get(group, ())
        )

    def works(self, groups: Iterable[str]) -> list[Work]:
        """The work of these groups that has a result."""
        groups = tuple(groups)
        self.read.update(dict.fromkeys(groups))
        return [
            work
            for group in groups
            for work in self.plan.get(group, ())
            if work.name in self.ledger
        ]

    def unread(self) -> Results:
        return Results(self.plan, self.ledger)

    def commits(self) -> str:
        """Every commit that made a part of what has been read, the most frequent first."""
        runs = dict.fromkeys(work.name for work in self.works(self.read))
        return " ".join(
            pd.Series([self.ledger[run].provenance["commit"] for run in runs], dtype=str)
            .value_counts()
            .index
        )
