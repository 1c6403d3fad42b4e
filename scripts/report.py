"""Write one table and one figure of all runs in a folder.

python scripts/report.py [--runs runs] [--out results/report]
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
    parser.add_argument("--out", type=Path, default=Path("results/report"))
    given = parser.parse_args()
    try:
        rows = run_store.write_report(
            given.runs, given.out, f"make report RUNS={given.runs} OUT={given.out}"
        )
    except BadInput as error:
        print(f"report: {error}", file=sys.stderr)
        return error.exit_code
    print((given.out / "report.md").read_text())
    print(
        f"{len(rows)} runs: {', '.join(path.name for path in sorted(given.out.glob('report.*')))}"
        f" in {given.out}"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
