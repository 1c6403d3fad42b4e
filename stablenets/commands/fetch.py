"""Download data sets of images to the data folder, as torchvision does, and verify them.

    stablenets fetch mnist cifar10 --root data

Files that are there already are verified and not changed. If a data set cannot be downloaded, the
command prints one line with the reason, and ends with exit code 2.
"""

import argparse

from stablenets.commands import add_data_root
from stablenets.data import DATASETS
from stablenets.data.layouts import LAYOUTS
from stablenets.data.sources import find_arrays
from stablenets.errors import BadInput
from stablenets.schema import suggest
from stablenets.training.environment import data_root


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stablenets fetch`."""
    parser.add_argument(
        "datasets", nargs="+", metavar="DATASET", help=f"data set: {', '.join(LAYOUTS)}"
    )
    add_data_root(parser, "--root")


def run(given: argparse.Namespace) -> int:
    """Download and verify the data sets; return the exit code."""
    for name in given.datasets:
        if name in DATASETS and not DATASETS[name].reads_files:
            raise BadInput(f"{name}: needs no download; train on it by dataset={name}")
        if name not in LAYOUTS:
            raise BadInput(
                f"{name}: no data set that can be downloaded; {suggest(name, LAYOUTS, 'one of')}"
            )
    root = data_root(given.root).expanduser()
    for name in given.datasets:
        found = find_arrays(name, root, download=True)
        print(
            f"{name}: {len(found.train_labels):,} training and {len(found.test_labels):,} test"
            f" examples under {root} ({found.source})"
        )
    return 0
