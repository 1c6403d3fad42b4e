"""What the repository shows can be judged and drawn again: every claim, table and figure of every paper, from the ledgers in results/."""
import re
from pathlib import Path

import matplotlib.pyplot as plt
import pytest

from experiments import PAPERS, load
from stablenets.claims import ledger
from stablenets.claims.claim import PROFILES, VERDICTS, judge
from stablenets.claims.report import complete
from stablenets.claims.results import Results

RESULTS = Path(__file__).resolve().parents[1] / "results"
SHOWN = [(handle, profile) for handle in PAPERS for profile in PROFILES if (RESULTS / handle / profile / "ledger.csv").exists()]


@pytest.mark.parametrize("seeds", [None, 1])
@pytest.mark.parametrize(("handle", "profile"), SHOWN)
def test_every_page_can_be_made_again(handle, profile, seeds):
    paper = load(handle)
    results = Results(paper.plan(profile, seeds), ledger.read(RESULTS / handle / profile))
    for claim in paper.claims:
        row, note = judge(claim, results, profile, "make it")
        assert row["verdict"] in VERDICTS
        assert not re.search(r"\bnan\b", f"{row['ours']} {note}"), claim.id
    for drawing in (paper.tables | paper.figures).values():
        if complete(drawing, results):
            drawing.make(results)
    plt.close("all")
