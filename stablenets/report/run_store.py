"""Writes the report on a folder of runs: tables, figures and a page that explains them.

| file | content |
|---|---|
| report.md | the page: what each column is, the table, the figures, what was left out |
| report-configurations.md .csv .tex | one row for each configuration, averaged over seeds |
| report-runs.csv | one row for each run |
| report-curves, -gradients, -spectra, -depth, -configurations, as .png and .svg | the figures |
"""

from __future__ import annotations

import tempfile
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import matplotlib
import pandas as pd

from stablenets import tables
from stablenets.errors import BadInput
from stablenets.plotting.figures import write_figure
from stablenets.plotting.style import PAPER_STYLE
from stablenets.report.configurations import AVERAGED, ESTIMATES, MEANINGS, aggregate_runs
from stablenets.report.figures import CAPTIONS, draw_figures
from stablenets.report.store import DAMAGED, StoredRuns
from stablenets.runs.files import write_file
from stablenets.runs.folder import FINISHED
from stablenets.runs.provenance import made_by
from stablenets.statistics import Estimate

TERMINAL_WIDTH = 100
ACCURACY, MSE, EITHER = "test accuracy (%)", "test MSE (target²)", "test accuracy (%) or MSE"
# the columns of the table on a terminal, as far as they fit
ON_TERMINAL = (
    *("label", "seeds", "diverged", ACCURACY, MSE, EITHER),
    *("gradient, first/last", "time per run (s)", "smallest σ", "largest σ"),
)
MOST_NAMES = 20  # in a sentence
COLUMNS = "\n".join(
    [
        "Each row is a configuration: all options but the seeds. Its first columns are the options"
        " in which configurations differ. Values are means over the runs that did not diverge,"
        " with a 95 % interval in brackets if there are two or more. Intervals are by Student's t;"
        " those of percentages end at 0 and 100.",
        "",
        "| column | meaning |",
        "| --- | --- |",
        *(f"| {name} | {meaning} |" for name, meaning in MEANINGS.items()),
        "",
        "Ratios, norms, σ and times are geometric means.",
        "",
    ]
)


def write_report(stored: StoredRuns, out: Path, command: str) -> str:
    """Write all files of the report, see the table above.

    Files of an earlier report are replaced; figures that can no longer be drawn are removed.

    Args:
        stored: The runs of a folder, by `read_runs`.
        out: The folder of the report, which is created if it does not exist.
        command: The command that makes the report, for the page.

    Returns:
        What a terminal shows: the table in lines of at most 100 characters, and what was left out.

    Raises:
        BadInput: If `out` cannot be written.
    """
    create_folder(out)
    configurations = aggregate_runs(stored)
    origin = f"`{command}`: runs made {made_by(commits_of(stored))}."
    every_run = stored.runs.rename_axis("run").join(stored.options).reset_index()
    tables.write_csv(every_run, out / "report-runs.csv")
    table = readable_table(configurations)
    tables.write_table(
        table.drop(columns="label"),
        out / "report-configurations",
        "Configurations of the runs, averaged over seeds; report.md explains the columns.",
        origin,
    )
    for old in [*out.glob("report-*.png"), *out.glob("report-*.svg")]:
        old.unlink()
    with matplotlib.rc_context(PAPER_STYLE):  # type: ignore[arg-type]  # as in claims/pages.py
        figures = draw_figures(stored, configurations)
        for name, figure in figures.items():
            write_figure(figure, out / f"report-{name}", CAPTIONS[name], origin)
    write_file(out / "report.md", report_page(stored, table, figures, origin).encode())
    return terminal_text(stored, table, out)


def create_folder(out: Path) -> None:
    """Create the folder of the report; raise `BadInput` if it cannot be written."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=out).close()
    except OSError as error:
        raise BadInput(
            f"--out {out}: cannot write there ({error.strerror or error}); choose another folder"
        ) from None


def readable_table(configurations: pd.DataFrame) -> pd.DataFrame:
    """The columns for people: label, options that differ, counts, and results that exist."""
    results = [
        name
        for _, name, _ in ESTIMATES
        if any(isinstance(cell, Estimate) for cell in configurations.get(name, ()))
    ]
    known = {"runs", "parts", "label", "seeds", "diverged", "parameters"}
    known |= {name for _, name, _ in AVERAGED}
    options = [name for name in configurations if name not in known]
    counts = ["seeds", "diverged", *results, "parameters"]
    return configurations.reindex(columns=["label", *options, *counts])


def report_page(
    stored: StoredRuns, table: pd.DataFrame, figures: Iterable[str], origin: str
) -> str:
    """The text of report.md."""
    # a single configuration has no option in which it differs
    shown = table if len(table) == 1 else table.drop(columns="label")
    lines = ["# Report on runs", "", origin, "", *left_out_lines(stored), "", "## Table"]
    lines += ["", COLUMNS, tables.format_markdown(shown)]
    lines += ["The same as numbers: [report-configurations.csv](report-configurations.csv)."]
    lines += ["Every run, with all its options: [report-runs.csv](report-runs.csv).", ""]
    for name in figures:
        lines += [f"## {name.capitalize()}", "", f"![{name}](report-{name}.png)", ""]
        lines += [CAPTIONS[name], ""]
    return "\n".join(lines)


def left_out_lines(stored: StoredRuns) -> list[str]:
    """How many runs were read, and which are not in the table, with the reason."""
    status = stored.runs["status"]
    finished = status.isin(FINISHED)
    lines = [f"Run folders: {len(status) + len(stored.studies)}, finished runs: {finished.sum()}."]
    for name, reason in stored.runs["note"][status == DAMAGED].items():
        lines.append(f"- damaged, left out: {name} ({reason})")
    unfinished = status[~finished & (status != DAMAGED)]
    for kind, names in unfinished.groupby(unfinished).groups.items():
        lines.append(f"- {kind}, left out: {list_names(names)}")
    if stored.studies:
        lines.append(f"- studies of papers, which have their own tables: {len(stored.studies)}")
    return lines


def list_names(names: Iterable[Any]) -> str:
    """The names in a sentence, at most MOST_NAMES of them."""
    names = list(map(str, names))
    more = len(names) - MOST_NAMES
    return ", ".join(names[:MOST_NAMES]) + (f" and {more} more" if more > 0 else "")


def terminal_text(stored: StoredRuns, table: pd.DataFrame, out: Path) -> str:
    """The table as text, what was left out, and where everything is."""
    if {ACCURACY, MSE} <= {*table}:  # a row has one of them
        table = table.assign(**{EITHER: table[ACCURACY].where(table[ACCURACY].notna(), table[MSE])})
        table = table.drop(columns=[ACCURACY, MSE])
    columns = [name for name in ON_TERMINAL if name in table]
    text = tables.format_text(table[columns], TERMINAL_WIDTH)
    lines = [*left_out_lines(stored), f"All columns and figures: {out / 'report.md'}"]
    wrapped = [
        textwrap.fill(line, TERMINAL_WIDTH, subsequent_indent="  ", break_on_hyphens=False)
        for line in lines
    ]
    return "\n".join([text, "", *wrapped] if len(table) else wrapped)


def commits_of(stored: StoredRuns) -> str:
    """The commits that made the runs, the most frequent first."""
    made = stored.runs.get("commit", pd.Series(dtype=str)).dropna()
    return " ".join(filter(None, made.value_counts().index))
