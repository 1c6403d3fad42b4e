"""A paper from its runs to its pages, and a reproduction compared with what is published."""

import pandas as pd
import pytest
from squares import Square

from stablenets.claims import ledger, summary
from stablenets.claims.agreement import agreement_lines, compare_claims
from stablenets.claims.criteria import (
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    UNDECIDED,
    ahead_of,
    at_least,
)
from stablenets.claims.estimates import Metric, exact, mean_over_seeds
from stablenets.claims.grid import grid, per_profile, seeds
from stablenets.claims.judging import claim_row, judge_claim
from stablenets.claims.pages import write_pages
from stablenets.claims.paper import Paper
from stablenets.claims.readme import fill_results
from stablenets.claims.reproduce import claim_lines
from stablenets.claims.results import Results
from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.runs import provenance

SQUARE = Metric("square")


def toy_paper():
    paper = Paper(
        "toy",
        "Toy 2026, Squares",
        {
            "squares": grid(Square, value=2.0, seed=seeds(smoke=2, quick=3)),
            "cubes": grid(Square, value=per_profile(full=3.0), seed=seeds(full=2)),
        },
    )

    @paper.claim("1", kind="paper", source="Eq. (1)", runs=["squares"], figure="curve")
    def squares_grow(results):
        """Squares grow."""
        yield at_least(mean_over_seeds(results["squares"], SQUARE), 3.0, "mean | square", "m²")

    @paper.claim("2", "Cubes too", kind="theorem", source="Eq. (2)", runs=["cubes"])
    def cubes_grow(results):
        yield ahead_of(exact(1.0), 0.0, "cube")

    @paper.claim("3", "On MNIST", kind="ours", source="ours", runs=["squares"], data=["mnist"])
    def on_mnist(results):
        yield at_least(exact(1.0), 0.0, "one")

    @paper.table("numbers", runs=["squares"], caption="Numbers.")
    def numbers(results):
        return results["squares"][["value", "square"]]

    @paper.figure("curve", runs=["squares"])
    def curve(results):
        """A curve, drawn over
        the value.
        """
        figure, (axes,) = new_figure(1)
        axes.plot(results["squares"]["value"], results["squares"]["square"])
        return figure

    return paper


@pytest.fixture
def written(place, tmp_path):
    """The toy paper and its folder results/toy/quick with everything in it."""
    paper, folder = toy_paper(), tmp_path / "results" / "toy" / "quick"
    plan = paper.plan("quick")
    for work in plan["squares"]:
        work.run(place)
    ledger.write_ledger(folder, ledger.collect_entries(plan["squares"], place.runs)[0])
    write_pages(paper, Results(plan, ledger.read_ledger(folder)), "quick", folder, "make it")
    return paper, folder


def test_a_finding_stands_beside_the_runs_it_is_about():
    paper = toy_paper()
    paper.figure("other", runs=["squares"], caption="Squares.", finding="They grow.")(None)
    assert paper.figures["other"].text("full") == "Squares. They grow."
    assert paper.figures["other"].text("quick") == "Squares."


def test_every_file_is_written_and_the_rows_say_what_was_found(written):
    _, folder = written
    names = {path.name for path in folder.iterdir()}
    assert {"claims.csv", "criteria.csv", "claims.md", "numbers.md", "curve.png"} <= names
    claims = pd.read_csv(folder / "claims.csv", dtype={"id": str}).set_index("id")
    assert list(claims["verdict"]) == [REPRODUCED, NOT_RUN, NOT_RUN]
    assert claims.loc["1", ["ours", "unit", "held", "seeds"]].tolist() == [4.0, "m²", 1, 3]
    assert (folder.parent / "README.md").exists()


