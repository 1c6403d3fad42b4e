"""The claims engine: statistics, study folders, the ledger, verdicts, what is written and what is taken away."""
import json
import math
import shlex
import shutil
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import pytest

from stablenets.claims import ledger, report, statistics, tables
from stablenets.claims.claim import (
    COLUMNS,
    NOT_REPRODUCED,
    NOT_RUN,
    PARTLY,
    REPRODUCED,
    Claim,
    Drawing,
    Finding,
    Paper,
    attained,
    compared,
)
from stablenets.claims.results import Results
from stablenets.claims.statistics import Estimate
from stablenets.claims.work import Place, Study, Training, unique
from stablenets.errors import BadInput
from stablenets.runs.pictures import new_figure
from stablenets.schema import option

TINY = {"dataset": {"name": "ellipses", "limit": 64}, "net": {"family": "resnet", "widths": [4]}, "depth": 4, "epochs": 1, "batch": 32,
        "probe": {"every": 1000, "depths": 4, "samples": 0}, "device": "cpu"}


@dataclass(frozen=True)
class Square(Study):
    """A study that the tests can count."""

    value: float = option(1.0)
    seed: int = option(0)

    def measure(self, place):
        if self.value < 0:
            raise ArithmeticError("no root")
        with (place.runs / "measured").open("a") as file:
            file.write(f"{self.value}\n")
        return {"square": self.value**2}, {"curve": np.linspace(0, self.value, 5), "picture": np.arange(6, dtype=np.uint8).reshape(2, 3)}


@pytest.fixture
def place(tmp_path, torch_globals):
    runs = tmp_path / "runs"
    runs.mkdir()
    return Place(runs, "the command", "cpu")


@pytest.mark.parametrize("count", [2, 3, 10])
def test_t_intervals_are_scipys(count):
    from scipy import stats
    ours, theirs = np.random.default_rng(0).normal(size=(2, count))
    oracle = stats.ttest_1samp(ours, 0).confidence_interval(0.95)
    estimate = statistics.mean(ours)
    assert (estimate.low, estimate.high) == pytest.approx(tuple(oracle), rel=1e-9)
    index = pd.Index(range(count))
    difference = statistics.paired(pd.Series(ours, index), pd.Series(theirs[::-1], index[::-1]))
    oracle = stats.ttest_rel(ours, theirs).confidence_interval(0.95)
    assert (difference.low, difference.high, difference.n) == pytest.approx((*oracle, count), rel=1e-9)


def coverage(k, n):
    """Of the interval from the k-th smallest to the k-th largest of n values: 1 - 2 P(Bin(n, 1/2) < k)."""
    return 1 - 2 * sum(math.comb(n, j) for j in range(k)) / 2**n


@pytest.mark.parametrize(("n", "k", "percent"), [(6, 1, 96.9), (8, 1, 99.2), (9, 2, 96.1), (10, 2, 97.9), (25, 8, 95.7)])
def test_the_interval_of_a_median_is_the_narrowest_that_covers_it(n, k, percent):
    shuffled = np.random.default_rng(n).permutation(np.arange(1.0, n + 1))
    estimate = statistics.median(shuffled)
    assert (estimate.value, estimate.low, estimate.high, estimate.n) == ((n + 1) / 2, k, n + 1 - k, n)
    assert 100 * coverage(k, n) == pytest.approx(percent, abs=0.05)
    assert coverage(k + 1, n) < statistics.LEVEL <= coverage(k, n)


def test_the_interval_of_a_median_covers_as_often_as_it_says():
    skewed = np.random.default_rng(0).exponential(size=(4000, 10))
    estimates = [statistics.median(sample) for sample in skewed]
    held = np.mean([estimate.low <= math.log(2) <= estimate.high for estimate in estimates])
    assert held == pytest.approx(coverage(2, 10), abs=0.008)  # three standard errors


