"""What the comparison measures and shows, from all runs of profile smoke."""

import math

import numpy as np
import pandas as pd
import pytest
import torch

from experiments.compare import PAPER
from experiments.compare.benches import SAME
from experiments.compare.figures import percent_text
from experiments.compare.measures import (
    geometric_mean,
    isometry_defect,
    measured_runs,
    spectrum_of,
    steps_to,
)
from experiments.compare.ranking import (
    differences_from_first,
    isometry_correlations,
    ranked_families,
    scores_by_family,
)
from experiments.compare.runs import compared
from experiments.compare.search import Settings, edges
from experiments.compare.tables import median_text
from stablenets.claims import ledger, pages
from stablenets.claims.results import Results
from stablenets.nets import FAMILIES
from stablenets.training.network import build_network


def test_smoke_runs_end_to_end(place, tmp_path):
    plan, folder = PAPER.plan("smoke"), tmp_path / "results" / "compare" / "smoke"
    for works in plan.values():
        for work in works:
            assert work.run(place).status in ("done", "diverged"), work.name
    entries, damaged = ledger.collect_entries([w for own in plan.values() for w in own], place.runs)
    ledger.write_ledger(folder, entries)
    results = Results(plan, ledger.read_ledger(folder))
    assert not damaged
    assert pages.write_pages(PAPER, results, "smoke", folder, "make it") == []
    files = {path.name for path in folder.iterdir()}
    for name in ("accuracy", "gradients", "spectra", "cost", "isometry", "choice", "differences"):
        assert f"{name}.csv" in files
    assert "95 % confidence intervals over seeds" not in (folder / "cost.md").read_text()
    for name in PAPER.figures:
        assert f"{name}.png" in files
    assert not {"claims.md", "claims.csv", "criteria.csv", "search.csv"} & files
    page = (folder / "tables.md").read_text()
    assert "(accuracy.png)" in page
    assert "[cost](cost.md)" in page
    table = pd.read_csv(folder / "accuracy.csv")
    assert {name.split(" ")[0] for name in table["family"]} == set(FAMILIES) - {"ms3"}
    assert {"hdnn (H1)", "semi_implicit (H2)", "hamiltonian (MS3)"} <= set(table["family"])
    assert "| swiss_roll |" in page
    cost = pd.read_csv(folder / "cost.csv")
    assert (cost["ms a step"] > 0).all()
    assert (cost["MB, least"] < cost["MB, stored"]).all()
    assert set(cost["computed again"]) == {"inverse", "checkpoints"}


def test_steps_to_the_goal():
    curve = {"step": np.array([4.0, 8, 12]), "test_accuracy": np.array([np.nan, 0.9, 0.95])}
    assert steps_to(curve, 0.9) == 8
    assert steps_to(curve, 0.91) == 12
    assert steps_to(curve, 0.99) == math.inf


@pytest.mark.parametrize(
    ("values", "defect"),
    [
        ([1.0, 1.0, 1.0], 0.0),
        ([math.e, 1.0, 1.0], 1.0),
        ([1.0, 1.0, math.e**-2], 2.0),
        ([1.0, 1.0, 0.0], math.inf),
        ([math.nan] * 3, math.inf),
    ],
)
def test_the_isometry_defect(values, defect):
    assert isometry_defect(values) == pytest.approx(defect)


def test_a_mean_of_ratios_without_a_logarithm_is_a_median():
    assert geometric_mean(pd.Series([1.0, 100.0])).value == pytest.approx(10)
    found = geometric_mean(pd.Series([0.0, 1.0, 2.0]))
    assert found.value == 1.0
    assert math.isnan(found.low)


