"""Mutation tests: change a formula in a copy of the package and run the tests that must then fail.

    python tests/theorems/mutate.py           # all mutations, about five seconds each
    python tests/theorems/mutate.py TEXT      # only mutations whose description contains TEXT

It prints a table of the tests that failed, and of those that did not.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple
from xml.etree import ElementTree

from mutations import MUTATIONS, Mutation

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
ASSERTION = ("AssertionError", "assert ")  # how the message of a failed assertion begins


class Outcome(NamedTuple):
    """What the tests of a mutation did."""

    failed: list[str]  # cases in which an assertion failed
    survived: list[str]  # tests in which no assertion failed, so they did not notice


def broken(mutation: Mutation) -> str:
    """The text of the mutated file."""
    text = (ROOT / "stablenets" / mutation.file).read_text()
    if text.count(mutation.old) != 1:
        raise ValueError(
            f"{mutation.file}: {mutation.old!r} occurs {text.count(mutation.old)} times, not once;"
            " correct mutations.py"
        )
    return text.replace(mutation.old, mutation.new)


def outcome(mutation: Mutation) -> Outcome:
    """Run the tests of a mutation in a temporary copy of the package that has this mutation."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for path in ("stablenets", "tests/theorems"):
            shutil.copytree(
                ROOT / path, folder / path, ignore=shutil.ignore_patterns("__pycache__")
            )
        shutil.copy(ROOT / "pyproject.toml", folder)
        (folder / "stablenets" / mutation.file).write_text(broken(mutation))
        tests = [f"tests/theorems/{test}" for test in mutation.tests]
        environment = os.environ | {
            "PYTHONPATH": name,
            "PYTHONDONTWRITEBYTECODE": "1",
            "OMP_NUM_THREADS": "1",
        }
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            "-m",
            "not slow",
            "--junitxml=report.xml",
            *tests,
        ]
        run = subprocess.run(
            command,
            cwd=folder,
            env=environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        if run.returncode not in (0, 1):  # pytest's codes for passed and failed
            raise RuntimeError(
                f"{mutation.broken}: pytest ended with {run.returncode}\n{run.stdout}"
            )
        cases = list(ElementTree.parse(folder / "report.xml").iter("testcase"))
    messages = {
        f"{case.get('classname').split('.')[-1]}.py::{case.get('name')}": case.find("failure")
        for case in cases
    }
    failed = [
        case
        for case, failure in messages.items()
        if failure is not None and failure.get("message").startswith(ASSERTION)
    ]
    return Outcome(
        failed,
        [
            test
            for test in mutation.tests
            if not any(case == test or case.startswith(f"{test}[") for case in failed)
        ],
    )


def summed_up(cases: list[str]) -> str:
    """The names of the tests, each with its cases, or with their number if they are many."""
    by_test: dict[str, list[str]] = {}
    for case in cases:
        test, _, parameters = case.partition("[")
        by_test.setdefault(test.removeprefix("test_").replace(".py::test_", ": "), []).append(
            parameters.rstrip("]")
        )
    return "; ".join(
        (
            f"{test} ({len(of)} cases)"
            if len(of) > 6
            else test + (f" [{', '.join(of)}]" if any(of) else "")
        )
        for test, of in by_test.items()
    )


def main(text: str = "") -> int:
    """Print a markdown table of all mutations, and return the number of tests that did not fail."""
    print(
        "| mutation | file | original | replaced by | tests that failed | tests that did not"
        " |\n|---|---|---|---|---|---|"
    )
    survivors = 0
    for mutation in MUTATIONS:
        if text in mutation.broken:
            failed, survived = outcome(mutation)
            survivors += len(survived)
            old, new = (
                " ".join(line.strip() for line in code.splitlines())
                for code in (mutation.old, mutation.new)
            )
            print(
                f"| {mutation.broken} | {mutation.file} | `{old}` | `{new}` | {summed_up(failed)} |"
                f" {'; '.join(survived)} |",
                flush=True,
            )
    return survivors


if __name__ == "__main__":
    sys.exit(min(main(*sys.argv[1:]), 1))
