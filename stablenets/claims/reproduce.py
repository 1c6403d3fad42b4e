"""Reproduce a paper: plan, run what is missing, write tables and figures, show the verdicts."""

from __future__ import annotations

import math
import shutil
import signal
import sys
import tempfile
import textwrap
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from stablenets import data, tables
from stablenets.claims import ledger
from stablenets.claims.agreement import agreement_lines, compare_claims
from stablenets.claims.cells import interval_text, number
from stablenets.claims.criteria import NOT_RUN
from stablenets.claims.ledger_files import lock_ledger
from stablenets.claims.pages import write_pages
from stablenets.claims.paper import Paper
from stablenets.claims.results import Plan, Results
from stablenets.claims.run_times import RunTimes, longest_first
from stablenets.claims.work import Training, Work, in_dependency_order
from stablenets.errors import EXIT_FAILED, EXIT_TIME, BadInput
from stablenets.execution.executor import Executor
from stablenets.execution.job import Job, RunContext
from stablenets.execution.scheduler import run_jobs
from stablenets.runs.folder import RunFolder
from stablenets.runs.session import Outcome, has_other_sources, is_finished
from stablenets.schema import suggest
from stablenets.training.environment import data_root, pick_device
from stablenets.training.precision import precision_warning
from stablenets.training.progress import LINE_INTERVAL


def reproduce(
    paper: Paper,
    context: RunContext,
    *,
    results: Path,
    published: Path,
    executor: Executor,
    seeds: int | None,
    report_only: bool,
    extra_ledgers: Sequence[Path],
    groups: Sequence[str],
    deadline: float = math.inf,
) -> int:
    """Run what is missing of a paper, and write its ledger, tables, figures and verdicts.

    Args:
        paper: The paper.
        context: Where and how jobs run, with the profile.
        results: The folder of all results, to which this one is written.
        published: The folder of the published results, with which the claims are compared; it
            need not exist, and may be `results`.
        executor: What runs the jobs.
        seeds: The number of seeds of each setting; None for that of the profile.
        report_only: Run nothing; write the pages from the ledger and the run folders.
        extra_ledgers: Folders with ledgers of other machines. Runs in them are not made again,
            unless another job needs their weights.
        groups: Run only these groups of the plan; all groups if empty.
        deadline: Stop when `time.monotonic()` has passed it. With a deadline the groups run in
            order: that of `groups`, else that of the plan. Without one, the longest jobs run first.

    Returns:
        The exit code: not 0 if a job failed or was interrupted, whatever the verdicts are.

    Raises:
        BadInput: If a group, ledger, device or data set does not exist, or a folder cannot be
            written. Nothing has run then.
    """
    plan = paper.plan(context.profile, seeds)
    check_groups(paper, plan, context.profile, groups)
    for other in extra_ledgers:
        if not (other / ledger.TABLE).is_file():
            raise BadInput(
                f"--extra-ledgers {other}: no {ledger.TABLE} there; give folders such as"
                f" reproduced/{paper.handle}/{context.profile}"
            )
    works = in_dependency_order(list(plan.values()))
    wanted = in_dependency_order([plan[group] for group in groups]) if groups else works
    folder = results / paper.handle / context.profile
    from_others = ledger.merge_ledgers(map(ledger.read_ledger, extra_ledgers))
    ledger.read_ledger(folder)  # refuses a damaged ledger now, not after the runs
    check_is_folder(context.runs)
    missing = []
    if not report_only:
        pick_device(context.device)
        missing = missing_works(wanted, from_others, context)
        check_data(missing, context)
    check_writable(folder, f"--results {results}")
    if missing:
        check_writable(context.runs, f"--runs {context.runs}")
    code = 0
    if not report_only:
        code = run_missing(
            paper,
            context,
            wanted,
            missing,
            executor,
            RunTimes(paper, [results, published]),
            deadline,
        )
    collected, damaged = ledger.collect_entries(works, context.runs)
    for line in damaged:
        print(line, file=sys.stderr)
    with lock_ledger(folder):  # also for the pages, which are those of the ledger
        known = ledger.read_ledger(folder)
        ledger.write_ledger(folder, ledger.merge_ledgers([collected, known, from_others]))
        # read again, so that all that follows is what another machine gets from the ledger
        found = Results(plan, ledger.read_ledger(folder))
        rows = write_pages(paper, found, context.profile, folder, context.command)
    print("\n".join(claim_lines(paper, context.profile, rows, folder)))
    if published.resolve() != results.resolve():
        try:
            compared = compare_claims(folder, published / paper.handle / context.profile)
            print("\n".join(agreement_lines(compared)))
        except BadInput as error:
            print(f"not compared with the published results: {error}", file=sys.stderr)
    return code or (EXIT_FAILED if damaged else 0)


