"""Verdicts over all profiles: results/<paper>/README.md and results/README.md.

Both pages are made from the committed claims.csv files of the profiles only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets import tables
from stablenets.claims.cells import HOW_TO_READ_CLAIMS, page_cells
from stablenets.claims.criteria import NOT_RUN, VERDICTS
from stablenets.claims.grid import PROFILES, SMOKE
from stablenets.claims.judging import CLAIM_COLUMNS, CRITERION_COLUMNS, ONLY_ON
from stablenets.claims.paper import CLAIM_KINDS, KIND_MEANINGS, Paper
from stablenets.claims.readme import findings_of
from stablenets.errors import BadInput
from stablenets.runs import files

VERDICT_MEANINGS = {
    "reproduced": "All deciding criteria are held: their whole intervals are on the right side.",
    "partly": "At least one deciding criterion is held and at least one is refuted; others may be"
    " open.",
    "not reproduced": "All deciding criteria are refuted.",
    "undecided": "No other row applies: criteria are open, because their intervals contain the"
    " threshold or there is no interval yet. Or a condition is not held.",
    "not run": "No measurement yet, or only on substitute data, which decide nothing.",
}
OPTIONAL_COLUMNS = ("cases",)  # that older files lack


def read_claims(path: Path) -> pd.DataFrame:
    """The rows of a claims.csv by the ids of the claims; all cells are text.

    Raises:
        BadInput: If the file is damaged.
    """
    try:
        table = read_columns(path, CLAIM_COLUMNS)
        for name in ("ours", "low", "high"):
            pd.to_numeric(table[name])  # raises if one is not a number
        if table.isna().any(axis=None) or not table["id"].is_unique:
            raise ValueError("a row is incomplete, or there twice")
        return table.set_index("id")
    except (OSError, ValueError, LookupError):
        raise damaged(path) from None


def read_criteria(path: Path) -> pd.DataFrame:
    """The rows of a criteria.csv: texts, with value, interval, n and threshold as numbers.

    Raises:
        BadInput: If the file is damaged.
    """
    numbers = ["value", "low", "high", "n", "threshold"]
    try:
        table = read_columns(path, CRITERION_COLUMNS)
        return table.assign(**{name: pd.to_numeric(table[name]) for name in numbers})
    except (OSError, ValueError, LookupError):
        raise damaged(path) from None


def read_columns(path: Path, columns: Sequence[str]) -> pd.DataFrame:
    """Some columns of a csv file as text; those of OPTIONAL_COLUMNS are empty if it lacks them."""
    table = pd.read_csv(path, keep_default_na=False, dtype=str)
    lacking = {name: "" for name in OPTIONAL_COLUMNS if name not in table}
    return table.assign(**lacking)[list(columns)]


def damaged(path: Path) -> BadInput:
    """The error for a file of results/<paper>/<profile>/ that cannot be read."""
    profile, handle = path.parent.name, path.parent.parent.name
    return BadInput(
        f"{path}: damaged; make reproduce-{handle} PROFILE={profile} REPORT_ONLY=1 writes it"
        " again; that in results/ also needs PUBLISH=1"
    )


def claims_by_profile(folder: Path) -> dict[str, pd.DataFrame]:
    """The rows of claims.csv by profile, from the smallest compute budget up, without smoke."""
    return {
        profile: read_claims(path)
        for profile in PROFILES
        if profile != SMOKE and (path := folder / profile / "claims.csv").exists()
    }


def final_rows(paper: Paper, folder: Path) -> list[dict[str, Any]]:
    """The row of each claim at the largest compute budget at which it was run.

    A claim that was run nowhere has the verdict 'not run' and the profile ''. If it was run on
    substitute data, that is the reason.
    """
    found, tables = [], claims_by_profile(folder).values()
    for claim in paper.claims:
        row: dict[str, Any] = {
            "kind": claim.kind,
            "claim": claim.sentence,
            "published": claim.published,
            "verdict": NOT_RUN,
            "profile": "",
        }
        for table in tables:
            if claim.id not in table.index:
                continue
            own = dict(table.loc[claim.id])
            if own["verdict"] != NOT_RUN:
                row |= own
            elif not row["profile"] and own["reason"].startswith(ONLY_ON):
                row["reason"] = own["reason"]
        found.append({"id": claim.id} | row)
    return found


def write_paper_page(paper: Paper, folder: Path) -> None:
    """Write results/<paper>/README.md; see `write_unless_damaged`."""
    write_unless_damaged(folder / "README.md", lambda: paper_page(paper, folder))


def paper_page(paper: Paper, folder: Path) -> str:
    """The page of one paper: each claim with its verdict, our value and its interval.

    Without claims: the findings, from the README of the experiment, and links to the pages.
    """
    link = readme_link(paper, folder)
    if not paper.claims:
        pages = [f"{profile}/{paper.page}" for profile in PROFILES if profile != SMOKE]
        found = findings_of(folder / link, folder.parent) if link else ""
        lines = [f"# {paper.title}", "", *([found, ""] if found else [])]
        lines += [f"[How it is made, and what limits it]({link}).", ""] if link else []
        lines += ["Tables and figures:", ""]
        lines += [f"- [{page}]({page})" for page in pages if (folder / page).exists()]
        return "\n".join([*lines, ""])
    rows = final_rows(paper, folder)
    cells = [page_cells(row) | {"measured at": profile_link(row)} for row in rows]
    lines = [
        f"# {paper.title}",
        "",
        "The verdict of each claim at the largest compute budget at which it was run.",
        *([f"[What the paper claims, what we found and what limits it]({link})."] if link else []),
        "",
        *([paper.notation, ""] if paper.notation else []),
        HOW_TO_READ_CLAIMS,
        "",
        tables.format_markdown(pd.DataFrame(cells)),
    ]
    return "\n".join(lines)


def readme_link(paper: Paper, folder: Path) -> str:
    """The link from a folder below results/<paper>/ to the README of the paper; '' if it has none.

    Args:
        paper: The paper.
        folder: The folder of the page, which exists.
    """
    target = Path("experiments", paper.handle, "README.md")
    up = 2 if folder.name == paper.handle else 3
    path = Path(*[".."] * up, target)
    return path.as_posix() if (folder / path).is_file() else ""


def profile_link(row: dict[str, Any]) -> str:
    """A link to the page of the profile that decided a claim."""
    return f"[{row['profile']}]({row['profile']}/claims.md)" if row["profile"] else ""


def count_verdicts(papers: Iterable[Paper], results: Path) -> pd.DataFrame:
    """The number of claims by kind and verdict."""
    rows = [row for paper in papers for row in final_rows(paper, results / paper.handle)]
    counts = [
        {"kind": kind, "meaning": KIND_MEANINGS[kind]}
        | {
            verdict: sum(row["kind"] == kind and row["verdict"] == verdict for row in rows)
            for verdict in VERDICTS
        }
        for kind in CLAIM_KINDS
    ]
    return pd.DataFrame(counts)


def overview(papers: Iterable[Paper], results: Path) -> str:
    """The page of all papers: counts by kind and verdict, then one line for each claim."""
    papers = list(papers)
    lines = [
        "# Results by claim",
        "",
        tables.format_markdown(count_verdicts(papers, results)),
        "| verdict | meaning |\n| --- | --- |",
        *(f"| {verdict} | {meaning} |" for verdict, meaning in VERDICT_MEANINGS.items()),
        "",
        HOW_TO_READ_CLAIMS,
        "",
    ]
    for paper in papers:
        rows = final_rows(paper, results / paper.handle)
        cells = pd.DataFrame([page_cells(row) for row in rows]).drop(columns="criteria")
        lines += [
            f"## [{paper.title}]({paper.handle}/README.md)",
            "",
            tables.format_markdown(cells),
        ]
    return "\n".join(lines)


def write_overview(papers: Iterable[Paper], results: Path) -> None:
    """Write results/README.md on the papers with results there; see `write_unless_damaged`."""
    made = [paper for paper in papers if (results / paper.handle).is_dir()]
    write_unless_damaged(results / "README.md", lambda: overview(made, results))


def write_unless_damaged(path: Path, make: Callable[[], str]) -> None:
    """Write a page; if a claims.csv is damaged, say so on stderr and leave the page as it is."""
    try:
        files.write_file(path, make().encode())
    except BadInput as error:
        print(f"{path} is not written: {error}", file=sys.stderr)
