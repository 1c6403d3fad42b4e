"""What is written of claims and what is taken away: tables, figures, animations."""

from dataclasses import replace

import pandas as pd
from squares import Square

from stablenets.claims import ledger, pages, summary
from stablenets.claims.cells import interval_text, number
from stablenets.claims.criteria import (
    NOT_REPRODUCED,
    NOT_RUN,
    REPRODUCED,
    UNDECIDED,
    at_least,
    condition,
)
from stablenets.claims.estimates import Metric, largest, mean_over_seeds
from stablenets.claims.grid import grid, seeds
from stablenets.claims.judging import CLAIM_COLUMNS
from stablenets.claims.paper import Paper
from stablenets.claims.readme import fill_results
from stablenets.claims.results import Results
from stablenets.claims.summary import read_criteria
from stablenets.plotting.figures import new_figure
from stablenets.statistics import Estimate

PAPER = Paper("toy", "A toy", {"squares": grid(Square, value=2.0, seed=seeds(quick=3))})


@PAPER.claim("1", "Cubes | too", kind="paper", source="x", runs=["squares"], figure="curve")
def squares(results):
    yield at_least(mean_over_seeds(results["squares"], Metric("square")), 3.0, "square")


@PAPER.table("numbers", runs=["squares"], caption="Numbers.")
def numbers(results):
    return results["squares"][["value", "square"]]


@PAPER.figure("curve", runs=["squares"], caption="A curve.")
def curve(results):
    figure, (axes,) = new_figure(1)
    axes.plot(results["squares"]["value"], results["squares"]["square"])
    return figure


@PAPER.animation("turning", runs=["squares"], caption="It turns.")
def turning(results):
    from matplotlib.animation import FuncAnimation

    figure, (axes,) = new_figure(1, width=2.0, height=1.5)
    (line,) = axes.plot([0, 1], [0, 1])
    return FuncAnimation(figure, lambda at: line.set_ydata([0, at]), results["squares"]["seed"])


DATA_FILES = {"ledger.csv", "ledger.sha256", "options.json", "curves.npz"}
PAGES = {"claims.csv", "criteria.csv", "claims.md"}
DISPLAYS = {"numbers.md", "numbers.csv", "numbers.tex", "curve.png", "curve.svg", "turning.gif"}


def collected(place, folder, count=3):
    plan = PAPER.plan("quick", count)
    entries, _ = ledger.collect_entries(plan["squares"], place.runs)
    ledger.write_ledger(folder, ledger.merge_ledgers([entries, ledger.read_ledger(folder)]))
    results = Results(plan, ledger.read_ledger(folder))
    return pages.write_pages(PAPER, results, "quick", folder, "make it")


def test_a_report_is_whole_and_another_machine_makes_the_same(place, tmp_path):
    for study in PAPER.plan("quick")["squares"]:
        study.run(place)
    folder = tmp_path / "results" / "toy" / "quick"
    collected(place, folder)
    assert {path.name for path in folder.iterdir()} == DATA_FILES | PAGES | DISPLAYS
    assert tuple(pd.read_csv(folder / "claims.csv").columns) == CLAIM_COLUMNS
    assert "Cubes ∣ too" in (folder.parent / "README.md").read_text()
    assert "](turning.gif)" in (folder / "claims.md").read_text()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    collected(replace(place, runs=tmp_path / "nothing"), folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir()}
    assert [name for name in before if after[name] != before[name]] == []


def test_an_animation_is_small_white_and_says_what_made_it(place, tmp_path):
    from PIL import Image

    for study in PAPER.plan("quick")["squares"]:
        study.run(place)
    collected(place, tmp_path / "quick")
    with Image.open(tmp_path / "quick" / "turning.gif") as picture:
        assert (picture.n_frames, picture.info["duration"]) == (3, 120)  # hundredths of a second
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert picture.info["comment"].startswith(b"It turns. `make it`: runs ")


def test_without_all_its_runs_nothing_is_judged_or_drawn(place, tmp_path):
    folder = tmp_path / "results" / "toy" / "quick"
    for study in PAPER.plan("quick")["squares"]:
        study.run(place)
    collected(place, folder)
    (row,) = collected(place, folder, count=4)
    assert (row["verdict"], row["reason"]) == (NOT_RUN, "1 of 4 runs are missing")
    assert {path.name for path in folder.iterdir()} == DATA_FILES | PAGES


