"""A table and a figure of all runs in a folder: options, results, gradients and singular values.

Only run folders are read. A folder that cannot be read is a row of the table with its error.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.runs.folder import FINISHED, RunFolder
from stablenets.runs.provenance import load_history, short_commit
from stablenets.schema import flatten_keys

# columns of every table; options in which the runs differ are added, apart from ALWAYS_SHOWN
COLUMNS_OF_RUN = ("dataset", "net", "operator", "depth", "seed", "status", "test")
GRADIENT_COLUMNS = ("gradient_min", "gradient_max", "gradient_first_to_last")
SPECTRUM_COLUMNS = ("singular_min", "singular_max")
ALWAYS_SHOWN = ("name", "family", "operator", "depth", "h", "T")


def write_report(runs: Path, out: Path, command: str) -> list[dict[str, Any]]:
    """Write report.md and report.csv, and a figure if any run has been measured.

    Args:
        runs: The folder of all runs.
        out: The folder of the report, which is created if it does not exist.
        command: The command that makes the report, for its head.

    Returns:
        The rows of report.csv.

    Raises:
        BadInput: If there are no run folders.
    """
    rows = collect_rows(runs)
    if not rows:
        raise BadInput(
            f"runs={runs}: no run folders there; make some (make train) or choose another folder"
            " with --runs DIR"
        )
    out.mkdir(parents=True, exist_ok=True)
    (out / "report.md").write_text(runs_markdown(rows, command))
    pd.DataFrame(rows).to_csv(out / "report.csv", index=False)
    draw_runs(runs, rows, out)
    return rows


def collect_rows(runs: Path) -> list[dict[str, Any]]:
    """One row for each run, sorted by dataset, family, depth and seed."""
    folders = sorted(
        path.parent for path in runs.glob("*/status.json") if ".old-" not in path.parent.name
    )

    def order(row: dict[str, Any]) -> tuple:
        return (
            str(row.get("dataset")),
            str(row.get("net")),
            row.get("depth") or 0,
            row.get("seed") or 0,
        )

    return sorted((row_of_run(RunFolder(path)) for path in folders), key=order)


def row_of_run(folder: RunFolder) -> dict[str, Any]:
    """The row of a run; only name, status and error if its folder cannot be read."""
    try:
        return read_row(folder)
    except (BadInput, OSError, ValueError, LookupError, TypeError, yaml.YAMLError) as error:
        return {
            "run": folder.path.name,
            "status": "unreadable",
            "note": f"{type(error).__name__}: {' '.join(str(error).split())}",
        }


def read_row(folder: RunFolder) -> dict[str, Any]:
    """The row of a run from its folder: options, results and provenance."""
    status = folder.status() or {}
    config = yaml.safe_load((folder.path / "config.yaml").read_text())
    folder.metrics(), folder.arrays()  # both raise if they are damaged
    history = load_history(folder.path)
    summary = status.get("summary", {})
    last = history[-1]
    del config["execution"]
    seeds = config.pop("seeds")
    return {
        "run": folder.path.name,
        "dataset": config["dataset"]["name"],
        "net": config["net"]["family"],
        "operator": config["net"]["operator"],
        "depth": config["depth"],
        "widths": " ".join(map(str, config["net"]["widths"])),
        "h": config["h"],
        "seed": seeds["init"],
        "status": status["status"],
        "epochs": summary.get("epochs"),
        "parameters": summary.get("parameters"),
        "test": summary.get("test_accuracy", summary.get("test_mse")),
        "test_at_best_validation": summary.get(
            "test_accuracy_at_best_validation", summary.get("test_mse_at_best_validation")
        ),
        **low_and_high("gradient", summary.get("state_gradient_range")),
        "gradient_first_to_last": summary.get("state_gradient_ratio"),
        **low_and_high("singular", summary.get("singular_value_range")),
        "diverged_at_step": summary.get("divergence", {}).get("step"),
        "wall_s": round(sum(entry["wall_s"] for entry in history), 1),
        "device": last["device"],
        "threads": last["threads"],
        "torch": last["versions"]["torch"],
        "source": last["data"]["source"],
        "commit": short_commit(last["commit"], last["dirty"]),
        "command": last["command"],
        **{
            f"config.{key}": str(value) if isinstance(value, list) else value
            for key, value in flatten_keys(config).items()
        },
    }


def differing_keys(rows: list[dict[str, Any]]) -> list[str]:
    """The configuration keys in which runs differ, apart from those that every table shows.

    An option of one family is compared only among the runs of that family.
    """
    values: dict[str, set[str]] = {}
    for row in rows:
        for key, value in row.items():
            if key.startswith("config.") and key.split(".")[-1] not in ALWAYS_SHOWN:
                values.setdefault(key, set()).add(str(value))
    return sorted(key for key, found in values.items() if len(found) > 1)


def low_and_high(name: str, values: list[float] | None) -> dict[str, float | None]:
    """The two columns of a pair of extreme values."""
    low, high = map(float, values) if values else (None, None)
    return {f"{name}_min": low, f"{name}_max": high}


def runs_markdown(rows: list[dict[str, Any]], command: str) -> str:
    """report.md: the columns that people compare; report.csv has all of them."""
    readable = [row for row in rows if row["status"] != "unreadable"]
    shown = [*COLUMNS_OF_RUN, *GRADIENT_COLUMNS, *SPECTRUM_COLUMNS, *differing_keys(readable)]
    shown += ["wall_s", "commit"]

    def cell(value: Any) -> str:
        if value is None or value != value:
            return ""
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    lines = [
        "# Runs",
        "",
        f"Made by `{command}` from {len(rows)} run folders. test: accuracy (or mean squared error)",
        "after the last epoch. gradient: smallest and largest norm of dLoss/dY_l by depth, and the",
        "norm at the first state divided by that at the last, at the last measurement. singular:",
        "smallest and largest singular value of dY_L/dY_0 after training.",
        "",
        "| " + " | ".join(name.removeprefix("config.") for name in shown) + " |",
        "|" + " --- |" * len(shown),
    ]
    lines += ["| " + " | ".join(cell(row.get(name)) for name in shown) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def draw_runs(runs: Path, rows: list[dict[str, Any]], out: Path) -> None:
    """Draw gradient norm against depth, and singular values by rank.

    The first measurement of a run is dashed, the last one solid. Each configuration is one line:
    the median over its seeds. There is one line for each colour; the title counts the others.
    """
    measured = [
        (row, probes)
        for row in rows
        if row["status"] in FINISHED and (probes := load_probes(runs / row["run"]))
    ]
    if not measured:
        return
    differing = differing_keys([row for row, _ in measured])
    groups: dict[str, list[dict[str, np.ndarray]]] = {}
    for row, probes in measured:
        groups.setdefault(configuration_label(row, differing), []).append(probes)
    chosen = dict(list(groups.items())[: len(COLOURS)])
    figure, (left, right) = new_figure(2, width=4.6, height=3.8)
    for colour, (label, members) in zip(COLOURS, chosen.items(), strict=False):
        for index, style in ((0, "--"), (-1, "-")):
            depths, gradients = median_curve(
                [(probes["depths"], probes["state_gradients"][index]) for probes in members]
            )
            left.plot(depths, gradients, style, color=colour, label=label if style == "-" else None)
            spectra = [
                without_rounding(np.median(probes["singular_values"][index], 0))
                for probes in members
            ]
            ranks, values = median_curve(
                [(np.arange(1, len(spectrum) + 1), spectrum) for spectrum in spectra]
            )
            right.plot(ranks, values, style, color=colour)
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
        figure.suptitle(f"{left_out} more configurations: see the table", fontsize="small")
    for kind in ("png", "svg"):
        figure.savefig(out / f"report.{kind}", metadata={"Date": None} if kind == "svg" else None)


def configuration_label(row: dict[str, Any], differing: list[str]) -> str:
    """The label of a configuration in the figure."""
    own = [f"{key.removeprefix('config.')} {row.get(key)}" for key in differing]
    named = [f"{row['net']} {row['operator']}", f"{row['depth']} layers", row["dataset"]]
    return ", ".join(named + own)


def without_rounding(values: np.ndarray) -> np.ndarray:
    """Singular values (k,), largest first; NaN for those that are rounding errors of float64."""
    smallest = len(values) * np.finfo(np.float64).eps * values[0]
    return np.where(values > smallest, values, np.nan)


def load_probes(folder: Path) -> dict[str, np.ndarray] | None:
    """The arrays of a run; None unless it has both gradients and singular values."""
    arrays = RunFolder(folder).arrays()
    return arrays if {"state_gradients", "singular_values"} <= set(arrays) else None


def median_curve(curves: list[tuple[np.ndarray, np.ndarray]]) -> tuple[np.ndarray, np.ndarray]:
    """The median over seeds; runs of one configuration share their depths and ranks."""
    return curves[0][0], np.median([values for _, values in curves], 0)