@pytest.mark.parametrize("n", [1, 3, 5])
def test_a_median_of_fewer_than_six_has_no_interval(n):
    estimate = statistics.median(np.arange(n) * 1.5)
    assert math.isnan(estimate.low)
    assert math.isnan(estimate.high)
    assert str(estimate) == f"{1.5 * (n // 2):.4g}"
    assert coverage(1, n) < statistics.LEVEL


def test_percentages_stay_within_bounds_and_a_net_that_diverged_counts_as_0():
    estimate = statistics.percent(pd.Series([0.99, 1.0, 0.97]))
    assert (estimate.value, estimate.high) == (pytest.approx(98.667, abs=1e-3), 100.0)
    assert estimate.low == statistics.mean([99.0, 100.0, 97.0]).low
    assert estimate.bar == pytest.approx((estimate.value - estimate.low, 100 - estimate.value))
    assert statistics.percent(pd.Series([0.5, math.nan])).value == 25
    assert math.isnan(statistics.percent(pd.Series([0.5])).high)


def test_a_difference_of_nought_is_shown_as_one():
    assert str(statistics.mean([0.76 + 2e-6, -0.76 + 2e-6])).startswith("0 [-9.6")
    assert str(statistics.mean([1e-9, 2e-9, 3e-9])).startswith("2e-09 [")


def test_one_observation_has_no_interval():
    assert math.isnan(statistics.mean([2.0]).low)
    assert str(statistics.mean([2.0])) == "2"


def test_a_study_is_made_once_and_its_folder_is_a_run(place):
    study = Square(3.0)
    first, second = study.make(place), study.make(place)
    assert (first.status, second.status, second.summary) == ("done", "done", {"square": 9.0})
    assert (place.runs / "measured").read_text() == "3.0\n"
    (session,) = json.loads((first.folder / "provenance.json").read_text())
    assert session["command"] == "the command"
    assert first.folder.name == study.name


def test_options_and_version_decide_the_name():
    class Squared(Square):
        version = 2
    names = {Square(1.0).name, Square(2.0).name, Square(1.0, seed=1).name, Squared(1.0).name}
    assert len(names) == 4
    assert Square(1.0).name == Square(1.0).name


def test_a_study_that_breaks_has_failed_and_is_tried_again(place):
    outcome = Square(-1.0).make(place)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "ArithmeticError: no root" in outcome.message
    assert "Traceback" in (outcome.folder / "log.txt").read_text()
    assert ledger.join([Square(-1.0)], place.runs, {}) == {}


def test_what_is_needed_comes_first_and_once():
    @dataclass(frozen=True)
    class After(Study):
        of: Square = option()
    after = After(Square(2.0))
    assert unique([[after], [Square(2.0), Square(1.0)]]) == [Square(2.0), after, Square(1.0)]
    assert after.options == {"of": Square(2.0).name}


def test_a_training_keeps_what_it_names(place):
    training = Training(TINY, keep=("state_gradients", "test_accuracy"))
    assert training.make(place).status == "done"
    entry = ledger.from_folder(training, place.runs)
    assert set(entry.arrays) == {"state_gradients", "test_accuracy"}
    assert entry.metrics["test_accuracy"] == pytest.approx(entry.arrays["test_accuracy"][-1])
    assert entry.provenance["command"] == shlex.join(["stablenets", *training.words])
    assert training.trained(place).depth == 4


def test_the_ledger_gives_back_what_folders_hold(place, tmp_path):
    works = [Square(math.pi), Square(1e-300), Training(TINY)]
    for work in works:
        work.make(place)
    known = ledger.join(works, place.runs, {})
    ledger.write(tmp_path, known)
    again = ledger.join(works, tmp_path / "elsewhere", ledger.read(tmp_path))
    assert list(again) == [work.name for work in works]
    for name, entry in known.items():
        assert again[name].status == entry.status
        assert again[name].metrics == pytest.approx(entry.metrics, rel=1e-9)
        assert {key: value if value == value else "" for key, value in again[name].provenance.items()} == entry.provenance
        for key, array in entry.arrays.items():
            np.testing.assert_allclose(again[name].arrays[key], array, rtol=1e-4)
            assert again[name].arrays[key].shape == array.shape
    content = (tmp_path / "ledger.csv").read_bytes(), (tmp_path / "curves.npz").read_bytes()
    ledger.write(tmp_path, again)
    assert (tmp_path / "ledger.csv").read_bytes() == content[0]


