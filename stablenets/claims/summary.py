"""Verdicts over all profiles: results/<paper>/README.md and results/README.md.

Both pages are made from the committed claims.csv files of the profiles only.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pandas as pd

from stablenets import tables
from stablenets.claims.claim import (
    COLUMNS,
    MISSING,
    NOT_RUN,
    PROFILES,
    SMOKE,
    VERDICTS,
    Paper,
)
from stablenets.errors import BadInput
from stablenets.runs import files


def measured(folder: Path) -> dict[str, pd.DataFrame]:
    """The measured claims of a paper's folder by profile, from the smallest compute budget up.

    The profile `smoke` only shows that everything runs; it measures nothing.
    """
    claims = {
        profile: read_claims(path)
        for profile in PROFILES
        if profile != SMOKE and (path := folder / profile / "claims.csv").exists()
    }
    return {
        profile: table[(table["ours"] != "") & ~table["ours"].str.endswith(MISSING)]
        for profile, table in claims.items()
    }


def read_claims(path: Path) -> pd.DataFrame:
    """The rows of a claims.csv by the ids of the claims, as text.

    Raises:
        BadInput: If the file is damaged.
    """
    try:
        table = pd.read_csv(path, keep_default_na=False, dtype=str)[list(COLUMNS)]
        for name in ("low", "high"):
            pd.to_numeric(table[name])  # raises if an end of an interval is not a number
        if table.isna().any(axis=None) or not table["id"].is_unique:
            raise ValueError("a row is incomplete, or there twice")
        return table.set_index("id")
    except (OSError, ValueError, LookupError):
        profile, handle = path.parent.name, path.parent.parent.name
        raise BadInput(
            f"{path}: damaged; make reproduce-{handle} PROFILE={profile} REPORT_ONLY=1 writes it"
            " again"
        ) from None


def settled(paper: Paper, folder: Path) -> pd.DataFrame:
    """One row for each claim, with its verdict at the largest compute budget that measured it."""
    rows = []
    for claim in paper.claims:
        cells: dict[str, Any] = {"id": claim.id, "claim": claim.sentence, "verdict": NOT_RUN}
        for profile, table in measured(folder).items():
            if claim.id in table.index:
                row = table.loc[claim.id]
                cells |= {
                    "verdict": row["verdict"],
                    "ours": row["ours"],
                    "95 % interval": tables.format_interval(
                        float(row["low"] or "nan"), float(row["high"] or "nan")
                    ),
                    "seeds": row["seeds"],
                    "dataset": row["dataset"],
                    "measured at": f"[{profile}]({profile}/claims.md)",
                }
        rows.append(cells)
    return pd.DataFrame(rows).fillna("")


def page(paper: Paper, folder: Path) -> str:
    """The page of one paper: each claim with its verdict, our value and its interval."""
    links = ", ".join(f"[{profile}]({profile}/claims.md)" for profile in measured(folder))
    introduction = (
        "Verdict of each claim at the largest compute budget that was run. Profiles:"
        f" {links or 'none has been run'}. [What the paper claims, what we ran and"
        f" why](../../experiments/{paper.handle}/README.md)."
    )
    return "\n".join(
        [f"# {paper.title}", "", introduction, "", tables.format_markdown(settled(paper, folder))]
    )


def overview(papers: Iterable[Paper], results: Path) -> str:
    """The page of all papers: the ids of their claims by verdict."""
    rows = []
    for paper in papers:
        if measured(results / paper.handle):
            claims = settled(paper, results / paper.handle)
            rows.append(
                {"paper": f"[{paper.title}]({paper.handle}/README.md)", "claims": len(claims)}
                | {
                    verdict: ", ".join(claims["id"][claims["verdict"] == verdict])
                    for verdict in VERDICTS
                }
            )
    introduction = (
        "The claims of each paper by their numbers. The page of a paper has each claim in words,"
        " our value with its interval, and the compute budget (profile) that was run.\n\n"
        "| verdict | meaning |\n| --- | --- |\n"
        "| reproduced | All criteria of the claim hold. |\n"
        "| partly | Some criteria hold. |\n"
        "| not reproduced | No criterion holds, and at least one is refuted. |\n"
        "| undecided | The measurements allow either answer. |\n"
        "| not run at this scale | No measurement yet, or only on substitute data that cannot test"
        " the claim. |"
    )
    return "\n".join(
        [
            "# Results by claim",
            "",
            introduction,
            "",
            tables.format_markdown(pd.DataFrame(rows, columns=["paper", "claims", *VERDICTS])),
        ]
    )


def write_overview(papers: Iterable[Paper], results: Path) -> None:
    """Write results/README.md; see `write_unless_damaged`."""
    write_unless_damaged(results / "README.md", lambda: overview(papers, results))


def write_paper_page(paper: Paper, folder: Path) -> None:
    """Write results/<paper>/README.md; see `write_unless_damaged`."""
    write_unless_damaged(folder / "README.md", lambda: page(paper, folder))


def write_unless_damaged(path: Path, make: Callable[[], str]) -> None:
    """Write a page; if a claims.csv is damaged, say so on stderr and leave the page as it is."""
    try:
        files.write_file(path, make().encode())
    except BadInput as error:
        print(f"{path} is not written: {error}", file=sys.stderr)
