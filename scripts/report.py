"""Write tables and figures of all runs in a folder, averaged over seeds.

python scripts/report.py [--runs runs] [--out report]
"""

import argparse
import sys
from pathlib import Path

from stablenets.errors import BadInput
from stablenets.report import run_store


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--runs", type=Path, default=Path("runs"))
    parser.add_argument("--out", type=Path, default=Path("report"))
    given = parser.parse_args()
    command = f"make report RUNS={given.runs} OUT={given.out}"
    try:
        print(run_store.write_report(given.runs, given.out, command))
    except BadInput as error:
        print(f"report: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
