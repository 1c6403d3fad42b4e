"""One table and one figure of the runs in a folder: what was asked, how it ended, what depth did to
gradient and signal.

Built from run folders only; a folder that cannot be read is named in the table and does not stop
the rest.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.runs import provenance
from stablenets.runs.folder import FINISHED, RunFolder
from stablenets.schema import flatten_keys


def collect(runs: Path) -> list[dict[str, Any]]:
    """A row a run, sorted by dataset, family, depth and seed."""
    folders = sorted(
        path.parent for path in runs.glob("*/status.json") if ".old-" not in path.parent.name
    )
    rows = [row(RunFolder(path)) for path in folders]
    return sorted(
        rows,
        key=lambda row: (
            str(row.get("dataset")),
            str(row.get("net")),
            row.get("depth") or 0,
            row.get("seed") or 0,
        ),
    )


def row(folder: RunFolder) -> dict[str, Any]:
    try:
        return facts(folder)
    except (BadInput, OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        return {
            "run": folder.path.name,
            "status": "unreadable",
            "note": f"{type(error).__name__}: {' '.join(str(error).split())}",
        }


def facts(folder: RunFolder) -> dict[str, Any]:
    status = folder.status()
    config = yaml.safe_load((folder.path / "config.yaml").read_text())
    folder.metrics()
    history = json.loads((folder.path / "provenance.json").read_text())
    summary = status.get("summary", {})
    last = history[-1]
    execution, seeds = config.pop("execution"), config.pop("seeds")
    return {
        "run": folder.path.name,
        "dataset": config["dataset"]["name"],
        "net": config["net"]["family"],
        "operator": config["net"]["operator"],
        "depth": config["depth"],
        "widths": " ".join(map(str, config["net"]["widths"])),
        "h": config["h"],
        "seed": seeds["init"],
        "profile": execution["profile"],
        "status": status["status"],
        "epochs": summary.get("epochs"),
        "parameters": summary.get("parameters"),
        "test": summary.get("test_accuracy", summary.get("test_mse")),
        "test_at_best_validation": summary.get(
            "test_accuracy_at_best_validation", summary.get("test_mse_at_best_validation")
        ),
        **ends("gradient", summary.get("state_gradient_range")),
        **ends("singular", summary.get("singular_value_range")),
        "diverged_at_step": summary.get("divergence", {}).get("step"),
        "wall_s": round(sum(entry["wall_s"] for entry in history), 1),
        "device": last["device"],
        "threads": last["threads"],
        "torch": last["versions"]["torch"],
        "source": last["data"]["source"],
        "commit": provenance.made_at(last["commit"], last["dirty"]),
        "command": last["command"],
        **{
            f"config.{key}": str(value) if isinstance(value, list) else value
            for key, value in flatten_keys(config).items()
        },
    }


def varied(rows: list[dict[str, Any]]) -> list[str]:
    """The configuration keys in which these runs differ, beyond what every table shows."""
    keys = {key for row in rows for key in row if key.startswith("config.")}
    known = ("name", "family", "operator", "depth", "h", "T")
    values = {
        key: {str(row[key]) for row in rows if key in row} for key in keys
    }  # a family's own option differs within the family only
    return sorted(key for key in keys if len(values[key]) > 1 and key.split(".")[-1] not in known)


def ends(name: str, values: list[float] | None) -> dict[str, float | None]:
    low, high = map(float, values) if values else (None, None)
    return {f"{name}_min": low, f"{name}_max": high}


def markdown(rows: list[dict[str, Any]], command: str) -> str:
    """The columns that people compare; the csv beside it has them all."""
    shown = [
        "dataset",
        "net",
        "operator",
        "depth",
        "seed",
        "status",
        "test",
        "gradient_min",
        "gradient_max",
        "singular_min",
        "singular_max",
        *varied([row for row in rows if row["status"] != "unreadable"]),
        "wall_s",
        "commit",
    ]

    def cell(value: Any) -> str:
        if value is None or value != value:
            return ""
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    lines = [
        "# Runs",
        "",
        (
            f"Made by `{command}` from {len(rows)} run folders. test: accuracy of the last iterate."
            " gradient: smallest"
        ),
        (
            "and largest norm of dLoss/dY_l over depth, last measured. singular: of dY_L/dY_0,"
            " after training."
        ),
        "",
        "| " + " | ".join(name.removeprefix("config.") for name in shown) + " |",
        "|" + " --- |" * len(shown),
    ]
    return (
        "\n".join(
            lines
            + ["| " + " | ".join(cell(row.get(name)) for name in shown) + " |" for row in rows]
        )
        + "\n"
    )


def write(runs: Path, out: Path, command: str) -> list[dict[str, Any]]:
    """report.md, report.csv and, where runs have been measured, report.png and report.svg under
    `out`; the rows.
    """
    rows = collect(runs)
    if not rows:
        raise BadInput(
            f"runs={runs}: no run folders there; make some (make train) or point at others with"
            " --runs DIR"
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(markdown(rows, command))
    pd.DataFrame(rows).to_csv(out / "report.csv", index=False)
    draw(runs, rows, out)
    return rows


def draw(runs: Path, rows: list[dict[str, Any]], out: Path) -> None:
    """Gradient norm against depth and singular values by rank, start of training dashed, end solid;
    the median over seeds.

    A line is a configuration; more than there are colours would not be told apart, and the title
    says how many are left out.
    """
    measured = [
        (entry, probes)
        for entry in rows
        if entry["status"] in FINISHED and (probes := load(runs / entry["run"]))
    ]
    if not measured:
        return
    differing = varied([entry for entry, _ in measured])
    groups: dict[str, list[dict[str, np.ndarray]]] = {}
    for entry, probes in measured:
        own = [f"{key.removeprefix('config.')} {entry.get(key)}" for key in differing]
        label = ", ".join(
            [
                f"{entry['net']} {entry['operator']}",
                f"{entry['depth']} layers",
                entry["dataset"],
                *own,
            ]
        )
        groups.setdefault(label, []).append(probes)
    chosen = dict(list(groups.items())[: len(COLOURS)])
    figure, (left, right) = new_figure(2, width=4.6, height=3.8)
    for colour, (label, members) in zip(COLOURS, chosen.items(), strict=False):
        for index, style in ((0, "--"), (-1, "-")):
            depths, gradients = median(
                [(probes["depths"], probes["state_gradients"][index]) for probes in members]
            )
            left.plot(depths, gradients, style, color=colour, label=label if style == "-" else None)
            values = [
                resolved(np.median(probes["singular_values"][index], 0)) for probes in members
            ]
            ranks, spectrum = median([(np.arange(1, len(value) + 1), value) for value in values])
            right.plot(ranks, spectrum, style, color=colour)
    left.set(xlabel="layer $l$", ylabel=r"$\|\partial\mathrm{Loss}/\partial Y_l\|$", yscale="log")
    right.set(xlabel="rank", ylabel=r"singular value of $\partial Y_L/\partial Y_0$", yscale="log")
    right.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    right.plot([], [], "--", color="0.3", label="first measurement")
    right.plot([], [], "-", color="0.3", label="last measurement")
    right.legend(frameon=False, fontsize="small")
    figure.legend(
        handles=left.get_legend_handles_labels()[0],
        loc="outside lower center",
        frameon=False,
        fontsize="small",
        ncols=min(3, len(chosen)),
    )
    if left_out := len(groups) - len(chosen):
        figure.suptitle(
            f"{left_out} further configurations are in the table only", fontsize="small"
        )
    for kind in ("png", "svg"):
        figure.savefig(out / f"report.{kind}", metadata={"Date": None} if kind == "svg" else None)


def resolved(values: np.ndarray) -> np.ndarray:
    """Singular values (k,), largest first, without those that float64 cannot tell from nought
    beside the largest.
    """
    return np.where(values > len(values) * np.finfo(np.float64).eps * values[0], values, np.nan)


def load(folder: Path) -> dict[str, np.ndarray] | None:
    """The probe arrays of a run, where it has both kinds."""
    path = folder / "probes.npz"
    if not path.exists():
        return None
    with np.load(path) as arrays:
        return dict(arrays) if {"state_gradients", "singular_values"} <= set(arrays) else None


def median(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """Over seeds; runs of one configuration share their depths and ranks."""
    return curves[0][0], np.median([values for _, values in curves], 0)
