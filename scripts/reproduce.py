"""Re-run a paper claim by claim, or all of them.

    python scripts/reproduce.py haber2017 --profile quick --jobs 2

Run folders are kept under --runs: finished runs are not repeated, interrupted runs resume. Tables,
figures and the ledger are written under --results. The exit code says whether runs failed; it does
not depend on the verdicts.
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
    from stablenets.errors import EXIT_TIME, BadInput
    from stablenets.execution.arguments import add_executor_arguments, executor_from_arguments
    from stablenets.execution.job import RunContext
    from stablenets.schema import suggest

    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("paper", help=f"all, or one of: {', '.join(PAPERS)}")
    parser.add_argument("--profile", default="quick", help=f"one of: {', '.join(PROFILES)}")
    parser.add_argument("--data", help="the data root; default $STABLENETS_DATA, else ./data")
    add_executor_arguments(parser)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    parser.add_argument(
        "--seeds", type=int, help="seeds of each setting; default: as many as the profile has"
    )
    parser.add_argument(
        "--report-only",
        action="store_true",
        help="start no runs; write tables and figures from the ledger and the run folders",
    )
    parser.add_argument(
        "--extra-ledgers",
        type=Path,
        nargs="*",
        default=[],
        metavar="DIR",
        help="folders with ledgers of other machines, whose runs are not repeated here",
    )
    parser.add_argument(
        "--groups",
        nargs="*",
        default=[],
        metavar="GROUP",
        help="run only these groups of the plan, experiments/PAPER/plan.py",
    )
    parser.add_argument(
        "--time-limit",
        type=float,
        metavar="SECONDS",
        help="save and stop after this time, exit code 124; the groups then run in their order",
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
            raise BadInput(
                f"--profile {given.profile}: {suggest(given.profile, PROFILES, 'one of')}"
            )
        for name, most in (("seeds", 100), ("time_limit", math.inf)):
            value = getattr(given, name)
            if value is not None and not 1 <= value <= most:
                limits = ">= 1" + (f" and <= {most}" if most < math.inf else "")
                raise BadInput(f"--{name.replace('_', '-')} {value:.10g}: must be {limits}")
        executor = executor_from_arguments(given)
        deadline = math.inf if given.time_limit is None else time.monotonic() + given.time_limit
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
                    executor=executor,
                    seeds=given.seeds,
                    report_only=given.report_only,
                    extra_ledgers=given.extra_ledgers,
                    groups=given.groups,
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