def test_a_claim_that_was_not_run_here_is_told_from_one_that_was_decided(written):
    paper, folder = written
    rows = [{"id": "5", "verdict": NOT_RUN, "published": PARTLY, "near": ""}]
    (line, _) = agreement_lines(rows)
    assert line == "claim 5: not run here; published verdict: partly"
    rows = [
        claim_row(judge_claim(claim, made(paper, folder), "smoke"), made(paper, folder), "smoke")
        for claim in paper.claims
    ]
    text = "\n".join(claim_lines(paper, "smoke", rows, folder))
    assert "this profile only shows that everything runs" in text
    assert "4 m²" not in text


def made(paper, folder):
    return Results(paper.plan("quick"), ledger.read_ledger(folder))


def test_pages_without_a_repository_name_no_commit(written, monkeypatch):
    paper, folder = written
    monkeypatch.setattr(provenance, "source_revision", lambda: (None, None))
    write_pages(paper, made(paper, folder), "quick", folder, "make it")
    assert "figures are those of an installed package" in (folder / "claims.md").read_text()
    assert "written by an installed package" in (folder / "numbers.md").read_text()
    assert provenance.made_by("") == "by an installed package"


def test_pages_link_only_to_a_readme_that_exists(written, tmp_path):
    paper, folder = written
    for page in (folder / "claims.md", folder.parent / "README.md"):
        assert "experiments" not in page.read_text()
    readme = tmp_path / "experiments" / "toy" / "README.md"
    readme.parent.mkdir(parents=True)
    readme.touch()
    write_pages(paper, made(paper, folder), "quick", folder, "make it")
    assert "(../../../experiments/toy/README.md)" in (folder / "claims.md").read_text()
    assert "(../../experiments/toy/README.md)" in (folder.parent / "README.md").read_text()


def test_the_overview_has_only_papers_with_results(written):
    paper, folder = written
    results = folder.parents[1]
    summary.write_overview([paper, Paper("absent", "Absent 2026", {})], results)
    text = (results / "README.md").read_text()
    assert "Toy 2026" in text
    assert "Absent 2026" not in text


def test_smoke_decides_nothing(place):
    paper = toy_paper()
    plan = paper.plan("smoke")
    for work in plan["squares"]:
        work.run(place)
    results = Results(plan, ledger.collect_entries(plan["squares"], place.runs)[0])
    assert judge_claim(paper.claims[0], results, "smoke").verdict == NOT_RUN


def test_a_check_reads_only_the_groups_that_its_claim_names(written):
    paper, folder = written
    results = Results(paper.plan("quick"), ledger.read_ledger(folder))
    assert len(results["squares"]) == 3
    with pytest.raises(BadInput, match="did you mean squares"):
        results.only(["squares"])["square"]
    with pytest.raises(KeyError, match="circles"):
        paper.claim("4", "x", kind="paper", source="x", runs=["circles"])


@pytest.mark.parametrize(
    ("check", "says"),
    [
        (lambda results: None, "claim 4: its check returns no criteria; write `yield`"),
        (
            lambda results: [at_least(mean_over_seeds(results["squares"], Metric("sqare")), 1, "")],
            "claim 4: sqare: no column of these runs; did you mean square",
        ),
    ],
)
def test_a_check_with_an_error_is_named_in_one_line(written, check, says):
    paper, folder = written
    paper.claim("4", "x", kind="ours", source="x", runs=["squares"])(check)
    results = Results(paper.plan("quick"), ledger.read_ledger(folder))
    with pytest.raises(BadInput, match=says):
        judge_claim(paper.claims[-1], results, "quick")


def test_a_readme_is_filled_with_committed_results(written):
    _, folder = written
    results = folder.parents[1]
    text = (
        "Squares: <!-- result: toy/quick 1 --><!-- end -->,"
        " <!-- result: toy/quick 1 verdict -->?<!-- end -->"
    )
    filled = fill_results(text, results)
    assert "-->4 m²" in filled
    assert "-->reproduced<" in filled
    assert fill_results(filled, results) == filled
    assert "| value |" in fill_results("<!-- table: toy/quick numbers --><!-- end -->", results)
    with pytest.raises(BadInput, match="toy/quick 9"):
        fill_results("<!-- result: toy/quick 9 --><!-- end -->", results)


