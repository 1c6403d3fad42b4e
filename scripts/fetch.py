"""Download image data sets to a data root, in torchvision's layout, and verify them.

    python scripts/fetch.py mnist cifar10 --root data

Files that are there already are verified and not changed. If a data set cannot be downloaded, one
line says why, and the exit code is 2.
"""

import argparse
import sys
from pathlib import Path

from stablenets.data.layouts import LAYOUTS
from stablenets.data.sources import find_arrays
from stablenets.errors import BadInput
from stablenets.schema import suggest


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("datasets", nargs="+", metavar="DATASET", help=", ".join(LAYOUTS))
    parser.add_argument(
        "--root", type=Path, default=Path("data"), help="the data root (default: data)"
    )
    given = parser.parse_args()
    try:
        for name in given.datasets:
            if name not in LAYOUTS:
                raise BadInput(
                    f"DATASETS={name}: no data set that can be downloaded;"
                    f" {suggest(name, LAYOUTS, 'one of')}"
                )
        for name in given.datasets:
            found = find_arrays(name, given.root.expanduser(), download=True)
            print(
                f"{name}: {len(found.train_labels):,} training and {len(found.test_labels):,} test"
                f" examples under {given.root} ({found.source})"
            )
    except BadInput as problem:
        print(f"error: {problem}", file=sys.stderr)
        return problem.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
