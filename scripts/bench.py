"""Measure the speed of our code, next to the usual code and to a lower bound, on one thread.

    python scripts/bench.py [--repeats 5] [--out results/bench] [--only TEXT]

Writes bench.md and bench.csv. A row is a function in bench_rows/ and a line in
bench_rows/__init__.py; it needs no dataset files. Some rows import experiments/, so the repository
must be installed in place, as `make setup` does it.
"""

import argparse
import csv
import os
import platform
import statistics
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts its threads

import torch
from bench_rows import ROWS
from bench_rows.row import Row

COLUMNS = ["row", "ours_s", "plain_s", "ceiling_s", "plain_over_ours", "ours_over_ceiling", "note"]


def measure(row: Row, repeats: int) -> dict[str, str]:
    """Return the row's cells: medians over repeats that take turns, after one round of warm-up."""
    sides = {"ours": row.ours, "plain": row.plain, "ceiling": row.ceiling}
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    for turn in range(repeats + 1):
        for side, work in sides.items():
            start = time.perf_counter()
            work()
            if turn:
                seconds[side].append(time.perf_counter() - start)
    ours, plain, ceiling = (statistics.median(seconds[side]) for side in sides)
    return dict(
        zip(
            COLUMNS,
            [
                row.name,
                f"{ours:.4f}",
                f"{plain:.4f}",
                f"{ceiling:.4f}",
                f"{plain / ours:.1f}",
                f"{ours / ceiling:.2f}",
                f"{row.count / ours:,.0f} {row.unit}/s, plain {row.count / plain:,.0f}; {row.note}",
            ],
            strict=True,
        )
    )


def write_tables(results: list[dict[str, str]], out: Path, repeats: int) -> str:
    """Write bench.csv and bench.md to the folder `out`; return the text of bench.md."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "bench.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(results)
    table = [
        COLUMNS,
        ["---"] * len(COLUMNS),
        *([result[column] for column in COLUMNS] for result in results),
    ]
    where = (
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, one"
        " thread"
    )
    how = (
        f"`python scripts/bench.py --repeats {repeats}`: medians of {repeats} repeats, the three"
        " sides in turn;"
        f" {where}."
    )
    text = "\n".join(
        ["# Benchmarks", "", how, "", *(f"| {' | '.join(line)} |" for line in table), ""]
    )
    (out / "bench.md").write_text(text)
    return text


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument(
        "--only", default="", help="only rows whose function's name contains TEXT", metavar="TEXT"
    )
    given = parser.parse_args()
    torch.set_num_threads(1)
    wanted = [make for make in ROWS if given.only in make.__name__]
    if not wanted:
        parser.error(
            f"--only {given.only}: no such row; rows: {', '.join(make.__name__ for make in ROWS)}"
        )
    print(
        write_tables([measure(make(), given.repeats) for make in wanted], given.out, given.repeats)
    )


if __name__ == "__main__":
    main()
