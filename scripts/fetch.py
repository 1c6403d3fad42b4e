"""Fetches image datasets into a data root, in torchvision's layout, each verified.

    python scripts/fetch.py mnist cifar10 --root data

What is there already is verified and left as it is. Exit code 2, with one line, if a dataset cannot
be had.
"""

import argparse
import sys
from pathlib import Path

from stablenets.data.layouts import LAYOUTS
from stablenets.data.sources import find
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
                    f"DATASETS={name}: nothing to fetch under this name;"
                    f" {suggest(name, LAYOUTS, 'can be fetched')}"
                )
        for name in given.datasets:
            found = find(name, given.root.expanduser(), download=True)
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