@pytest.mark.parametrize(
    ("cell", "text"),
    [
        ("[layers=64, family=plain] mean", "9.123 [8, 10]"),
        ("[layers=4] mean", "1"),
        ("[layers=4] family", "resnet"),
    ],
)
def test_a_readme_is_filled_with_a_cell_of_a_table(tmp_path, cell, text):
    ends = {"mean, low": ["", "8"], "mean, high": ["", "10"]}
    table = pd.DataFrame({"layers": [4, 64], "family": ["resnet", "plain"], "mean": [1, 9.1234]})
    table.assign(**ends).to_csv(tmp_path / "means.csv", index=False)
    assert f"-->{text}<" in fill_results(f"<!-- cell: . means {cell} --><!-- end -->", tmp_path)


@pytest.mark.parametrize("cell", ["[layers=7] mean", "[family=plain] no", "layers=4 mean"])
def test_a_cell_that_does_not_exist_is_refused(tmp_path, cell):
    table = pd.DataFrame({"layers": [4, 64], "family": ["resnet", "plain"], "mean": [1, 9.1234]})
    table.to_csv(tmp_path / "means.csv", index=False)
    with pytest.raises(BadInput, match="no such result"):
        fill_results(f"<!-- cell: . means {cell} --><!-- end -->", tmp_path)


def test_a_reproduction_is_compared_claim_by_claim(written, tmp_path):
    _, folder = written
    published = tmp_path / "published"
    published.mkdir()
    for name in ("claims.csv", "criteria.csv"):
        frame = pd.read_csv(folder / name, dtype=str, keep_default_na=False)
        if name == "claims.csv":
            frame.loc[0, "verdict"] = UNDECIDED
        frame.to_csv(published / name, index=False)
    rows = compare_claims(folder, published)
    assert [row["value"] for row in rows][:1] == ["as published"]
    lines = agreement_lines(rows)
    assert lines[0].startswith("claim 1: reproduced here; published verdict: undecided")
    assert lines[-1] == "2 of 3 verdicts as published"
    assert compare_claims(folder, tmp_path / "nowhere") == []


def test_verdicts_are_counted_by_kind(written):
    paper, folder = written
    counts = summary.count_verdicts([paper], folder.parents[1]).set_index("kind")
    assert counts.loc["paper", REPRODUCED] == 1
    assert counts.loc["theorem", NOT_RUN] == counts.loc["ours", NOT_RUN] == 1


def test_docstrings_are_the_texts_of_claims_and_figures():
    paper = toy_paper()
    assert [claim.sentence for claim in paper.claims] == ["Squares grow", "Cubes too", "On MNIST"]
    assert paper.figures["curve"].caption == "A curve, drawn over the value."
    assert paper.tables["numbers"].caption == "Numbers."
    with pytest.raises(TypeError, match="docstring"):
        paper.table("empty", runs=["squares"])(lambda results: None)


def test_claims_are_sorted_by_number_whatever_the_order_in_which_they_are_declared():
    paper = Paper("toy", "Toy", {"squares": grid(Square, value=[2.0])})
    for id in ("10", "x", "2b", "2a"):
        paper.claim(id, "A sentence", kind="ours", source="here", runs=["squares"])(
            lambda found: ()
        )
    assert [claim.id for claim in paper.claims] == ["2a", "2b", "10", "x"]


def test_nothing_is_declared_twice():
    paper = toy_paper()
    with pytest.raises(ValueError, match="toy: claim 1 is declared twice"):
        paper.claim("1", "Again", kind="ours", source="ours", runs=["squares"])(lambda results: ())
    with pytest.raises(ValueError, match="toy: curve is declared twice"):
        paper.figure("curve", runs=["squares"], caption="Again.")(lambda results: None)
