"""One command a paper: plan, make what is missing, write tables and figures, show the verdicts."""

from __future__ import annotations

import math
import shutil
import signal
import statistics
import sys
import textwrap
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stablenets import data
from stablenets.claims import ledger, pages, tables
from stablenets.claims.claim import PROFILES, Paper
from stablenets.claims.results import Results
from stablenets.claims.work import RunContext, Training, Work, unique
from stablenets.errors import EXIT_FAILED, EXIT_TIME, BadInput
from stablenets.execution.pool import make_all
from stablenets.runs.folder import FINISHED, RunFolder
from stablenets.schema import suggest
from stablenets.training import precision
from stablenets.training.progress import LINE_EVERY
from stablenets.training.run import Outcome, data_root, pick_device


def reproduce(
    paper: Paper,
    place: RunContext,
    *,
    results: Path,
    jobs: int,
    seeds: int | None,
    collect: bool,
    joined: Sequence[Path],
    only: Sequence[str],
    deadline: float = math.inf,
) -> int:
    """The exit code: not 0 where work failed or was interrupted, whatever the verdicts are.

    `only`: make the runs of these groups of the plan alone. `deadline`: stop when time.monotonic()
    has passed it, and until then make the groups in their order, the first to be asked for or
    planned first; without a limit what takes longest comes first. What the ledgers in the folders
    `joined` hold is not made again, unless its weights are needed for something else.
    """
    plan = paper.plan(place.profile, seeds)
    for group in only:
        if group not in plan:
            raise BadInput(
                f"ONLY={group}: no group of {paper.handle}; {suggest(group, plan, 'one of')}"
            )
        if not plan[group]:
            raise BadInput(f"ONLY={group}: has no runs at PROFILE={place.profile}")
    for other in joined:
        if not (other / ledger.TABLE).is_file():
            raise BadInput(
                f"JOIN={other}: no {ledger.TABLE} there; give folders as"
                f" results/{paper.handle}/{place.profile}"
            )
    works = unique(list(plan.values()))
    folder = results / paper.handle / place.profile
    lent = ledger.latest(map(ledger.read, joined))
    noted = ledger.latest([ledger.read(folder), lent])
    code = 0
    if not collect:
        pick_device(place.device)
        wanted = unique([plan[group] for group in only]) if only else works
        unfinished = [
            work for work in wanted if work.name not in lent and not finished(work, place.runs)
        ]
        missing = [
            work for work in unique([unfinished]) if not finished(work, place.runs)
        ]  # and what they need, once more
        check_data(missing, place)
        code = make(paper, place, wanted, missing, jobs, Times(paper, results), deadline)
    ledger.write(folder, ledger.join(works, place.runs, noted))
    found = Results(
        plan, ledger.read(folder)
    )  # and not what it was written from: another machine has the ledger alone
    rows = pages.write(paper, found, place.profile, folder, place.command)
    print("\n".join(shown(paper, place.profile, rows, folder)))
    return code


def finished(work: Work, runs: Path) -> bool:
    status = RunFolder(runs / work.name).status()
    return status is not None and status["status"] in FINISHED


def check_data(works: Sequence[Work], place: RunContext) -> None:
    """Read each data set once: what is missing or damaged is one line now, not a failed run in an
    hour.
    """
    runs = {work.dataset: work.resolved for work in works if isinstance(work, Training)}
    for run in runs.values():
        root = data_root(replace(run.config, data_root=place.data_root))
        data.load(
            run.dataset,
            run.common,
            root=root,
            split_seed=run.config.seeds.split,
            permutation_seed=run.config.seeds.permutation,
            device="cpu",
            download=False,
        )