def test_without_claims_the_page_shows_figures_and_links_tables(place, tmp_path):
    bench = Paper("bench", "A bench", {"squares": grid(Square, value=2.0, seed=seeds(quick=3))})
    bench.figure("curve", runs=["squares"], caption="A curve.")(curve)
    bench.table("numbers", runs=["squares"], caption="Numbers.")(numbers)
    folder, plan = tmp_path / "bench" / "quick", bench.plan("quick")
    for study in plan["squares"]:
        study.run(place)
    entries, _ = ledger.collect_entries(plan["squares"], place.runs)
    ledger.write_ledger(folder, entries)
    assert pages.write_pages(bench, Results(plan, entries), "quick", folder, "make it") == []
    assert {path.suffix for path in folder.iterdir() if path.stem == "claims"} == set()
    page = (folder / "tables.md").read_text()
    assert "![curve](curve.png)\n\nA curve.\n" in page
    assert page.count("curve.png") == page.count("A curve.") == 1
    assert "[numbers](numbers.md)" in page
    assert "[quick/tables.md](quick/tables.md)" in (folder.parent / "README.md").read_text()


def test_a_partial_table_is_made_from_the_runs_that_are_there(place, tmp_path):
    bench = Paper("bench", "A bench", {"squares": grid(Square, value=2.0, seed=seeds(quick=3))})
    bench.table("some", runs=["squares"], caption="Some.", is_partial=True)(numbers)
    bench.table("all", runs=["squares"], caption="All.")(numbers)
    plan = bench.plan("quick")
    (tmp_path / "quick").mkdir()
    for made, files in ((0, set()), (1, {"some.csv"}), (3, {"some.csv", "all.csv"})):
        for study in plan["squares"][:made]:
            study.run(place)
        entries, _ = ledger.collect_entries(plan["squares"], place.runs)
        pages.write_pages(bench, Results(plan, entries), "quick", tmp_path / "quick", "make it")
        assert {path.name for path in (tmp_path / "quick").glob("*.csv")} == files


def test_the_highest_profile_that_ran_a_claim_counts(tmp_path):
    def write(profile, verdict):
        folder = tmp_path / profile
        folder.mkdir(exist_ok=True)
        row = dict.fromkeys(CLAIM_COLUMNS, "") | {"id": "1", "verdict": verdict}
        row |= {"profile": profile}
        pd.DataFrame([row], columns=list(CLAIM_COLUMNS)).to_csv(folder / "claims.csv", index=False)

    def shown():
        (row,) = summary.final_rows(PAPER, tmp_path)
        return row["verdict"], row["profile"]

    assert shown() == (NOT_RUN, "")
    write("smoke", REPRODUCED)
    assert shown() == (NOT_RUN, "")
    write("quick", UNDECIDED)
    write("full", NOT_RUN)
    assert shown() == (UNDECIDED, "quick")
    write("full", NOT_REPRODUCED)
    assert shown() == (NOT_REPRODUCED, "full")


def test_an_interval_of_length_zero_says_over_how_many_runs():
    assert interval_text("0.5", "1.5", "3") == "0.5 to 1.5"
    assert interval_text(2.0, 2.0, 3) == "length 0, 3 seeds"
    assert interval_text(2.0, 2.0, 6, "3 seeds x 2 settings") == "over 3 seeds x 2 settings"
    assert interval_text(2.0, 2.0, 1) == "one value"
    assert interval_text("", "", "1") == ""


def test_a_worst_value_says_how_many_seeds_and_settings_it_is_of(place, tmp_path):
    toy = Paper("toy", "A toy", {"squares": grid(Square, value=[1.0, 2.0], seed=seeds(quick=3))})

    @toy.claim("1", "Squares are small", kind="paper", source="x", runs=["squares"])
    def small(results):
        yield at_least(largest(results["squares"], "square"), 3.0, "largest square")

    page = page_of(toy, place, tmp_path)
    assert page.count("over 3 seeds x 2 settings") == 2  # in the line and in the table of criteria
    assert "over 3 seeds x 2 settings" in (tmp_path / "README.md").read_text()


def page_of(paper, place, folder):
    """The page of a paper at profile quick, whose runs are made first."""
    plan = paper.plan("quick")
    works = [work for works in plan.values() for work in works]
    for work in works:
        work.run(place)
    entries, _ = ledger.collect_entries(works, place.runs)
    (folder / "quick").mkdir()
    pages.write_pages(paper, Results(plan, entries), "quick", folder / "quick", "make it")
    return (folder / "quick" / paper.page).read_text()


