"""Estimated run times of jobs: for the time left, and for the order in which they run."""

from __future__ import annotations

import itertools
import statistics
from collections.abc import Sequence
from pathlib import Path

from stablenets.claims.grid import PROFILES
from stablenets.claims.ledger import read_ledger
from stablenets.claims.paper import Paper
from stablenets.claims.work import Work, in_dependency_order
from stablenets.errors import BadInput
from stablenets.runs.folder import RunFolder


class RunTimes:
    """How long jobs take.

    A job that ran before, here or on the machine that wrote the ledger, is expected to take the
    same time again. For other jobs, the time is the cost of the job times the median time per unit
    of cost in its cost class.

    Args:
        paper: The paper, whose ledgers of all profiles are read.
        folders: Folders of all results: those made here, and the published ones.
    """

    def __init__(self, paper: Paper, folders: Sequence[Path]) -> None:
        self.known: dict[str, float] = {}
        self.rates: dict[tuple[str, ...], list[float]] = {}
        for results, profile in itertools.product(folders, PROFILES):
            try:
                ledger = read_ledger(results / paper.handle / profile)
            except BadInput:  # a damaged ledger is refused where its results are needed
                continue
            if not ledger:
                continue
            for work in in_dependency_order(list(paper.plan(profile, None).values())):
                if entry := ledger.get(work.name):
                    self.add(work, float(entry.provenance["wall_s"]))

    def add(self, work: Work, wall: float) -> None:
        """Learn the wall time of a job in seconds."""
        self.known[work.name] = wall
        self.rates.setdefault(work.cost_class, []).append(wall / work.cost)

    def add_from_folder(self, work: Work, runs: Path) -> None:
        """Learn the wall time of a job from its run folder, if it is finished."""
        if status := RunFolder(runs / work.name).finished_status():
            self.add(work, float(status["wall_s"]))

    def estimate(self, work: Work) -> float:
        """Expected seconds of a job; 0 if nothing is known of its cost class."""
        if work.name in self.known:
            return self.known[work.name]
        rates = self.rates.get(work.cost_class)
        return statistics.median(rates) * work.cost if rates else 0.0

    def time_left(self, works: Sequence[Work], processes: int) -> str:
        """The expected time for these jobs in words; '' if there are none."""
        if not works:
            return ""
        unknown = sum(
            work.name not in self.known and work.cost_class not in self.rates for work in works
        )
        if unknown == len(works):
            return "; time left not known yet"
        times = [self.estimate(work) for work in works]
        seconds = round(max(sum(times) / processes, max(times)))
        clock = f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        uncounted = f", {unknown} runs of unknown duration not counted" if unknown else ""
        return f"; about {clock} left{uncounted}"


def longest_first(works: Sequence[Work], times: RunTimes) -> list[Work]:
    """Sort jobs by their expected time plus the longest chain of jobs that wait for them.

    Args:
        works: Jobs, each after the jobs that it needs.
        times: Their expected times.
    """
    total, waiting = {}, dict.fromkeys((work.name for work in works), 0.0)
    for work in reversed(works):
        total[work.name] = times.estimate(work) + waiting[work.name]
        for needed in work.needs:
            waiting[needed.name] = max(waiting.get(needed.name, 0.0), total[work.name])
    return sorted(works, key=lambda work: total[work.name], reverse=True)