def check_groups(paper: Paper, plan: Plan, profile: str, groups: Sequence[str]) -> None:
    """Raise `BadInput` if a group is not in the plan, or has no runs at this profile."""
    for group in groups:
        if group not in plan:
            raise BadInput(
                f"--groups {group}: no group of {paper.handle}; {suggest(group, plan, 'one of')}"
            )
        if not plan[group]:
            raise BadInput(f"--groups {group}: has no runs at --profile {profile}")


def check_is_folder(runs: Path) -> None:
    """Raise `BadInput` if the folder of all runs, or a folder above it, is a file."""
    if any(path.exists() and not path.is_dir() for path in (runs, *runs.parents)):
        raise BadInput(f"--runs {runs}: not a folder; choose another one")


def check_writable(folder: Path, option: str) -> None:
    """Create a folder, if it does not exist; raise `BadInput` if it cannot be written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except OSError as error:
        raise BadInput(
            f"{option}: cannot write to {folder} ({error.strerror or error}); choose another folder"
        ) from None


def missing_works(
    wanted: list[Work], from_others: dict[str, Any], context: RunContext
) -> list[Work]:
    """The jobs without a result, and the jobs whose weights these need."""
    missing = [
        work for work in wanted if work.name not in from_others and not is_made(work, context)
    ]
    return [work for work in in_dependency_order([missing]) if not is_made(work, context)]


def is_made(work: Work, context: RunContext) -> bool:
    """Whether a job has an undamaged result; if the context asks for it, one made by this code."""
    return is_finished(RunFolder(context.runs / work.name), context.stale)


def count_stale(works: list[Work], context: RunContext) -> int:
    """The number of results here that other code has made."""
    folders = [RunFolder(context.runs / work.name) for work in works]
    return sum(is_finished(folder) and has_other_sources(folder) for folder in folders)


def check_data(works: Sequence[Work], context: RunContext) -> None:
    """Read each data set once, so that missing or damaged data is found before the first run."""
    root = data_root(context.data_root)
    runs = {work.dataset: work.resolved for work in works if isinstance(work, Training)}
    for run in runs.values():
        try:
            data.load(
                run.dataset,
                run.common,
                root=root,
                split_seed=run.config.seeds.split,
                permutation_seed=run.config.seeds.permutation,
                device="cpu",
                download=False,
            )
        except (BadInput, OSError) as error:  # its remedies are options of a training
            problem = str(error).partition(";")[0].rstrip(".")
            raise BadInput(
                f"--data {root}: {problem}; give another folder by --data DIR, or move damaged"
                f" files away and write them by: stablenets fetch DATASET --root {root}"
            ) from None


def run_missing(
    paper: Paper,
    context: RunContext,
    works: list[Work],
    missing: list[Work],
    executor: Executor,
    times: RunTimes,
    deadline: float,
) -> int:
    """Run the missing jobs, show progress, and return the exit code."""
    done = f"{len(works) - len(missing)} of {len(works)} runs are done"
    names = {work.name for work in missing}
    if stale := count_stale([work for work in works if work.name not in names], context):
        done += f" ({stale} by other code; --stale redo makes them again)"
    head = f"{paper.handle}, profile {context.profile}: {done}"
    if not missing:
        print(f"{head}; nothing left to run", flush=True)
        return 0
    jobs = executor.jobs
    print(
        f"{head}; running {len(missing)}, {jobs} at a time{times.time_left(missing, jobs)}",
        flush=True,
    )
    device = pick_device(context.device)
    trainings = [work for work in missing if isinstance(work, Training)]
    for line in {precision_warning(work.resolved.config.precision, device) for work in trainings}:
        if line:
            print(line, flush=True)
    remaining = {work.name: work for work in missing}
    unsuccessful: list[Outcome] = []
    last_line = time.monotonic()
    with tqdm(
        total=len(missing),
        unit="run",
        dynamic_ncols=True,
        leave=False,
        disable=not sys.stderr.isatty(),
    ) as bar:

        def on_finished(job: Job, outcome: Outcome) -> None:
            nonlocal last_line
            work = remaining.pop(job.name)
            times.add_from_folder(work, context.runs)
            if outcome.exit_code:
                unsuccessful.append(outcome)
                if outcome.status != "interrupted":
                    tqdm.write(outcome.message, file=sys.stderr)
            line = f"{work.name}: {outcome.status}{times.time_left(list(remaining.values()), jobs)}"
            bar.update()
            bar.set_postfix_str(line)
            is_due = not remaining or time.monotonic() - last_line > LINE_INTERVAL
            if bar.disable and is_due:
                last_line = time.monotonic()
                print(f"[{len(missing) - len(remaining)}/{len(missing)}] {line}", flush=True)

        in_order = missing if deadline < math.inf else longest_first(missing, times)
        stopped_by = run_jobs(in_order, context, executor, on_finished, deadline)
    # if this command got a signal, it has interrupted the running jobs; then they did not fail
    failed = [
        outcome for outcome in unsuccessful if stopped_by is None or outcome.status != "interrupted"
    ]
    if failed:
        print(
            f"{len(failed)} of {len(missing)} runs have no result; run the same command to try them"
            " again",
            file=sys.stderr,
        )
    if stopped_by == signal.SIGALRM:
        left = sum(not is_made(work, context) for work in missing)
        print(
            f"the time limit is reached and {left} runs are left; the running trainings were"
            " saved, run the same command to resume",
            file=sys.stderr,
        )
        return EXIT_FAILED if failed else EXIT_TIME
    if stopped_by is not None:
        print(
            "interrupted; the running trainings were saved, run the same command to resume",
            file=sys.stderr,
        )
        return 128 + stopped_by
    return EXIT_FAILED if failed else 0


def claim_lines(paper: Paper, profile: str, rows: list[dict[str, Any]], folder: Path) -> list[str]:
    """Each claim with its verdict and our value, for a terminal."""
    width = min(shutil.get_terminal_size().columns, 140)
    lines = ["", f"{paper.title}, profile {profile}", ""]
    for row in rows:
        value = row["ours"] if isinstance(row["ours"], str) else number(row["ours"], row["unit"])
        between = interval_text(row["low"], row["high"], row["n"], row.get("cases", ""))
        kind = "95 %: " if tables.is_interval(between) else ""
        ours = f"{row.get('measure', '')} {value}" + (f" ({kind}{between})" if between else "")
        ours = row.get("reason", "") if not value or row["verdict"] == NOT_RUN else ours
        for text, lead in ((row["claim"], f"{row['id']:>3}  {row['verdict']:<22}"), (ours, "")):
            if text:
                lines += textwrap.wrap(
                    text, width, initial_indent=f"{lead:<27}", subsequent_indent=" " * 27
                )
    reasons = " and the reasons" if paper.claims else ""
    return [*lines, "", f"See {folder / paper.page} for the figures{reasons}."]