def toy_with(*criteria, **further):
    """A paper whose only claim has these criteria."""
    toy = Paper("toy", "A toy", {"squares": grid(Square, value=2.0, seed=seeds(quick=3))})
    toy.claim("1", "All is so", kind="paper", source="x", runs=["squares"], **further)(
        lambda results: criteria
    )
    return toy


REFUTED = at_least(Estimate(1.0, 0.5, 1.5, 3), 3.0, "refuted")
OPEN = at_least(Estimate(1.0, 0.5, 1.5, 3), 1.0, "open")


def test_an_undecided_claim_with_a_refuted_criterion_says_what_it_can_become(place, tmp_path):
    page = page_of(toy_with(OPEN, REFUTED), place, tmp_path)
    assert "| undecided (1 refuted, 1 open) |" in page
    assert "1 of 2 criteria are refuted and 1 open" in page
    assert "| undecided (1 refuted, 1 open) |" in (tmp_path / "README.md").read_text()


def test_if_a_condition_is_not_held_a_refuted_criterion_contradicts_nothing(place, tmp_path):
    page = page_of(toy_with(condition(OPEN), REFUTED), place, tmp_path)
    assert "does not hold" not in page
    assert "**Undecided**. An empirical" in page


def test_a_claim_with_substitute_data_only_has_a_reason_and_no_value(place, tmp_path, monkeypatch):
    monkeypatch.setattr(Square, "dataset", "digits")
    page = page_of(toy_with(REFUTED, data=["cifar10"]), place, tmp_path)
    for text in (page, (tmp_path / "README.md").read_text()):
        (line,) = [line for line in text.splitlines() if line.startswith("| 1 | All is so")]
        cells = [cell.strip() for cell in line.split("|")[1:-1]]
        assert cells[3:9] == ["", "", "", "", "", "not run (only on digits)"]
    assert "only on digits; the claim is about cifar10" in page
    assert "These criteria decide nothing" in page
    (row,) = pd.read_csv(tmp_path / "quick" / "claims.csv").to_dict("records")
    assert (row["ours"] != row["ours"], row["refuted"]) == (True, 0)


def test_a_figure_of_several_claims_is_shown_once(place, tmp_path):
    toy = Paper("toy", "A toy", {"squares": grid(Square, value=2.0, seed=seeds(quick=3))})
    toy.figure("curve", runs=["squares"], caption="A curve.")(curve)
    for id in ("1", "2"):
        toy.claim(id, "So", kind="paper", source="x", runs=["squares"], figure="curve")(squares)
    page = page_of(toy, place, tmp_path)
    assert page.count("![curve](curve.png)") == page.count("A curve.") == 1
    assert "Figure: [curve](curve.png), see claim 1." in page


def test_a_table_says_what_its_intervals_are(place, tmp_path):
    toy = Paper("toy", "A toy", {"squares": grid(Square, value=2.0, seed=seeds(quick=3))})

    def table(results):
        return pd.DataFrame({"square": [mean_over_seeds(results["squares"], Metric("square"))]})

    toy.table("usual", runs=["squares"], caption="Means.")(table)
    toy.table("other", runs=["squares"], caption="Means.", intervals="ranges of rounds")(table)
    page_of(toy, place, tmp_path)
    usual, other = ((tmp_path / "quick" / f"{name}.md").read_text() for name in ("usual", "other"))
    assert "intervals in brackets are 95 % confidence intervals over seeds." in usual
    assert "intervals in brackets are ranges of rounds." in other


def test_pages_readmes_and_csv_show_the_same_number(place, tmp_path):
    tie = Estimate(-11.9750000000001, -12.5, -11.0, 3)  # rounds up, and its csv would round down
    page = page_of(toy_with(at_least(tie, 0.0, "tie")), place, tmp_path)
    shown = number("-11.975")
    assert page.count(shown) == 2
    assert shown in fill_results("<!-- result: quick 1 --><!-- end -->", tmp_path)
    read = read_criteria(tmp_path / "quick" / "criteria.csv")
    assert number(read["value"].item()) == shown


def test_how_to_read_a_line_is_said_on_each_page(place, tmp_path):
    page = page_of(toy_with(OPEN), place, tmp_path)
    for text in (page, (tmp_path / "README.md").read_text(), summary.overview([], tmp_path)):
        assert text.count("4.3 standard errors to each side with 3 seeds") == 1
