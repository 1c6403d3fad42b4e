"""The subcommands beside training: `stablenets reproduce`, `fetch`, `report` and `wandb-sync`.

Each is a module with `add_arguments` and `run`, imported when it is called.
"""

from __future__ import annotations

import argparse
import importlib
from pathlib import Path
from typing import NoReturn

from stablenets.errors import BadInput

# What each subcommand does. Its module has the same name, with _ instead of -.
COMMANDS = {
    "reproduce": "make the runs of a paper, or of all papers, and decide its claims",
    "fetch": "download data sets and verify them",
    "report": "write a report of all claims and runs: a page, tables and figures",
    "wandb-sync": "send runs that were logged offline to Weights & Biases",
}


class CommandParser(argparse.ArgumentParser):
    """A parser that reports wrong arguments as `BadInput`, in one line."""

    def error(self, message: str) -> NoReturn:
        raise BadInput(f"{message}; see {self.prog} --help")


def run_subcommand(name: str, words: list[str]) -> int:
    """Run a subcommand and return its exit code.

    Args:
        name: A key of `COMMANDS`.
        words: Its arguments.

    Raises:
        BadInput: If an argument is wrong, or what it names cannot be used.
    """
    command = importlib.import_module(f"{__name__}.{name.replace('-', '_')}")
    parser = CommandParser(
        prog=f"stablenets {name}",
        description=command.__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    command.add_arguments(parser)
    return command.run(parser.parse_args(words))


def add_data_root(parser: argparse.ArgumentParser, flag: str) -> None:
    """Add an argument that names the data root; None stands for `environment.data_root`."""
    parser.add_argument(flag, metavar="DIR", help="data folder; default: $STABLENETS_DATA, or data")


def add_plugins(parser: argparse.ArgumentParser) -> None:
    """Add --plugins to the help. `cli.set_plugins` has read it, before all other words."""
    parser.add_argument(
        "--plugins",
        metavar="MODULE,...",
        help="also use families, data sets or papers of these modules of yours",
    )


def add_folder(parser: argparse.ArgumentParser, flag: str, default: str, meaning: str) -> None:
    """Add an argument that names a folder."""
    parser.add_argument(
        flag, type=Path, default=default, metavar="DIR", help=f"{meaning}; default: {default}"
    )
