"""Measure peak memory and time of deep training steps, each case in its own process, one thread.

    python scripts/memory.py [--steps 2] [--out results/bench] [--only TEXT]

Writes memory.md and memory.csv after each case. Rows that are there already are kept; remove
memory.csv to measure all again. A step is forward, backward and Adam. The loss on the same batch,
before the first step and after the last, shows that the net trains.

A case that would not fit into memory is not run: its row says so. Its bytes are estimated from two
shallow nets, because the bytes kept for the backward pass grow linearly with depth.
"""

import argparse
import csv
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch starts its threads

import torch
from bench_rows.recurrent import Layer
from torch import Tensor, nn

from stablenets.nets import Flow, Hamiltonian, Network, Recurrence, RoaMLP, RoaRNN
from stablenets.probes import kept_bytes, peak_resident_bytes

COLUMNS = [
    "case",
    "depth",
    "parameters",
    "kept_GiB",
    "peak_GiB",
    "step_s",
    "loss_before",
    "loss_after",
    "note",
]
LIMIT = 24 * 2**30  # bytes; a case that would keep more is not run
TOO_LARGE = "does not fit"
FINAL_TIME = 18  # of the image nets, over all units
FEWEST = 6  # their smallest depth
MEANING = f"""\
- `kept_GiB`: estimate of the bytes kept for the backward pass, of cases that are too large.
- `peak_GiB`: peak resident memory of the process. `step_s`: seconds of the fastest step.
- `loss_before`, `loss_after`: cross entropy of the batch before the first step and after the last.
  They show that the gradients are usable, and no more. The Hamiltonian networks have the same final
  time at every depth. With {FEWEST} layers a step has length {FINAL_TIME / FEWEST:g}, which is
  too long: the first outputs, and so the loss, are large."""
IMAGES = (
    "3 units of 16, 32 and 64 channels, pooling between them, two-layer Hamiltonian blocks of 3x3"
    " kernels, ReLU; 100 images 3x32x32"
)


class Case(NamedTuple):
    """A network at one depth, and the batch that it is trained on."""

    name: str
    depth: int
    net: Callable[[int], nn.Module]  # from a depth to the network
    example: tuple[int, ...]  # shape of one input
    batch: int
    note: str


def hamiltonian(mode: str) -> Callable[[int], nn.Module]:
    """Return a builder of image nets with final time T = 6 in each unit, at any depth."""

    def net(depth: int) -> nn.Module:
        return Network(
            Hamiltonian(activation="relu"),
            shape=(3, 32, 32),
            outputs=10,
            widths=[16, 32, 64],
            depth=depth,
            h=FINAL_TIME / depth,
            operator="conv",
            opening_kind="conv",
            head_kind="mean",
            backward=mode,
        )

    return net


