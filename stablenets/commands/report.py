"""Write a report of all claims and runs: a page to open in a browser, tables and figures.

    stablenets report --runs runs --out report

The page, report.html, has the claims of the papers, and compares the runs of the papers and those
in --runs. Tables and figures, which report.md explains, are about the runs in --runs alone,
averaged over seeds. Without run folders, only the page is written.
"""

import argparse
from pathlib import Path

from stablenets.claims.loader import CHECKOUT
from stablenets.commands import add_folder, add_plugins
from stablenets.errors import BadInput

RUNS, RESULTS = "runs", CHECKOUT / "results"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stablenets report`."""
    add_folder(parser, "--runs", RUNS, "folder of the run folders")
    add_folder(parser, "--out", "report", "folder of the page, the tables and the figures")
    parser.add_argument(
        "--results",
        type=Path,
        default=RESULTS,
        metavar="DIR",
        help="folder with the results of papers, such as reproduced; default: the published results"
        " of this checkout",
    )
    add_plugins(parser)


def run(given: argparse.Namespace) -> int:
    """Write the report, print its main table and the path of the page; return the exit code."""
    # imported here, so that --help does not wait for the libraries of figures and charts
    from stablenets.report import html_page, run_store
    from stablenets.report.store import find_run_folders, read_runs
    from stablenets.runs.provenance import command_line

    if given.results != RESULTS and not given.results.is_dir():
        raise BadInput(f"--results {given.results}: no such folder; leave it out or name another")
    has_results = any(given.results.glob("*/*/ledger.csv"))
    # a folder that was named must have runs; the default one need not
    is_named = given.runs != Path(RUNS) and not given.runs.is_dir()
    folders = None
    if find_run_folders(given.runs) or is_named or not has_results:
        folders = read_runs(given.runs)
    words = ["report", "--runs", str(given.runs), "--out", str(given.out)]
    if given.results != RESULTS:
        words += ["--results", str(given.results)]
    command = command_line(words)
    if folders is None:
        print(f"{given.runs}: no run folders; the page has the results of papers alone")
    else:
        print(run_store.write_report(folders, given.out, command))
    page = html_page.write_html(folders, given.results, given.out, command)
    if unknown := html_page.unknown_papers(given.results):
        print(f"left out, as no such paper is known: {', '.join(unknown)}; is --plugins missing?")
    print(f"The page, to open in a browser: {page}")
    return 0
