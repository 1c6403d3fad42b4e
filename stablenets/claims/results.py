"""What claims, tables and figures read: rows by group of the plan, and the arrays of a run."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stablenets.claims.ledger import Ledger
from stablenets.claims.work import Training, Work
from stablenets.errors import BadInput
from stablenets.schema import suggest

Plan = Mapping[str, Sequence[Work]]  # runs by group; claims and drawings ask for groups


@dataclass(frozen=True)
class Results:
    """The plan of a profile joined with the ledger of finished runs.

    Attributes:
        plan: The planned runs by group.
        ledger: The finished runs by name.
    """

    plan: Plan
    ledger: Ledger

    def __getitem__(self, group: str) -> pd.DataFrame:
        """The finished runs of a group, one row each: status, seed, options and metrics.

        Raises:
            BadInput: If a group is not in the plan; a check sees only the groups of its claim.
        """
        return pd.DataFrame(
            [
                {
                    "run": work.name,
                    "status": self.ledger[work.name].status,
                    "dataset": work.dataset,
                    "seed": work.seed,
                    "chance": chance(work),
                    "seconds": self.ledger[work.name].provenance["wall_s"],
                    **self.ledger[work.name].options,
                    **self.ledger[work.name].metrics,
                }
                for work in self.works((group,))
            ]
        )

    def only(self, groups: Iterable[str]) -> Results:
        """The same results with these groups only, so that a check reads only what it declares."""
        return Results({group: self.plan[group] for group in groups}, self.ledger)

    def arrays(self, run: str) -> dict[str, np.ndarray]:
        """The arrays that the ledger keeps of a run, by name."""
        return self.ledger[run].arrays

    def curves(self, rows: pd.DataFrame, name: str) -> np.ndarray:
        """The arrays with a name of all runs in the rows, stacked: (runs, ...)."""
        return np.stack([self.arrays(run)[name] for run in rows["run"]])

    def missing(self, groups: Iterable[str]) -> int:
        """The number of planned runs of these groups that have no result."""
        return sum(
            work.name not in self.ledger for group in groups for work in self.plan.get(group, ())
        )

    def works(self, groups: Collection[str]) -> list[Work]:
        """The planned runs of these groups that have a result.

        Raises:
            BadInput: If a group is not in the plan; a check sees only the groups of its claim.
        """
        for group in groups:
            if group not in self.plan:
                raise BadInput(f"results[{group!r}]: {suggest(group, self.plan, 'groups here')}")
        return [work for group in groups for work in self.plan[group] if work.name in self.ledger]

    def commits_of(self, groups: Collection[str]) -> str:
        """The commits that made the runs of these groups, the most frequent first."""
        runs = dict.fromkeys(work.name for work in self.works(groups))
        commits = [self.ledger[run].provenance["commit"] for run in runs]
        return " ".join(pd.Series(commits, dtype=str).value_counts().index)


def chance(work: Work) -> float:
    """The accuracy of guessing; NaN for a study and for a regression."""
    if not isinstance(work, Training):
        return math.nan
    facts = work.resolved.dataset.facts
    return 1 / facts.outputs if facts.task == "classify" else math.nan
