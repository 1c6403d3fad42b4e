"""Re-run a paper claim by claim, or all of them.

    python scripts/reproduce.py haber2017 --profile quick --jobs 2

Runs are kept under --runs: what is finished is not made again, what was interrupted goes on.
Tables, figures and the ledger go to --results. The exit code says whether runs failed, not whether
claims held.
"""

import argparse
import math
import sys
import time
from pathlib import Path


def main() -> int:
    # imported here because worker processes import this file too, and need none of it
    from experiments import PAPERS, load
    from stablenets.claims.claim import PROFILES
    from stablenets.claims.reproduce import reproduce
    from stablenets.claims.summary import write_overview
    from stablenets.claims.work import RunContext
    from stablenets.errors import EXIT_TIME, BadInput
    from stablenets.schema import suggest

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paper", help=f"all, or one of: {', '.join(PAPERS)}")
    parser.add_argument("--profile", default="quick", help=f"one of: {', '.join(PROFILES)}")
    parser.add_argument("--data", help="the data root; default $STABLENETS_DATA, else ./data")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time, one thread each")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--seeds", type=int, help="seeds of each setting; default: the profile's own"
    )
    parser.add_argument(
        "--collect",
        action="store_true",
        help="make no runs: tables and figures from ledger and run folders as they are",
    )
    parser.add_argument(
        "--join",
        type=Path,
        nargs="*",
        default=[],
        help="further ledgers, by their folders: runs made on other machines",
    )
    parser.add_argument(
        "--only",
        nargs="*",
        default=[],
        metavar="GROUP",
        help="make the runs of these groups of the plan alone",
    )
    parser.add_argument(
        "--within",
        type=float,
        metavar="SECONDS",
        help="save and stop when they are over; groups are then made in order",
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    given = parser.parse_args()
    try:
        if given.paper not in ("all", *PAPERS):
            raise BadInput(
                f"paper={given.paper}: {suggest(given.paper, ('all', *PAPERS), 'one of')}"
            )
        if given.profile not in PROFILES:
            raise BadInput(f"PROFILE={given.profile}: {suggest(given.profile, PROFILES, 'one of')}")
        for name, count in (("JOBS", given.jobs), ("SEEDS", given.seeds), ("WITHIN", given.within)):
            if count is not None and count < 1:
                raise BadInput(f"{name}={count:g}: must be >= 1")
        deadline = math.inf if given.within is None else time.monotonic() + given.within
        codes = []
        for handle in PAPERS if given.paper == "all" else [given.paper]:
            command = f"make reproduce-{handle} PROFILE={given.profile}" + (
                f" SEEDS={given.seeds}" if given.seeds else ""
            )
            place = RunContext(given.runs, command, given.device, given.data, given.profile)
            codes.append(
                reproduce(
                    load(handle),
                    place,
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
            if codes[-1] >= EXIT_TIME:
                break
        return max(codes)
    except BadInput as error:
        print(f"reproduce: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
