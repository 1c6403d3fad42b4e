"""The runs behind a claim, by group of the plan, and the command that makes them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from stablenets.claims.grid import PROFILES, SMOKE
from stablenets.claims.ledger import Ledger
from stablenets.claims.paper import DeclaredClaim, Paper
from stablenets.claims.results import Results
from stablenets.claims.work import Training
from stablenets.runs.provenance import command_line


@dataclass(frozen=True)
class GroupOfRuns:
    """The runs of one group that a claim reads.

    Attributes:
        name: The name of the group in experiments/<paper>/runs.py.
        planned: Number of planned runs and studies.
        finished: Number of those with a result.
        diverged: Number of those that diverged.
        seconds: Their processor time, summed.
        trainings: The names of the finished trainings.
        example: The command of the first training with a result; '' if there is none.
    """

    name: str
    planned: int
    finished: int
    diverged: int
    seconds: float
    trainings: tuple[str, ...]
    example: str


class PaperRuns:
    """The plans of one paper with its ledgers; each plan is computed once.

    Args:
        paper: The paper.
        ledgers: All ledgers by "paper/profile".
    """

    def __init__(self, paper: Paper, ledgers: Mapping[str, Ledger]) -> None:
        self.paper = paper
        self.results = {
            profile: Results(paper.plan(profile), ledgers.get(f"{paper.handle}/{profile}", {}))
            for profile in PROFILES
            if profile != SMOKE
        }

    def groups(self, claim: DeclaredClaim, profile: str) -> list[GroupOfRuns]:
        """The groups of a claim at a profile."""
        return [self.group(name, self.results[profile]) for name in claim.runs]

    def group(self, name: str, results: Results) -> GroupOfRuns:
        """One group of a plan with its results."""
        works = results.works([name]) if name in results.plan else []
        entries = [results.ledger[work.name] for work in works]
        trainings = tuple(work.name for work in works if isinstance(work, Training))
        return GroupOfRuns(
            name,
            len(results.plan.get(name, ())),
            len(works),
            sum(entry.status == "diverged" for entry in entries),
            sum(entry.provenance["wall_s"] for entry in entries),
            trainings,
            results.ledger[trainings[0]].command if trainings else "",
        )

    def deciding_profile(self, claim: DeclaredClaim) -> str:
        """The smallest compute budget whose plan has all runs of a claim, on the claim's data.

        If there is none, it is the largest compute budget.
        """
        for profile, results in self.results.items():
            works = [work for name in claim.runs for work in results.plan.get(name, ())]
            has_all = all(results.plan.get(name) for name in claim.runs)
            if has_all and (not claim.data or {work.dataset for work in works} & {*claim.data}):
                return profile
        return PROFILES[-1]


def reproduce_commands(handle: str, profile: str, groups: tuple[str, ...]) -> dict[str, str]:
    """The commands that make the runs of some groups, and decide the claim: by tool."""
    words = ["reproduce", handle, "--profile", profile, *(["--groups", *groups] if groups else [])]
    chosen = f" RUN_GROUPS='{' '.join(groups)}'" if groups else ""
    return {
        "stablenets": command_line(words),
        "make": f"make reproduce-{handle} PROFILE={profile}{chosen}",
    }
