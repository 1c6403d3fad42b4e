"""What the repository shows can be judged and drawn again: every claim, table and figure of every
paper, from the ledgers in results/.
"""

import re
from pathlib import Path

import matplotlib.pyplot as plt
import pandas as pd
import pytest

from stablenets.claims import ledger, summary
from stablenets.claims.claim import PROFILES, VERDICTS, judge
from stablenets.claims.loader import load_paper, paper_modules
from stablenets.claims.pages import complete
from stablenets.claims.results import Results
from stablenets.claims.work import TrainedNetStudy, unique

RESULTS = Path(__file__).resolve().parents[2] / "results"
SHOWN = [
    (handle, profile)
    for handle in paper_modules()
    for profile in PROFILES
    if (RESULTS / handle / profile / "ledger.csv").exists()
]


@pytest.mark.parametrize("seeds", [None, 1])
@pytest.mark.parametrize(("handle", "profile"), SHOWN)
def test_every_page_can_be_made_again(handle, profile, seeds):
    paper = load_paper(handle)
    results = Results(paper.plan(profile, seeds), ledger.read_ledger(RESULTS / handle / profile))
    shown = pd.read_csv(
        RESULTS / handle / profile / "claims.csv", keep_default_na=False, dtype=str
    ).set_index("id")
    for claim in paper.claims:
        row, note = judge(claim, results, profile, "make it")
        assert row["verdict"] in VERDICTS
        if seeds is None:
            assert (row["verdict"], row["ours"]) == tuple(
                shown.loc[claim.id, ["verdict", "ours"]]
            ), claim.id
        assert not re.search(r"\bnan\b", f"{row['ours']} {note}"), claim.id
    for drawing in (paper.tables | paper.figures).values():
        if complete(drawing, results):
            drawing.make(results)
    plt.close("all")


@pytest.mark.parametrize(("handle", "profile"), SHOWN)
def test_trained_nets_were_measured_after_they_were_trained(handle, profile):
    """A net whose training began later than the measurement, on another machine say, has other
    weights than those that were measured.
    """
    begun = {
        name: entry.provenance["started"]
        for name, entry in ledger.read_ledger(RESULTS / handle / profile).items()
    }
    studies = [
        work
        for work in unique(list(load_paper(handle).plan(profile, None).values()))
        if isinstance(work, TrainedNetStudy)
    ]
    assert not [
        work.name
        for work in studies
        if work.name in begun and begun[work.training.name] > begun[work.name]
    ]


def test_the_pages_above_are_those_of_the_claims():
    papers = [load_paper(handle) for handle in paper_modules()]
    for paper in papers:
        assert (RESULTS / paper.handle / "README.md").read_text() == summary.page(
            paper, RESULTS / paper.handle
        )
    assert (RESULTS / "README.md").read_text() == summary.overview(papers, RESULTS)
