"""Measure the speed of our code, next to the usual code and to a lower bound, on one thread.

    python scripts/bench.py [--repeats 5] [--out results/bench] [--only TEXT] [--page-only]

Writes bench.md and bench.csv; with --page-only it measures nothing and writes bench.md from an
earlier bench.csv. A row is a function in bench_rows/ and a line in
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

from stablenets.statistics.formatting import format_number

COLUMNS = ["row", "ours_s", "plain_s", "ceiling_s", "plain_over_ours", "ours_over_ceiling", "note"]
HEADS = {  # of the columns in bench.md
    "row": "what",
    "ours_s": "ours, s",
    "plain_s": "plain, s",
    "ceiling_s": "ceiling, s",
    "plain_over_ours": "plain / ours",
    "ours_over_ceiling": "ours / ceiling",
    "ours_rate": "ours, per s",
    "plain_rate": "plain, per s",
    "note": "what exactly is compared",
}
MEANING = """\
- `ours`: the work by stablenets. `plain`: the same work as it is usually written, which the last
  column describes. `plain / ours` above 1: stablenets is faster.
- `ceiling`: the smallest part of the work that cannot be avoided, such as its matrix products, on
  the same machine. `ours / ceiling` cannot be below 1, up to noise.
- `per s`: how many of the named units a second makes."""


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
                row.note,
            ],
            strict=True,
        )
    )


def write_csv(results: list[dict[str, str]], out: Path) -> None:
    """Write bench.csv to the folder `out`."""
    out.mkdir(parents=True, exist_ok=True)
    with (out / "bench.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(results)


def read_csv(out: Path) -> list[dict[str, str]]:
    """Return the rows of an earlier bench.csv."""
    with (out / "bench.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def write_page(results: list[dict[str, str]], rows: list[Row], out: Path, how: str) -> str:
    """Write bench.md to the folder `out` and return its text.

    Args:
        results: The cells of bench.csv.
        rows: The rows, which know what is counted.
        out: The folder.
        how: The sentence on how it was measured.
    """
    by_name = {row.name: row for row in rows}
    lines = []
    for cells in results:
        row = by_name.get(cells["row"])
        rates = {
            f"{side}_rate": rate_text(row, float(cells[f"{side}_s"])) if row else ""
            for side in ("ours", "plain")
        }
        lines.append(cells | rates | ({"note": row.note} if row else {}))
    table = [list(HEADS.values()), ["---"] * len(HEADS)]
    table += [[line[column] for column in HEADS] for line in lines]
    text = "\n".join(
        [
            "# Benchmarks",
            "",
            how,
            "",
            MEANING,
            "",
            *(f"| {' | '.join(line)} |" for line in table),
            "",
        ]
    )
    (out / "bench.md").write_text(text)
    return text


def rate_text(row: Row, seconds: float) -> str:
    """Return how many units a second makes, with three digits."""
    return f"{format_number(float(f'{row.count / seconds:.3g}'))} {row.unit}"


def describe_measurement(repeats: int) -> str:
    """Return the sentence on how the rows are measured."""
    return (
        f"`python scripts/bench.py --repeats {repeats}`: medians of {repeats} repeats, the three"
        f" sides in turn; torch {torch.__version__}, Python {platform.python_version()},"
        f" {platform.machine()}, one thread."
    )


def earlier_sentence(out: Path) -> str:
    """Return the sentence on how the rows of an earlier bench.md were measured."""
    return (out / "bench.md").read_text().splitlines()[2]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument(
        "--only", default="", help="only rows whose function's name contains TEXT", metavar="TEXT"
    )
    parser.add_argument("--page-only", action="store_true", help="measure nothing")
    given = parser.parse_args()
    torch.set_num_threads(1)
    wanted = [make for make in ROWS if given.only in make.__name__]
    if not wanted:
        parser.error(
            f"--only {given.only}: no such row; rows: {', '.join(make.__name__ for make in ROWS)}"
        )
    rows = [make() for make in wanted]
    if given.page_only:
        results, how = read_csv(given.out), earlier_sentence(given.out)
    else:
        results = [measure(row, given.repeats) for row in rows]
        how = describe_measurement(given.repeats)
        write_csv(results, given.out)
    print(write_page(results, rows, given.out, how))


if __name__ == "__main__":
    main()
