"""Write the table of verdicts of README.md from results/<paper>/<profile>/claims.csv.

    python scripts/update_readme.py

Each claim counts with its verdict at the largest profile that was run. Needs no run folders.
"""

from pathlib import Path

import pandas as pd

from stablenets import tables
from stablenets.claims import summary
from stablenets.claims.claim import VERDICTS
from stablenets.claims.loader import load_paper, paper_modules

ROOT = Path(__file__).resolve().parents[1]
README = ROOT / "README.md"
BEGIN, END = "<!-- verdicts: written by scripts/update_readme.py -->\n", "<!-- end of verdicts -->"


def verdict_table() -> str:
    """Return the table: a row for each paper, with the number of claims under each verdict."""
    rows = []
    for handle in paper_modules():
        paper = load_paper(handle)
        counts = summary.settled(paper, ROOT / "results" / handle)["verdict"].value_counts()
        link = f"[{paper.title.split(',')[0]}](results/{handle}/README.md)"
        cells = {verdict: counts.get(verdict, 0) for verdict in VERDICTS}
        rows.append({"paper": link, "claims": len(paper.claims)} | cells)
    return tables.format_markdown(pd.DataFrame(rows))


def with_table(text: str, table: str) -> str:
    """Return the text of the README with the table between its two markers."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table}\n{END}{after}"


if __name__ == "__main__":
    README.write_text(with_table(README.read_text(), verdict_table()))