def make(
    paper: Paper,
    place: RunContext,
    works: list[Work],
    missing: list[Work],
    jobs: int,
    times: Times,
    deadline: float,
) -> int:
    """Make what is missing and say how it goes."""
    head = f"{paper.handle} {place.profile}: {len(works)} runs, {len(works) - len(missing)} done"
    if not missing:
        print(f"{head}, nothing left to make", flush=True)
        return 0
    print(
        f"{head}, {len(missing)} to make with {jobs} at a time{times.left(missing, jobs)}",
        flush=True,
    )
    trainings = [work for work in missing if isinstance(work, Training)]
    for line in {
        precision.warning(work.resolved.config.precision, pick_device(place.device))
        for work in trainings
    } - {""}:
        print(line, flush=True)
    remaining = {work.name: work for work in missing}
    failed: list[Outcome] = []
    said = time.monotonic()
    with tqdm(
        total=len(missing),
        unit="run",
        dynamic_ncols=True,
        leave=False,
        disable=not sys.stderr.isatty(),
    ) as bar:

        def on_finished(work: Work, outcome: Outcome) -> None:
            nonlocal said
            remaining.pop(work.name)
            times.learn(work, place.runs)
            if outcome.exit_code and outcome.status != "interrupted":
                failed.append(outcome)
                tqdm.write(outcome.message, file=sys.stderr)
            bar.update()
            bar.set_postfix_str(
                f"{work.name} {outcome.status}{times.left(list(remaining.values()), jobs)}"
            )
            if bar.disable and time.monotonic() - said > LINE_EVERY:
                said = time.monotonic()
                print(
                    f"[{len(missing) - len(remaining)}/{len(missing)}] {work.name}:"
                    f" {outcome.status}{times.left(list(remaining.values()), jobs)}",
                    flush=True,
                )

        stopped = make_all(
            missing if deadline < math.inf else urgent(missing, times),
            place,
            jobs,
            on_finished,
            deadline,
        )
    if failed:
        print(
            f"{len(failed)} of {len(missing)} runs have no result; the same command tries them"
            " again",
            file=sys.stderr,
        )
    if stopped == signal.SIGALRM:
        print(
            f"the time is over and {sum(not finished(work, place.runs) for work in missing)} runs"
            " are still to make; what was under way is saved, and the same command goes on",
            file=sys.stderr,
        )
        return EXIT_FAILED if failed else EXIT_TIME
    if stopped is not None:
        print(
            "interrupted; what was under way is saved, and the same command goes on",
            file=sys.stderr,
        )
        return 128 + stopped
    return EXIT_FAILED if failed else 0


def urgent(works: Sequence[Work], times: Times) -> list[Work]:
    """First what takes longest, together with the longest chain of work that waits for it; `works`
    has what is needed before its need.
    """
    rank, behind = {}, dict.fromkeys((work.name for work in works), 0.0)
    for work in reversed(works):
        rank[work.name] = times.of(work) + behind[work.name]
        for needed in work.needs:
            behind[needed.name] = max(behind.get(needed.name, 0.0), rank[work.name])
    return sorted(works, key=lambda work: rank[work.name], reverse=True)


class Times:
    """How long work takes: as it took before, here or where the ledger was written, else as work
    like it took for its size.
    """

    def __init__(self, paper: Paper, results: Path) -> None:
        self.known: dict[str, float] = {}
        self.rates: dict[tuple[str, ...], list[float]] = {}
        for profile in PROFILES:
            noted = ledger.read(results / paper.handle / profile)
            if noted:
                for work in unique(list(paper.plan(profile, None).values())):
                    if entry := noted.get(work.name):
                        self.add(work, float(entry.provenance["wall_s"]))

    def add(self, work: Work, wall: float) -> None:
        self.known[work.name] = wall
        self.rates.setdefault(work.cost_class, []).append(wall / work.cost)

    def learn(self, work: Work, runs: Path) -> None:
        if finished(work, runs):
            self.add(work, float(RunFolder(runs / work.name).status()["wall_s"]))

    def of(self, work: Work) -> float:
        """Seconds; 0 where nothing is known of work like it."""
        if work.name in self.known:
            return self.known[work.name]
        return (
            statistics.median(self.rates[work.cost_class]) * work.cost
            if work.cost_class in self.rates
            else 0.0
        )

    def left(self, works: Sequence[Work], jobs: int) -> str:
        """For people: the time that this work takes, or as much of it as is known."""
        if not works:
            return ""
        unknown = sum(
            work.name not in self.known and work.cost_class not in self.rates for work in works
        )
        seconds = round(max(sum(map(self.of, works)) / jobs, max(map(self.of, works))))
        about = f"; about {seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
        if unknown == len(works):
            return "; how long is not known yet"
        return about + (
            f", and {unknown} of which the time is not known yet" if unknown else " left"
        )


def shown(paper: Paper, profile: str, rows: list[dict[str, Any]], folder: Path) -> list[str]:
    """The claims for a terminal."""
    width = min(shutil.get_terminal_size().columns, 140)
    lines = ["", f"{paper.title}, profile {profile}", ""]
    for row in rows:
        between = tables.format_interval(row["low"], row["high"])
        ours = row["ours"] + (f" (95 %: {between})" if between else "")
        for text, lead in ((row["claim"], f"{row['id']:>3}  {row['verdict']:<22}"), (ours, "")):
            if text:
                lines += textwrap.wrap(
                    text, width, initial_indent=f"{lead:<27}", subsequent_indent=" " * 27
                )
    return [*lines, "", f"{folder / 'claims.md'} has them with figures and reasons"]