def made_up_runs():
    """Two data sets, depth 64. `good` is always right, `fair` halfway, `bad` guesses."""
    accuracy = {"good": 1.0, "fair": 0.75, "bad": 0.5}
    rows = [
        {"bench": bench, "family": family, "depth": 64, "seed": seed, "is_searched": True}
        | {"of_target": 100.0, "at_edge": ""}
        | {"accuracy": value, "chance": 0.5, "defect": 2 - value}
        for bench in ("swiss_roll", "digits")
        for family, value in accuracy.items()
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def test_scores_go_from_guessing_to_no_error():
    scores = scores_by_family(made_up_runs(), "dense", 64)
    assert {name: set(own["digits"]) for name, own in scores.items()} == {
        "good": {1.0},
        "fair": {0.5},
        "bad": {0.0},
    }


def test_families_are_ranked_and_compared_with_the_others():
    rows = ranked_families(made_up_runs(), "dense", 64)
    assert [row["family"] for row in rows] == ["good", "fair", "bad"]
    assert [row["interquartile mean"].value for row in rows] == [100, 50, 0]
    assert [row["better than another"].value for row in rows] == [1, 0.5, 0]


def test_the_first_family_is_compared_with_each_other_one_by_seed():
    runs = made_up_runs()
    # the accuracy of a seed counts for all families, so that only the difference is certain
    runs["accuracy"] -= 0.1 * runs["seed"]
    first, second = differences_from_first(runs, "dense", 64)
    assert [first["other"], second["other"]] == ["fair", "bad"]
    for row, value in ((first, 50.0), (second, 100.0)):
        found = row["first minus other, points"]
        assert [found.value, found.low, found.high] == pytest.approx([value] * 3)
        assert (row["first"], row["differs from 0"], row["seeds"]) == ("good", "yes", 3)
    assert differences_from_first(runs, "recurrent", 64) == []


def test_the_interval_of_an_accuracy_ends_at_100():
    assert percent_text(pd.DataFrame({"accuracy": [0.85, 1.0, 1.0]})) == "95\n[73, 100]"
    assert percent_text(pd.DataFrame({"accuracy": [0.85]})) == "85"


def test_a_family_without_runs_on_a_data_set_is_not_ranked():
    runs = made_up_runs()
    partly = runs[~((runs["family"] == "fair") & (runs["bench"] == "digits"))]
    assert [row["family"] for row in ranked_families(partly, "dense", 64)] == ["good", "bad"]
    assert ranked_families(runs, "recurrent", 64) == []


def test_a_family_with_other_numbers_of_parameters_is_not_ranked():
    runs = made_up_runs()
    for percent, names in ((109.0, ["good", "fair", "bad"]), (111.0, ["good", "bad"])):
        is_off = (runs["family"] == "fair") & (runs["bench"] == "digits")
        found = ranked_families(runs.assign(of_target=np.where(is_off, percent, 100)), "dense", 64)
        assert [row["family"] for row in found] == names


def test_ranks_say_where_settings_are_at_an_edge_of_the_search():
    runs = made_up_runs()
    is_at = (runs["family"] == "fair") & (runs["bench"] == "digits")
    rows = ranked_families(runs.assign(at_edge=np.where(is_at, "rate", "")), "dense", 64)
    assert [row["settings at an edge"] for row in rows] == ["", "digits: rate", ""]


def test_settings_at_an_edge_of_the_search():
    assert edges("digits", "resnet", Settings(0.003, "T", 4.0)) == ["rate"]
    assert edges("digits", "resnet", Settings(0.03, "T", 4.0)) == []
    assert edges("digits", "plain", Settings(0.1, "gain", 2.0)) == ["rate", "scale"]
    # search.csv has six digits
    assert edges("digits", "resnet_bn", Settings(0.01, "gain", 2.82843)) == ["scale"]


def test_families_that_count_once_are_the_same_network():
    settings = Settings(0.01, "T", 4.0)
    for family, other in SAME.items():
        depth, nets = 4, []
        for name in (family, other):
            run = compared("digits", name, depth, 0, settings, is_smoke=False).resolved
            torch.manual_seed(0)
            nets.append(build_network(run, run.dataset.facts))
        x = torch.randn(3, *run.dataset.facts.shape)
        first, second = (net(x) for net in nets)
        assert torch.equal(first, second)


def test_a_singular_value_below_rounding_is_replaced_by_the_limit():
    found = spectrum_of([2.0, 1.0, 1e-27])
    assert found["smallest"] == found["limit"] == pytest.approx(3 * 2.2e-16 * 2, rel=0.02)
    assert median_text(pd.DataFrame([found]), "smallest", "").startswith("below 1.3")
    assert median_text(pd.DataFrame([found]), "median", "") == 1.0
    unknown = pd.DataFrame([spectrum_of([1e38, 1.0, 1e-27])])
    assert median_text(unknown, "smallest", "") == "not measurable"


def test_isometry_that_orders_all_runs_has_correlation_1():
    for row in isometry_correlations(made_up_runs()):
        assert row["rank correlation"].value == pytest.approx(1.0)
        assert row["differs from 0"] == "yes"
        assert row["rank correlation"].n == row["families"] == 3


def test_a_run_that_diverged_counts_as_guessing():
    plan = {"digits": PAPER.plan("quick")["digits"][:1]}
    (work,) = plan["digits"]
    arrays = {
        "step": np.array([11.0]),
        "test_accuracy": np.array([0.9]),
        "state_gradients": np.array([[1.0, 2.0]]),
        "singular_values": np.ones((1, 1, 3)),
    }
    metrics = {"test_accuracy": 0.9, "parameters": 100.0}
    entry = ledger.Entry("diverged", work.options, metrics, {"wall_s": 1.0, "commit": "c"}, arrays)
    (row,) = measured_runs(Results(plan, {work.name: entry}), ["digits"]).to_dict("records")
    assert row["accuracy"] == 0.1
    assert row["diverged"]
    assert (row["ratio_before"], row["ratio_after"], row["defect"]) == (0.5, 0.5, 0.0)
