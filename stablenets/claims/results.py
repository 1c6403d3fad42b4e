"""What claims, tables and figures read: the rows of each group of the plan, and the arrays of a run."""
from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stablenets.claims.ledger import Ledger
from stablenets.claims.work import Work

Plan = Mapping[str, Sequence[Work]]  # work by group; a group is what a claim asks for


@dataclass(frozen=True)
class Results:
    """The plan of a profile joined with what is known of its work."""

    plan: Plan
    ledger: Ledger

    def __getitem__(self, group: str) -> pd.DataFrame:
        """A row for each finished piece of work: run, status, dataset, seed, its options, its metrics."""
        return pd.DataFrame([
            {"run": work.name, "status": self.ledger[work.name].status, "dataset": work.dataset, "seed": work.seed, **work.options,
             **self.ledger[work.name].metrics}
            for work in self.plan.get(group, ()) if work.name in self.ledger])

    def arrays(self, run: str) -> dict[str, np.ndarray]:
        return self.ledger[run].arrays

    def missing(self, groups: Iterable[str]) -> int:
        """How much of the planned work of these groups has no result."""
        return sum(work.name not in self.ledger for group in groups for work in self.plan.get(group, ()))

    def works(self, groups: Iterable[str]) -> list[Work]:
        """The work of these groups that has a result."""
        return [work for group in groups for work in self.plan.get(group, ()) if work.name in self.ledger]

    def commits(self, groups: Iterable[str]) -> str:
        """Every commit that made a part of it, the most frequent first."""
        made = pd.Series([self.ledger[work.name].provenance["commit"] for work in self.works(groups)], dtype=str)
        return " ".join(made.value_counts().index)
