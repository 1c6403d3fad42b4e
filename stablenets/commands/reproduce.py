"""Make the runs of a paper, or of all papers, and decide each claim; or compare all families.

    stablenets reproduce haber2017 --profile quick --jobs 2
    stablenets reproduce compare --profile quick --jobs 2

Run folders are kept under --runs. Finished runs are not repeated, and interrupted runs resume. The
ledger (the record of all runs), tables, figures and verdicts are written under --results. The
command also says which verdicts differ from the published ones. The exit code is not 0 if a run
failed or was interrupted; it does not depend on the verdicts.
"""

import argparse
import math
import time
from pathlib import Path

from stablenets.claims.loader import CHECKOUT, experiment_modules, load_paper, paper_modules
from stablenets.commands import add_data_root, add_folder, add_plugins
from stablenets.config.plugins import REMEDY
from stablenets.errors import EXIT_TIME, BadInput
from stablenets.execution.arguments import (
    add_executor_arguments,
    check_devices,
    executor_from_arguments,
)
from stablenets.schema import suggest


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stablenets reproduce`."""
    parser.add_argument("paper", help=f"all (papers), or one of: {', '.join(experiment_modules())}")
    parser.add_argument(
        "--profile",
        default="quick",
        metavar="NAME",
        help="compute budget: smoke, quick, full or paper; default: quick",
    )
    add_data_root(parser, "--data")
    add_executor_arguments(parser)
    parser.add_argument(
        "--device", default="auto", help="auto, cpu, cuda or cuda:N; auto: a GPU if there is one"
    )
    parser.add_argument(
        "--seeds",
        type=int,
        metavar="N",
        help="number of seeds of each setting; default: as many as the profile has",
    )
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="start no runs; write tables, figures and verdicts of the finished runs",
    )
    parser.add_argument(
        "--stale",
        default="keep",
        metavar="WHAT",
        help="what to do with finished runs that another version of the code has made: keep or"
        " redo; default: keep",
    )
    parser.add_argument(
        "--extra-ledgers",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders with the ledgers of other machines, such as reproduced/haber2017/full; the"
        " runs in them are not repeated here",
    )
    parser.add_argument(
        "--groups",
        nargs="*",
        default=[],
        metavar="GROUP",
        help="make only the runs of these groups, which experiments/PAPER/runs.py lists",
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="after this time, save and stop the runs; the exit code is 124, and the same command"
        " resumes. Groups are run in their order, not the longest runs first. Tables and figures"
        " are made after the time limit, which may take minutes",
    )
    add_folder(parser, "--runs", "runs", "folder of the run folders")
    add_folder(parser, "--results", "reproduced", "folder of tables, figures and ledgers")
    add_plugins(parser)
    parser.add_argument(
        "--publish",
        action="store_true",
        help="write to results/ of this checkout, in place of --results",
    )


def run(given: argparse.Namespace) -> int:
    """Reproduce the paper, or all papers; return the largest exit code."""
    # imported here, so that --help does not wait for torch
    from stablenets.claims.reproduce import reproduce
    from stablenets.claims.summary import write_overview
    from stablenets.execution.job import RunContext
    from stablenets.runs.provenance import command_line

    papers = paper_modules()
    check_arguments(given, ["all", *experiment_modules()])
    executor = executor_from_arguments(given)
    if not given.report_only:
        check_devices(given.devices)
    deadline = math.inf if given.time_limit is None else time.monotonic() + given.time_limit
    published = CHECKOUT / "results"
    results = published if given.publish else given.results
    codes = []
    for handle in papers if given.paper == "all" else [given.paper]:
        seeds = ["--seeds", str(given.seeds)] if given.seeds else []
        command = command_line(["reproduce", handle, "--profile", given.profile, *seeds])
        place = RunContext(
            given.runs, command, given.device, given.data, given.profile, given.stale
        )
        codes.append(
            reproduce(
                load_paper(handle),
                place,
                results=results,
                published=published,
                executor=executor,
                seeds=given.seeds,
                report_only=given.report_only,
                extra_ledgers=given.extra_ledgers,
                groups=given.groups,
                deadline=deadline,
            )
        )
        write_overview(map(load_paper, papers), results)
        if codes[-1] >= EXIT_TIME:
            break
    print(page_line(given, published))
    return max(codes)


def page_line(given: argparse.Namespace, published: Path) -> str:
    """Where the page of these results is, and the command that writes it."""
    from stablenets.runs.provenance import command_line

    words = ["report", "--runs", str(given.runs)]
    if not given.publish and given.results.resolve() != published.resolve():
        words += ["--results", str(given.results)]
    return f"One page of all results, report/report.html, is written by: {command_line(words)}"


def check_arguments(given: argparse.Namespace, papers: list[str]) -> None:
    """Raise `BadInput` if a name does not exist, a number is out of range, or --publish is."""
    from stablenets.claims.grid import PROFILES
    from stablenets.config.options import STALE

    if given.paper not in papers:
        raise BadInput(f"paper={given.paper}: {suggest(given.paper, papers, 'one of')}; {REMEDY}")
    if given.profile not in PROFILES:
        raise BadInput(f"--profile {given.profile}: {suggest(given.profile, PROFILES, 'one of')}")
    if given.stale not in STALE:
        raise BadInput(f"--stale {given.stale}: {suggest(given.stale, STALE, 'one of')}")
    if given.publish and not (CHECKOUT / "experiments").is_dir():
        raise BadInput("--publish: this package is not a checkout; use --results DIR")
    for name, most in (("seeds", 100), ("time_limit", math.inf)):
        value = getattr(given, name)
        if value is not None and not 1 <= value <= most:
            limits = ">= 1" + (f" and <= {most}" if most < math.inf else "")
            raise BadInput(f"--{name.replace('_', '-')} {value:.10g}: must be {limits}")