def test_of_folder_and_ledger_the_later_counts(place, tmp_path):
    study = Square(2.0)
    study.make(place)
    ours = ledger.from_folder(study, place.runs)
    for started, expected in (("2000-01-01T00:00:00Z", 4.0), ("2999-01-01T00:00:00Z", 5.0)):
        noted = replace(ours, metrics={"square": 5.0}, provenance=ours.provenance | {"started": started})
        assert ledger.join([study], place.runs, {study.name: noted})[study.name].metrics == {"square": expected}


def test_of_one_run_the_folder_has_what_the_ledger_was_not_asked_to_keep(place):
    work = Training(TINY, keep=("epoch",))
    work.make(place)
    noted = ledger.join([work], place.runs, {})
    asked = replace(work, keep=("epoch", "train_loss"))
    assert set(ledger.join([asked], place.runs, noted)[work.name].arrays) == {"epoch", "train_loss"}


@pytest.mark.parametrize("content", ["", "run,status\nx\n", "nothing\n1\n"])
def test_a_damaged_ledger_is_one_line(tmp_path, content):
    (tmp_path / "ledger.csv").write_text(content)
    with pytest.raises(BadInput, match=r"ledger\.csv: cannot be read as a ledger .*; take it from the repository again"):
        ledger.read(tmp_path)


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
    "toy", "A toy", lambda profile, seeds: {"squares": [Square(2.0, seed=seed) for seed in range(seeds or 3)]},
    (Claim("1", "Squares are squares", "Eq. (1)", ("squares",), squares, "curve"),
     Claim("2", "Cubes | too", "Eq. (2)", ("cubes",), squares, "curve")),
    {"numbers": Drawing(("squares",), lambda results: results["squares"][["value", "square"]], "Numbers.")},
    {"curve": Drawing(("squares",), draw, "A curve.")},
    {"turning": Drawing(("squares",), move, "It turns.")})
WRITTEN = {"claims.csv", "claims.md", "ledger.csv", "curves.npz", "numbers.md", "numbers.csv", "numbers.tex", "curve.png", "curve.svg",
           "turning.gif"}


def collected(place, folder, seeds=3):
    plan = PAPER.plan("quick", seeds)
    ledger.write(folder, ledger.join(plan["squares"], place.runs, ledger.read(folder)))
    return report.write(PAPER, Results(plan, ledger.read(folder)), "quick", folder, "make it")


def test_a_report_is_whole_and_another_machine_makes_the_same(place, tmp_path):
    for study in PAPER.plan("quick", None)["squares"]:
        study.make(place)
    folder = tmp_path / "results" / "toy" / "quick"
    rows = collected(place, folder)
    assert {path.name for path in folder.iterdir()} == WRITTEN
    table = pd.read_csv(folder / "claims.csv")
    assert tuple(table.columns) == COLUMNS
    assert list(table["verdict"]) == [REPRODUCED, NOT_RUN]
    assert (rows[0]["seeds"], rows[0]["paper"], rows[0]["low"]) == (3, "stated without a number", 4.0)
    summary = (folder.parent / "README.md").read_text()
    assert "[quick](quick/claims.md)" in summary
    assert "Cubes ∣ too" in summary
    assert "![It turns.](turning.gif)" in (folder / "claims.md").read_text()
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    collected(replace(place, runs=tmp_path / "nothing"), folder)
    differing = [name for name, content in before.items() if (folder / name).read_bytes() != content]
    assert differing == []


