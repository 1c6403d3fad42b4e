"""How deep a training step goes in this machine's memory: its peak and its time, each case in a
process of its own, on one thread.

    python scripts/memory.py [--steps 2] [--out results/bench] [--only TEXT]

Writes memory.md and memory.csv after each case, and keeps the rows that are there: remove
memory.csv to measure all anew. A step is forward, backward and Adam; the loss on the same batch,
before the first step and after the last, shows that it trains. Of a case whose kept bytes would not
fit, counted by saved-tensor hooks in two shallow nets between which they grow linearly, only that
is said.
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
LIMIT = 24 * 2**30
IMAGES = (
    "3 units of 16, 32 and 64 channels, pooled between, two-layer Hamiltonian blocks of 3x3"
    " kernels, ReLU; 100 images 3x32x32"
)


class Case(NamedTuple):
    name: str
    depth: int
    net: Callable[[int], nn.Module]
    example: tuple[int, ...]
    batch: int
    note: str


def hamiltonian(mode: str) -> Callable[[int], nn.Module]:
    """T = 6 in each unit, whatever the depth."""

    def net(depth: int) -> nn.Module:
        return Network(
            Hamiltonian(activation="relu"),
            shape=(3, 32, 32),
            outputs=10,
            widths=[16, 32, 64],
            depth=depth,
            h=18 / depth,
            operator="conv",
            opening_kind="conv",
            head_kind="mean",
            backward=mode,
        )

    return net


class Scored(nn.Module):
    """A flow or a recurrence with an affine head."""

    def __init__(self, body: nn.Module, width: int) -> None:
        super().__init__()
        self.body, self.head = body, nn.Linear(width, 10)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.body(x))


def roamlp(mode: str) -> Callable[[int], nn.Module]:
    return lambda depth: Scored(Flow(RoaMLP(), 64, depth, backward=mode), 64)


def modules(depth: int) -> nn.Module:
    O = Flow(RoaMLP(), 64, 1).O[0]
    return Scored(nn.Sequential(*(Layer(O) for _ in range(depth))), 64)


def roarnn(mode: str) -> Callable[[int], nn.Module]:
    return lambda steps: Scored(Recurrence(RoaRNN(), 1, 128, steps, backward=mode), 128)


DEEP, LONG = "width 64, batch 128", "10,000 time steps, width 128, batch 32"
CASES = [
    *(
        Case(f"roaMLP, backward={mode}", 50_000, roamlp(mode), (64,), 128, DEEP)
        for mode in ("store", "checkpoint")
    ),
    Case("roaMLP, a module a layer", 50_000, modules, (64,), 128, DEEP),
    *(
        Case(f"roaRNN, backward={mode}", 10_000, roarnn(mode), (10_000, 1), 32, LONG)
        for mode in ("store", "checkpoint")
    ),
    Case("roaRNN, a loop of autograd operations", 10_000, roarnn("plain"), (10_000, 1), 32, LONG),
    *(
        Case(f"Hamiltonian, backward={mode}", depth, hamiltonian(mode), (3, 32, 32), 100, IMAGES)
        for depth in (6, 60, 600, 3600)
        for mode in ("store", "checkpoint", "reverse")
        if mode != "checkpoint" or depth < 3600
    ),
]


def reckoned(case: Case) -> int | None:
    """The bytes that a deep `store` would keep, where they are more than there is."""
    if "store" not in case.name or case.depth < 100 or len(case.example) != 3:
        return None
    x = torch.randn(case.batch, *case.example)
    shallow, less_shallow = (kept_bytes(case.net(depth), x) for depth in (3, 6))
    total = shallow + (less_shallow - shallow) * (case.depth - 3) // 3
    return total if total > LIMIT else None


def run(case: Case, steps: int) -> dict[str, object]:
    if total := reckoned(case):
        return {"kept_GiB": total / 2**30, "peak_GiB": "does not fit"}
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


def in_own_process(case: Case, steps: int) -> dict[str, object]:
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


def before(out: Path) -> dict[tuple[str, str], dict[str, object]]:
    """The rows of an earlier call that have a peak, by case and depth."""
    if not (out / "memory.csv").exists():
        return {}
    with (out / "memory.csv").open(newline="") as file:
        return {
            (row["case"], row["depth"]): row
            for row in csv.DictReader(file)
            if not row["peak_GiB"].startswith("failed")
        }


def order(rows: dict[tuple[str, str], dict[str, object]]) -> list[tuple[str, str]]:
    """The cases that have a row, as they stand in CASES."""
    return [key for case in CASES if (key := (case.name, shown(case.depth))) in rows]


def write(rows: list[dict[str, object]], out: Path, steps: int) -> str:
    out.mkdir(parents=True, exist_ok=True)
    lines = [{column: shown(row.get(column, "")) for column in COLUMNS} for row in rows]
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
        *([line[column] for column in COLUMNS] for line in lines),
    ]
    text = "\n".join(["# Memory", "", how, "", *(f"| {' | '.join(line)} |" for line in table), ""])
    (out / "memory.md").write_text(text)
    return text


def shown(value: object) -> str:
    return (
        f"{value:.4g}"
        if isinstance(value, float)
        else f"{value:,}"
        if isinstance(value, int)
        else str(value)
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=2)
    parser.add_argument("--out", type=Path, default=Path("results/bench"))
    parser.add_argument("--only", default="", help="cases whose name contains this")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--depth", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.case:
        (case,) = [case for case in CASES if (case.name, case.depth) == (given.case, given.depth)]
        print(json.dumps(run(case, given.steps)))
        return
    wanted = [case for case in CASES if given.only in case.name]
    if not wanted:
        parser.error(
            f"--only {given.only}: no such case; cases:"
            f" {', '.join(sorted({case.name for case in CASES}))}"
        )
    rows = before(given.out)
    for case in wanted:
        if (case.name, shown(case.depth)) not in rows:
            rows[case.name, shown(case.depth)] = in_own_process(case, given.steps)
            write([rows[key] for key in order(rows)], given.out, given.steps)
    print(write([rows[key] for key in order(rows)], given.out, given.steps))


if __name__ == "__main__":
    main()
