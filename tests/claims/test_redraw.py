"""What the repository shows can be judged and drawn again: every claim, table and figure of every
paper, from the ledgers in results/.
"""

from pathlib import Path

import pytest

from stablenets.claims import ledger, summary
from stablenets.claims.grid import PROFILES
from stablenets.claims.judging import claim_row, judge_claim
from stablenets.claims.loader import experiment_modules, load_paper, paper_modules
from stablenets.claims.readme import fill_results
from stablenets.claims.results import Results
from stablenets.claims.work import TrainedNetStudy, in_dependency_order

RESULTS = Path(__file__).resolve().parents[2] / "results"
SHOWN = [
    (handle, profile)
    for handle in paper_modules()
    for profile in PROFILES
    if (RESULTS / handle / profile / "ledger.csv").exists()
]


@pytest.mark.parametrize(("handle", "profile"), SHOWN)
def test_the_claims_shown_are_those_of_the_ledger(handle, profile):
    paper, folder = load_paper(handle), RESULTS / handle / profile
    results = Results(paper.plan(profile), ledger.read_ledger(folder))
    shown = summary.read_claims(folder / "claims.csv")
    assert list(shown.index) == [claim.id for claim in paper.claims]
    for claim in paper.claims:
        row = claim_row(judge_claim(claim, results, profile), results, profile)
        assert row["verdict"] == shown.loc[claim.id, "verdict"], claim.id
        for end in ("ours", "low", "high"):
            value = row[end]
            text = shown.loc[claim.id, end]
            expected = "" if value is None or value != value else f"{value:.6g}"
            assert f"{float(text):.6g}" == expected if text else not expected, (claim.id, end)


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
        for work in in_dependency_order(list(load_paper(handle).plan(profile, None).values()))
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
        assert (RESULTS / paper.handle / "README.md").read_text() == summary.paper_page(
            paper, RESULTS / paper.handle
        )
    assert (RESULTS / "README.md").read_text() == summary.overview(papers, RESULTS)


@pytest.mark.parametrize("handle", experiment_modules())
def test_results_in_readmes_are_those_of_the_committed_tables(handle):
    path = RESULTS.parent / "experiments" / handle / "README.md"
    assert fill_results(path.read_text(), RESULTS) == path.read_text()


def test_the_comparison_reads_the_settings_that_its_search_chose():
    read = RESULTS.parent / "experiments" / "compare" / "search.csv"
    assert read.read_text() == (RESULTS / "compare" / "full" / "search.csv").read_text()
