"""Send the runs that were logged offline to Weights & Biases.

    stablenets wandb-sync --runs runs

Needs an API key: `wandb login`, or the environment variable WANDB_API_KEY.
"""

import argparse

from stablenets.commands import add_folder


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of `stablenets wandb-sync`."""
    add_folder(parser, "--runs", "runs", "folder of the run folders")


def run(given: argparse.Namespace) -> int:
    """Send the runs; return the exit code."""
    from stablenets.runs.loggers import sync_runs

    return sync_runs(given.runs)
