"""The arguments of a command that choose an executor."""

from __future__ import annotations

import argparse
import re
from typing import TYPE_CHECKING, Any

import yaml

from stablenets.errors import BadInput

if TYPE_CHECKING:
    from stablenets.execution.executor import Executor


def add_executor_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments that `executor_from_arguments` reads."""
    parser.add_argument(
        "--executor",
        default="local",
        metavar="NAME",
        help="what runs the jobs: local (this machine), slurm or ray; default: local",
    )
    parser.add_argument(
        "--jobs",
        type=int,
        metavar="N",
        help="parallel runs, one thread each; default: 2, or one on each of --devices; on a cluster"
        " 100",
    )
    parser.add_argument(
        "--devices",
        default="",
        metavar="NUMBERS",
        help="GPUs of this machine, one for each run: 0-7, or 0,2",
    )
    parser.add_argument(
        "--executor-options",
        nargs="*",
        default=[],
        metavar="KEY=VALUE",
        help="further options of the executor, docs/clusters.md: partition=gpu minutes=60",
    )


def executor_from_arguments(given: argparse.Namespace) -> Executor:
    """The executor that the arguments describe.

    Raises:
        BadInput: If the name or an option is wrong.
    """
    from stablenets.execution.executor import make_executor  # --help does not wait for torch

    devices = parse_devices(given.devices) if given.devices else []
    options: dict[str, Any] = {"devices": devices} if devices else {}
    if given.executor == "local":
        options["jobs"] = len(devices) or 2
    for word in given.executor_options:
        key, is_pair, value = word.partition("=")
        if not is_pair:
            raise BadInput(f"--executor-options {word}: expected KEY=VALUE")
        options[key] = yaml.safe_load(value)
    if given.jobs is not None:
        options["jobs"] = given.jobs
    return make_executor(given.executor, options, "executor")


def check_devices(text: str) -> None:
    """Raise `BadInput` if this machine does not have all GPUs of --devices."""
    from stablenets.training.environment import pick_device  # --help does not wait for torch

    for number in parse_devices(text) if text else []:
        try:
            pick_device(f"cuda:{number}")
        except BadInput:
            raise BadInput(
                f"--devices {text}: this machine has no GPU {number}; leave out --devices, or name"
                " the GPUs that it has"
            ) from None


def parse_devices(text: str) -> list[int]:
    """The numbers in a list such as '0-3,6'."""
    found: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"(\d+)(?:-(\d+))?", part)
        if match is None:
            raise BadInput(f"--devices {text}: expected numbers of GPUs, for example 0-7 or 0,2")
        found += range(int(match[1]), int(match[2] or match[1]) + 1)
    return found
