"""Reproduce one paper, or all: make the runs that are missing, then decide each claim.

    python scripts/reproduce.py haber2017 --profile quick --jobs 2

Run folders are kept under --runs: finished runs are not made again, interrupted ones resume. The
ledger, tables, figures and verdicts go to --results. The exit code tells whether a run failed; it
does not depend on the verdicts. Needs the repository installed in place, as `make setup` does it.
"""

import argparse
import math
import sys
import time
from pathlib import Path

from experiments import PAPERS, load
from stablenets.claims.claim import PROFILES
from stablenets.claims.summary import write_overview
from stablenets.claims.work import RunContext
from stablenets.errors import EXIT_TIME, BadInput
from stablenets.schema import suggest


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("paper", help=f"all, or one of: {', '.join(PAPERS)}")
    add("--profile", default="quick", help=f"one of: {', '.join(PROFILES)}; default: quick")
    add("--data", help="the data root; default: $STABLENETS_DATA, else ./data")
    add("--jobs", type=int, default=2, help="runs at the same time, one thread each; default: 2")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N; default: auto")
    add("--seeds", type=int, help="number of seeds of each setting; default: the profile's own")
    add(
        "--collect",
        action="store_true",
        help="make no runs: write tables, figures and verdicts from finished runs",
    )
    add(
        "--join",
        type=Path,
        nargs="*",
        default=[],
        metavar="FOLDER",
        help="folders with ledgers of other machines, whose runs are not made again",
    )
    add(
        "--only",
        nargs="*",
        default=[],
        metavar="GROUP",
        help="make only the runs of these groups of the paper's plan",
    )
    add(
        "--within",
        type=float,
        metavar="SECONDS",
        help="time limit: save and stop after it; groups are then made one after the other",
    )
    add("--runs", type=Path, default=Path("runs"), help="the folder of run folders; default: runs")
    add("--results", type=Path, default=Path("results"), help="default: results")
    return parser.parse_args()


def check(given: argparse.Namespace) -> None:
    """Refuse unknown names and counts below 1 with one line."""
    if given.paper not in ("all", *PAPERS):
        raise BadInput(f"paper={given.paper}: {suggest(given.paper, ('all', *PAPERS), 'one of')}")
    if given.profile not in PROFILES:
        raise BadInput(f"PROFILE={given.profile}: {suggest(given.profile, PROFILES, 'one of')}")
    for name, count in (("JOBS", given.jobs), ("SEEDS", given.seeds), ("WITHIN", given.within)):
        if count is not None and count < 1:
            raise BadInput(f"{name}={count:g}: must be >= 1")


def reproduce_all(given: argparse.Namespace) -> int:
    """Reproduce the chosen papers one after the other; the exit code is the largest of theirs."""
    # Worker processes import this file too, and would load matplotlib for nothing.
    from stablenets.claims.reproduce import reproduce

    deadline = math.inf if given.within is None else time.monotonic() + given.within
    seeds = f" SEEDS={given.seeds}" if given.seeds else ""
    codes = []
    for handle in PAPERS if given.paper == "all" else [given.paper]:
        command = f"make reproduce-{handle} PROFILE={given.profile}{seeds}"
        context = RunContext(given.runs, command, given.device, given.data, given.profile)
        codes.append(
            reproduce(
                load(handle),
                context,
                results=given.results,
                jobs=given.jobs,
                seeds=given.seeds,
                collect=given.collect,
                joined=given.join,
                only=given.only,
                deadline=deadline,
            )
        )
        write_overview(map(load, PAPERS), given.results)
        if codes[-1] >= EXIT_TIME:  # the time is over, or somebody interrupted it
            break
    return max(codes)


def main() -> int:
    given = parse_arguments()
    try:
        check(given)
        return reproduce_all(given)
    except BadInput as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
