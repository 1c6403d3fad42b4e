"""Write tables and figures of all runs in a folder, averaged over seeds.

stablenets report --runs runs --out report
"""

import argparse

from stablenets.commands import add_folder
from stablenets.report import run_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stablenets report`."""
    add_folder(parser, "--runs", "runs", "folder of the run folders")
    add_folder(parser, "--out", "report", "folder of the tables and figures")


def run(given: argparse.Namespace) -> int:
    """Write the report, print its main table and return the exit code."""
    command = f"stablenets report --runs {given.runs} --out {given.out}"
    print(run_store.write_report(given.runs, given.out, command))
    return 0