class WithHead(nn.Module):
    """A flow or a recurrence, followed by an affine head."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def roamlp(mode: str) -> Callable[[int], nn.Module]:
    return lambda depth: WithHead(Flow(RoaMLP(), 64, depth, backward=mode), 64)


def modules(depth: int) -> nn.Module:
    O = Flow(RoaMLP(), 64, 1).O[0]
    return WithHead(nn.Sequential(*(Layer(O) for _ in range(depth))), 64)


def roarnn(mode: str) -> Callable[[int], nn.Module]:
    return lambda steps: WithHead(Recurrence(RoaRNN(), 1, 128, steps, backward=mode), 128)


DEEP, LONG = "width 64, batch 128", "10,000 time steps, width 128, batch 32"
CASES = [
    *(
        Case(f"roaMLP, backward={mode}", 50_000, roamlp(mode), (64,), 128, DEEP)
        for mode in ("store", "checkpoint")
    ),
    Case("roaMLP, a module for each layer", 50_000, modules, (64,), 128, DEEP),
    *(
        Case(f"roaRNN, backward={mode}", 10_000, roarnn(mode), (10_000, 1), 32, LONG)
        for mode in ("store", "checkpoint")
    ),
    Case("roaRNN, a loop of autograd operations", 10_000, roarnn("plain"), (10_000, 1), 32, LONG),
    *(
        Case(f"Hamiltonian, backward={mode}", depth, hamiltonian(mode), (3, 32, 32), 100, IMAGES)
        for depth in (FEWEST, 60, 600, 3600)
        for mode in ("store", "checkpoint", "reverse")
        if mode != "checkpoint" or depth < 3600
    ),
]


def estimate_too_large(case: Case) -> int | None:
    """Return the bytes that a deep `store` case would keep if they exceed LIMIT, else None."""
    if "store" not in case.name or case.depth < 100 or len(case.example) != 3:
        return None
    x = torch.randn(case.batch, *case.example)
    at_3, at_6 = (kept_bytes(case.net(depth), x) for depth in (3, 6))
    total = at_3 + (at_6 - at_3) * (case.depth - 3) // 3
    return total if total > LIMIT else None


def measure(case: Case, steps: int) -> dict[str, object]:
    """Return the measured cells of a case; called in a process that does nothing else."""
    if total := estimate_too_large(case):
        return {"kept_GiB": total / 2**30, "peak_GiB": TOO_LARGE}
    torch.manual_seed(0)
    net = case.net(case.depth)
    x, y = torch.randn(case.batch, *case.example), torch.randint(10, (case.batch,))
    optimiser, losses, seconds = torch.optim.Adam(net.parameters(), lr=1e-4, fused=True), [], []
    for _ in range(steps):
        begun = time.perf_counter()
        optimiser.zero_grad()
        loss = nn.functional.cross_entropy(net(x), y)
        loss.backward()
        optimiser.step()
        seconds.append(time.perf_counter() - begun)
        losses.append(loss.item())
    peak = peak_resident_bytes()
    with torch.no_grad():
        after = nn.functional.cross_entropy(net(x), y).item()
    return {
        "parameters": sum(parameter.numel() for parameter in net.parameters()),
        "peak_GiB": peak / 2**30,
        "step_s": min(seconds),
        "loss_before": losses[0],
        "loss_after": after,
    }


def measure_in_process(case: Case, steps: int) -> dict[str, object]:
    """Return the row of a case, measured in a new process: peak memory is that of a process."""
    command = [
        sys.executable,
        __file__,
        "--case",
        case.name,
        "--depth",
        str(case.depth),
        "--steps",
        str(steps),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found = (
        json.loads(done.stdout)
        if done.returncode == 0
        else {"peak_GiB": f"failed, exit {done.returncode}"}
    )
    return {"case": case.name, "depth": case.depth, "note": case.note} | found


def read_rows(out: Path) -> dict[tuple[str, str], dict[str, object]]:
    """Return the rows of an earlier call that did not fail, by case and depth."""
    if not (out / "memory.csv").exists():
        return {}
    with (out / "memory.csv").open(newline="") as file:
        return {
            (row["case"], row["depth"]): row
            for row in csv.DictReader(file)
            if not row["peak_GiB"].startswith("failed")
        }


def sort_rows(rows: dict[tuple[str, str], dict[str, object]]) -> list[dict[str, object]]:
    """Return the rows in the order of CASES."""
    keys = [(case.name, format_cell(case.depth)) for case in CASES]
    return [rows[key] for key in keys if key in rows]


def write_tables(rows: list[dict[str, object]], out: Path, steps: int) -> str:
    """Write memory.csv and memory.md to the folder `out`; return the text of memory.md."""
    out.mkdir(parents=True, exist_ok=True)
    lines = [{column: format_cell(row.get(column, "")) for column in COLUMNS} for row in rows]
    with (out / "memory.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(lines)
    where = (
        f"torch {torch.__version__}, Python {platform.python_version()}, {platform.machine()}, one"
        " thread"
    )
    idle = peak_resident_bytes() / 2**30
    how = (
        f"`python scripts/memory.py --steps {steps}`: the fastest of {steps} training steps, peak"
        f" resident memory of the whole process (python with torch alone: {idle:.2f} GiB); {where}."
    )
    table = [
        COLUMNS,
        ["---"] * len(COLUMNS),
        *([line[column] for column in COLUMNS] for line in map(move_words_to_note, lines)),
    ]
    text = "\n".join(
        ["# Memory", "", how, "", MEANING, "", *(f"| {' | '.join(line)} |" for line in table), ""]
    )
    (out / "memory.md").write_text(text)
    return text


def move_words_to_note(line: dict[str, str]) -> dict[str, str]:
    """Return the cells with what is no number, such as 'does not fit', in the note."""
    peak = line["peak_GiB"]
    if peak[:1].isdigit():
        return line
    reason = f"{peak}: more than {LIMIT / 2**30:g} GiB, so it was not run; kept_GiB is estimated"
    note = reason if peak == TOO_LARGE else peak
    return line | {"peak_GiB": "", "note": f"{note}; {line['note']}"}


def format_cell(value: object) -> str:
    if isinstance(value, float):
        return f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument(
        "--only", default="", help="only cases whose name contains TEXT", metavar="TEXT"
    )
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--depth", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.case:
        (case,) = [case for case in CASES if (case.name, case.depth) == (given.case, given.depth)]
        print(json.dumps(measure(case, given.steps)))
        return
    wanted = [case for case in CASES if given.only in case.name]
    if not wanted:
        parser.error(
            f"--only {given.only}: no such case; cases:"
            f" {', '.join(sorted({case.name for case in CASES}))}"
        )
    rows = read_rows(given.out)
    for case in wanted:
        key = (case.name, format_cell(case.depth))
        if key not in rows:
            rows[key] = measure_in_process(case, given.steps)
            write_tables(sort_rows(rows), given.out, given.steps)
    print(write_tables(sort_rows(rows), given.out, given.steps))


if __name__ == "__main__":
    main()