def test_an_animation_is_small_white_and_says_what_made_it(place, tmp_path):
    from PIL import Image
    for study in PAPER.plan("quick", None)["squares"]:
        study.make(place)
    collected(place, tmp_path / "quick")
    with Image.open(tmp_path / "quick" / "turning.gif") as picture:
        assert (picture.n_frames, picture.info["duration"]) == (3, 120)  # hundredths of a second
        assert picture.convert("RGB").getpixel((0, 0)) == (255, 255, 255)
        assert picture.info["comment"].startswith(b"It turns. `make it`: runs ")


def test_without_all_its_runs_nothing_is_judged_or_drawn(place, tmp_path):
    folder = tmp_path / "results" / "toy" / "quick"
    for study in PAPER.plan("quick", None)["squares"]:
        study.make(place)
    collected(place, folder)
    rows = collected(place, folder, seeds=4)
    assert (rows[0]["verdict"], rows[0]["ours"]) == (NOT_RUN, "1 of 4 runs are missing")
    assert {path.name for path in folder.iterdir()} == {"claims.csv", "claims.md", "ledger.csv", "curves.npz"}


def test_the_highest_profile_that_decided_counts(tmp_path):
    def written(profile, verdicts, ours=""):
        folder = tmp_path / profile
        folder.mkdir()
        rows = [dict.fromkeys(COLUMNS, "") | {"id": name, "verdict": verdict, "ours": ours}
                for name, verdict in zip("12", verdicts, strict=True)]
        pd.DataFrame(rows, columns=list(COLUMNS)).to_csv(folder / "claims.csv", index=False)
    written("smoke", (REPRODUCED, REPRODUCED))
    written("quick", (PARTLY, NOT_RUN))
    written("full", (NOT_RUN, NOT_RUN), ours="between")
    lines = [line for line in report.summary(PAPER, tmp_path).splitlines() if line.startswith(("| 1 ", "| 2 "))]
    assert PARTLY in lines[0]
    assert "[quick](quick/claims.md)" in lines[0]
    assert "between" not in lines[0]
    assert NOT_RUN in lines[1]
    assert "not decided, at [full](full/claims.md): between" in lines[1]
    shutil.rmtree(tmp_path / "full")
    written("full", (NOT_RUN, NOT_RUN), ours="3 of 4 runs are missing")
    assert "missing" not in report.summary(PAPER, tmp_path)


def test_tables_say_what_made_them_in_all_three_forms(tmp_path):
    tables.write(pd.DataFrame({"net_a": [1.23456, math.nan], "p|q": ["50 %", None]}), tmp_path / "t", "A caption.", "Made so.")
    markdown, tex = (tmp_path / "t.md").read_text(), (tmp_path / "t.tex").read_text()
    assert "| 1.235 | 50 % |" in markdown
    assert "|  |  |" in markdown
    assert "p∣q" in markdown
    assert r"50 \%" in tex
    assert r"net\_a" in tex
    assert all("Made so." in text for text in (markdown, tex))
    assert pd.read_csv(tmp_path / "t.csv")["net_a"][0] == 1.23456


@pytest.mark.parametrize(("low", "high", "n", "verdict"), [
    (1.0, 3.0, 3, REPRODUCED), (-1.0, 3.0, 3, NOT_RUN), (-3.0, -1.0, 3, NOT_REPRODUCED), (math.nan, math.nan, 1, PARTLY)])
def test_an_interval_with_its_line_within_decides_nothing_and_one_seed_in_part_at_most(low, high, n, verdict):
    assert attained([(Estimate(2.0, low, high, n), 0.0)]) == verdict
    assert compared([(Estimate(2.0, low, high, n), 0.0)]) == (verdict if n > 1 else NOT_RUN)
    assert Estimate(2.0, low, high, n).signed() == ("+2.0" if n == 1 else f"+2.0 [{low:.1f}, {high:.1f}]")
    assert attained([(Estimate(-2.0, math.nan, math.nan, 1), 0.0)]) == NOT_RUN
