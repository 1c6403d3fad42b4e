"""What is written of claims and what is taken away: tables, figures, pages."""

from dataclasses import replace

import pandas as pd
from squares import Square

from stablenets import statistics
from stablenets.claims import ledger, pages, summary
from stablenets.claims.claim import (
    COLUMNS,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    UNDECIDED,
    Claim,
    Drawing,
    Finding,
    Paper,
)
from stablenets.claims.results import Results
from stablenets.plotting.figures import new_figure


def draw(results):
    figure, (axes,) = new_figure(1)
    axes.plot(results["squares"]["value"], results["squares"]["square"])
    return figure


def squares(results):
    estimate = statistics.mean(results["squares"]["square"])
    return Finding(REPRODUCED, f"{estimate.value:.3g}", estimate.low, estimate.high, "Because.")


def move(results):
    from matplotlib.animation import FuncAnimation

    figure, (axes,) = new_figure(1, width=2.0, height=1.5)
    (line,) = axes.plot([0, 1], [0, 1])
    return FuncAnimation(figure, lambda at: line.set_ydata([0, at]), results["squares"]["seed"])


PAPER = Paper(
    "toy",
    "A toy",
    lambda profile, seeds: {"squares": [Square(2.0, seed=seed) for seed in range(seeds or 3)]},
    (
        Claim("1", "Squares are squares", "Eq. (1)", ("squares",), squares, "curve"),
        Claim("2", "Cubes | too", "Eq. (2)", ("cubes",), squares, "curve"),
    ),
    {
        "numbers": Drawing(
            ("squares",), lambda results: results["squares"][["value", "square"]], "Numbers."
        )
    },
    {"curve": Drawing(("squares",), draw, "A curve.")},
    {"turning": Drawing(("squares",), move, "It turns.")},
)
WRITTEN = {
    "claims.csv",
    "claims.md",
    "ledger.csv",
    "ledger.sha256",
    "options.json",
    "curves.npz",
    "numbers.md",
    "numbers.csv",
    "numbers.tex",
    "curve.png",
    "curve.svg",
    "turning.gif",
}


def collected(place, folder, seeds=3):
    plan = PAPER.plan("quick", seeds)
    collected, _ = ledger.collect_entries(plan["squares"], place.runs)
    ledger.write_ledger(folder, ledger.merge_ledgers([collected, ledger.read_ledger(folder)]))
    return pages.write(PAPER, Results(plan, ledger.read_ledger(folder)), "quick", folder, "make it")


def test_a_report_is_whole_and_another_machine_makes_the_same(place, tmp_path):
    for study in PAPER.plan("quick", None)["squares"]:
        study.run(place)
    folder = tmp_path / "results" / "toy" / "quick"
    rows = collected(place, folder)
    assert {path.name for path in folder.iterdir()} == WRITTEN
    table = pd.read_csv(folder / "claims.csv")
    assert tuple(table.columns) == COLUMNS
    assert list(table["verdict"]) == [REPRODUCED, NOT_RUN]
    assert (rows[0]["seeds"], rows[0]["paper"], rows[0]["low"]) == (
        3,
        "stated without a number",
        4.0,
    )
    above = (folder.parent / "README.md").read_text()
    assert "[quick](quick/claims.md)" in above
    assert "Cubes ∣ too" in above
    assert "![It turns.](turning.gif)" in (folder / "claims.md").read_text()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    collected(replace(place, runs=tmp_path / "nothing"), folder)
    differing = [
        name for name, content in before.items() if (folder / name).read_bytes() != content
    ]
    assert differing == []


def test_an_animation_is_small_white_and_says_what_made_it(place, tmp_path):
    from PIL import Image

    for study in PAPER.plan("quick", None)["squares"]:
        study.run(place)
    collected(place, tmp_path / "quick")
    with Image.open(tmp_path / "quick" / "turning.gif") as picture:
        assert (picture.n_frames, picture.info["duration"]) == (3, 120)  # hundredths of a second
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert picture.info["comment"].startswith(b"It turns. `make it`: runs ")


def test_without_all_its_runs_nothing_is_judged_or_drawn(place, tmp_path):
    folder = tmp_path / "results" / "toy" / "quick"
    for study in PAPER.plan("quick", None)["squares"]:
        study.run(place)
    collected(place, folder)
    rows = collected(place, folder, seeds=4)
    assert (rows[0]["verdict"], rows[0]["ours"]) == (NOT_RUN, "1 of 4 runs are missing")
    assert {path.name for path in folder.iterdir()} == {
        "claims.csv",
        "claims.md",
        "ledger.csv",
        "ledger.sha256",
        "options.json",
        "curves.npz",
    }


def test_the_highest_profile_that_measured_counts(tmp_path):
    def written(profile, *verdicts, ours):
        folder = tmp_path / profile
        folder.mkdir(exist_ok=True)
        rows = [
            dict.fromkeys(COLUMNS, "") | {"id": name, "verdict": verdict, "ours": found}
            for name, verdict, found in zip("12", verdicts, ours, strict=True)
        ]
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / "claims.csv", index=False)

    def shown():
        return [
            line
            for line in summary.page(PAPER, tmp_path).splitlines()
            if line.startswith(("| 1 ", "| 2 "))
        ]

    written("smoke", REPRODUCED, REPRODUCED, ours=("all", "all"))
    written("quick", PARTLY, NOT_RUN, ours=("some", ""))
    written("full", NOT_RUN, UNDECIDED, ours=("3 of 4 runs are missing", "between"))
    first, second = shown()
    assert f"{PARTLY} | some" in first
    assert "[quick](quick/claims.md)" in first
    assert f"| {UNDECIDED} | between" in second
    assert "[full](full/claims.md)" in second
    written("full", UNDECIDED, NOT_RUN, ours=("nearly", ""))
    first, second = shown()
    assert f"| {UNDECIDED} | nearly" in first
    assert second == f"| 2 | Cubes ∣ too | {NOT_RUN} |  |  |  |  |  |"


def test_what_is_made_names_the_commits_of_all_that_it_read(place):
    plan = PAPER.plan("quick", 1) | {"cubes": [Square(3.0)]}
    for works in plan.values():
        works[0].run(place)
    planned = [work for works in plan.values() for work in works]
    entries, _ = ledger.collect_entries(planned, place.runs)
    for works, commit in zip(plan.values(), ("first", "second"), strict=True):
        entries[works[0].name].provenance["commit"] = commit
    results = Results(plan, entries)
    assert len(results["squares"]) == 1
    assert results.commits() == "first"
    assert len(results.works(("cubes",))) == 1
    assert set(results.commits().split()) == {"first", "second"}
    assert results.unread().commits() == ""


def test_the_page_above_all_papers_has_the_claims_under_what_came_out(place, tmp_path):
    for study in PAPER.plan("quick", None)["squares"]:
        study.run(place)
    collected(place, tmp_path / "toy" / "quick")
    summary.write_overview([PAPER, replace(PAPER, handle="absent")], tmp_path)
    lines = (tmp_path / "README.md").read_text().splitlines()
    assert "| [A toy](toy/README.md) | 2 | 1 |  |  |  | 2 |" in lines
    assert not any("absent" in line for line in lines)
