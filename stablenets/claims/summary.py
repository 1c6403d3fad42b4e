"""What is settled by all profiles together: the page of a paper, results/<paper>/README.md, and that of all papers, results/README.md.

Reads the claims.csv of every profile and nothing else, so that it costs nothing to bring both up to date with any of them.
"""
from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pandas as pd

from stablenets.claims import tables
from stablenets.claims.claim import MISSING, NOT_RUN, PROFILES, VERDICTS, Paper
from stablenets.runs import files

DECIDING = PROFILES[1:]  # `smoke` only shows that everything runs


def settled(paper: Paper, folder: Path) -> pd.DataFrame:
    """Each claim as the highest profile that measured it has it, decided or not: what few seeds of a lower one decided is not evidence
    against more seeds, or better data, that decide nothing. `folder`: the paper's."""
    rows = []
    for claim in paper.claims:
        measured = [(profile, table.loc[claim.id]) for profile, table in found(folder).items() if claim.id in table.index]
        at, row = measured[-1] if measured else ("", {"verdict": NOT_RUN, "ours": "", "dataset": ""})
        told = f"not decided: {row['ours']}" if measured and row["verdict"] == NOT_RUN else row["ours"]
        rows.append({"id": claim.id, "claim": claim.sentence, "verdict": row["verdict"], "ours": told, "dataset": row["dataset"],
                     "measured at": f"[{at}]({at}/claims.md)" if at else ""})
    return pd.DataFrame(rows)


def found(folder: Path) -> dict[str, pd.DataFrame]:
    """By profile, from the lowest to the highest, what was measured of each claim."""
    claims = {profile: pd.read_csv(path, keep_default_na=False, dtype=str).set_index("id")
              for profile in DECIDING if (path := folder / profile / "claims.csv").exists()}
    return {profile: table[(table["ours"] != "") & ~table["ours"].str.endswith(MISSING)] for profile, table in claims.items()}


def page(paper: Paper, folder: Path) -> str:
    links = ", ".join(f"[{profile}]({profile}/claims.md)" for profile in found(folder))
    said = (f"Each claim as the highest profile that measured it has it. All profiles: {links}. "
            f"[What the paper claims, what we ran and why](../../experiments/{paper.handle}/README.md).")
    return "\n".join([f"# {paper.title}", "", said, "", tables.markdown(settled(paper, folder))])


def overview(papers: Iterable[Paper], results: Path) -> str:
    """The claims of each paper, by their ids, under what came out."""
    rows = []
    for paper in papers:
        if (results / paper.handle).is_dir():
            claims = settled(paper, results / paper.handle)
            rows.append({"paper": f"[{paper.title}]({paper.handle}/README.md)", "claims": len(claims)} | {
                verdict.replace(NOT_RUN, "not decided"): ", ".join(claims["id"][claims["verdict"] == verdict]) for verdict in VERDICTS})
    said = "What came of each paper's claims, by their numbers; its page has each with what we found, and at which profile."
    return "\n".join(["# What held", "", said, "", tables.markdown(pd.DataFrame(rows))])


def write_overview(papers: Iterable[Paper], results: Path) -> None:
    files.write(results / "README.md", overview(papers, results).encode())
