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
    """Each claim as the highest profile that decided it has it; of one that none decided, what the highest found. `folder`: the paper's."""
    found = {profile: pd.read_csv(folder / profile / "claims.csv", keep_default_na=False, dtype=str).set_index("id")
             for profile in DECIDING if (folder / profile / "claims.csv").exists()}
    rows = []
    for claim in paper.claims:
        of = {profile: table.loc[claim.id] for profile, table in found.items() if claim.id in table.index}
        deciding = [profile for profile, row in of.items() if row["verdict"] != NOT_RUN]
        at = (deciding or [profile for profile, row in of.items() if row["ours"] and not row["ours"].endswith(MISSING)] or [""])[-1]
        row = of.get(at, {"ours": "", "dataset": ""})
        told = row["ours"] if deciding or not at else f"not decided, at [{at}]({at}/claims.md): {row['ours']}"
        rows.append({"id": claim.id, "claim": claim.sentence, "verdict": row["verdict"] if deciding else NOT_RUN, "ours": told,
                     "dataset": row["dataset"], "decided at": f"[{at}]({at}/claims.md)" if deciding else ""})
    return pd.DataFrame(rows)


def page(paper: Paper, folder: Path) -> str:
    links = ", ".join(f"[{profile}]({profile}/claims.md)" for profile in DECIDING if (folder / profile / "claims.csv").exists())
    said = ("Each claim as the highest profile has it that decided it, and where none did what the highest found. All profiles: "
            f"{links}. [What the paper claims, what we ran and why](../../experiments/{paper.handle}/README.md).")
    return "\n".join([f"# {paper.title}", "", said, "", tables.markdown(settled(paper, folder))])


def overview(papers: Iterable[Paper], results: Path) -> str:
    """The claims of each paper, by their ids, under what came out."""
    rows = []
    for paper in papers:
        if (results / paper.handle).is_dir():
            claims = settled(paper, results / paper.handle)
            rows.append({"paper": f"[{paper.title}]({paper.handle}/README.md)", "claims": len(claims)} | {
                verdict.replace(NOT_RUN, "not decided"): ", ".join(claims["id"][claims["verdict"] == verdict]) for verdict in VERDICTS})
    said = "What came of each paper's claims, by their numbers; its page has each with ours beside it, and the profile that decided it."
    return "\n".join(["# What held", "", said, "", tables.markdown(pd.DataFrame(rows))])


def write_overview(papers: Iterable[Paper], results: Path) -> None:
    files.write(results / "README.md", overview(papers, results).encode())
