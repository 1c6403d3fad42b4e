"""Write one table and one figure of all runs in a folder.

stablenets report --runs runs --out results/report
"""

import argparse

from stablenets.commands import add_folder
from stablenets.report import run_store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stablenets report`."""
    add_folder(parser, "--runs", "runs", "folder of the run folders")
    add_folder(parser, "--out", "results/report", "folder of the table and the figure")


def run(given: argparse.Namespace) -> int:
    """Write the report, print its table and return the exit code."""
    command = f"stablenets report --runs {given.runs} --out {given.out}"
    rows = run_store.write_report(given.runs, given.out, command)
    print((given.out / "report.md").read_text())
    files = ", ".join(path.name for path in sorted(given.out.glob("report.*")))
    print(f"{len(rows)} runs: {files} in {given.out}")
    return 0
