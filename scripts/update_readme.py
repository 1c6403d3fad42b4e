"""Write the results in README.md and experiments/*/README.md from results/.

    python scripts/update_readme.py

README.md gets the table of verdicts. Each claim counts with its verdict at the largest profile that
was run. All READMEs get the results that their markers name, see `claims.readme`. The comparison
gets the settings that its search chose at profile full.
"""

from pathlib import Path
from typing import Any

import pandas as pd

from stablenets import tables
from stablenets.claims import summary
from stablenets.claims.criteria import NOT_RUN, REPRODUCED, UNDECIDED, VERDICTS
from stablenets.claims.loader import experiment_modules, load_paper, paper_modules
from stablenets.claims.paper import OURS, PAPER, THEOREM
from stablenets.claims.readme import fill_results

ROOT = Path(__file__).resolve().parents[1]
SEARCH, CHOSEN = "results/compare/full/search.csv", "experiments/compare/search.csv"
BEGIN, END = "<!-- verdicts: written by scripts/update_readme.py -->\n", "<!-- end of verdicts -->"


def verdict_table() -> str:
    """Return the table: the verdicts of each paper's claims, then its theorems and our controls."""
    rows = []
    for handle in paper_modules():
        paper = load_paper(handle)
        found = summary.final_rows(paper, ROOT / "results" / handle)
        verdicts = {
            kind: [row["verdict"] for row in found if row["kind"] == kind]
            for kind in (PAPER, THEOREM, OURS)
        }
        link = f"[{paper.title.split(',')[0]}](results/{handle}/README.md)"
        cells = {verdict: verdicts[PAPER].count(verdict) or "" for verdict in VERDICTS}
        refuted = [row for row in found if row["kind"] == PAPER and is_refuted_in_part(row)]
        if refuted:
            cells[UNDECIDED] = f"{cells[UNDECIDED]}; {len(refuted)} refuted in part"
        others = {
            "theorems that hold": count_held(verdicts[THEOREM]),
            "our claims that hold": count_held(verdicts[OURS]),
        }
        rows.append({"paper": link} | cells | others)
    return tables.format_markdown(pd.DataFrame(rows))


def is_refuted_in_part(row: dict[str, Any]) -> bool:
    """Return whether a claim is undecided although a criterion is refuted."""
    return row["verdict"] == UNDECIDED and int(row["refuted"] or 0) > 0


def count_held(verdicts: list[str]) -> str:
    """Return how many of the claims that were run are reproduced; those not run are apart."""
    missing = verdicts.count(NOT_RUN)
    if not verdicts:
        return ""
    held = f"{verdicts.count(REPRODUCED)} of {len(verdicts) - missing}"
    return f"{held}; {missing} not run" if missing else held


def with_table(text: str, table: str) -> str:
    """Return the text of the README with the table between its two markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table}\n{END}{after}"


def updated_pages() -> dict[Path, str]:
    """Return the text of each README with its results, and the settings of the comparison."""
    readme = ROOT / "README.md"
    texts = {readme: with_table(readme.read_text(), verdict_table())}
    for handle in experiment_modules():
        path = ROOT / "experiments" / handle / "README.md"
        texts[path] = path.read_text()
    filled = {path: fill_results(text, ROOT / "results") for path, text in texts.items()}
    return filled | {ROOT / CHOSEN: (ROOT / SEARCH).read_text()}


if __name__ == "__main__":
    for path, text in updated_pages().items():
        path.write_text(text)
