"""What is settled by all profiles together: the page of a paper, results/<paper>/README.md, and
that of all papers, results/README.md.

Reads the claims.csv of the profiles and nothing else, so that it costs nothing to bring both up to
date with any of them.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from stablenets.claims import tables
from stablenets.claims.claim import MISSING, NOT_RUN, PROFILES, SMOKE, VERDICTS, Paper
from stablenets.runs import files


def measured(folder: Path) -> dict[str, pd.DataFrame]:
    """By profile, from the lowest to the highest, what was measured of each claim; `smoke` measures
    nothing. `folder`: the paper's.
    """
    claims = {
        profile: pd.read_csv(path, keep_default_na=False, dtype=str).set_index("id")
        for profile in PROFILES
        if profile != SMOKE and (path := folder / profile / "claims.csv").exists()
    }
    return {
        profile: table[(table["ours"] != "") & ~table["ours"].str.endswith(MISSING)]
        for profile, table in claims.items()
    }


def settled(paper: Paper, folder: Path) -> pd.DataFrame:
    """Each claim as the highest profile that measured it has it, decided or not, since it is the
    nearest to the paper's own scale; what a lower one decided stands on that one's page.
    """
    rows = []
    for claim in paper.claims:
        told = {"id": claim.id, "claim": claim.sentence, "verdict": NOT_RUN}
        for profile, table in measured(folder).items():
            if claim.id in table.index:
                row = table.loc[claim.id]
                told |= {
                    "verdict": row["verdict"],
                    "ours": row["ours"],
                    "95 % interval": tables.interval(
                        float(row["low"] or "nan"), float(row["high"] or "nan")
                    ),
                    "seeds": row["seeds"],
                    "dataset": row["dataset"],
                    "measured at": f"[{profile}]({profile}/claims.md)",
                }
        rows.append(told)
    return pd.DataFrame(rows).fillna("")


def page(paper: Paper, folder: Path) -> str:
    links = ", ".join(f"[{profile}]({profile}/claims.md)" for profile in measured(folder))
    said = (
        "Each claim as the highest profile that measured it has it. All profiles:"
        f" {links or 'none has been run'}. [What the paper claims, what we ran and"
        f" why](../../experiments/{paper.handle}/README.md)."
    )
    return "\n".join([f"# {paper.title}", "", said, "", tables.markdown(settled(paper, folder))])


def overview(papers: Iterable[Paper], results: Path) -> str:
    """The claims of each paper, by their ids, under what came out."""
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
    said = (
        "What came of each paper's claims, by their numbers; its page has each with what we found,"
        " and at which profile. Undecided: what was measured leaves open which it is. Not run at"
        " this scale: nothing was measured, or what cannot speak for the claim."
    )
    return "\n".join(
        [
            "# What held",
            "",
            said,
            "",
            tables.markdown(pd.DataFrame(rows, columns=["paper", "claims", *VERDICTS])),
        ]
    )


def write_overview(papers: Iterable[Paper], results: Path) -> None:
    files.write_file(results / "README.md", overview(papers, results).encode())
