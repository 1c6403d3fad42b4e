"""The comparison's plan: one budget, one search, all families."""

import dataclasses

import pytest

from experiments.compare import PAPER, search
from experiments.compare.benches import BENCHES, SEARCH_DEPTH
from experiments.compare.runs import SEARCHES, compared, every_family
from experiments.compare.search import Settings, best_point, chosen_settings, points, read_chosen
from experiments.compare.widths import WIDEST, count_parameters, nearest_width, target
from stablenets.nets import FAMILIES, RECURRENT_FAMILIES
from stablenets.training.network import build_network

TOYS = ("swiss_roll", "digits", "psdigits")
CASES = [
    (bench, family, depth)
    for bench in TOYS
    for family in BENCHES[bench].families()
    for depth in ([64] if BENCHES[bench].is_recurrent else [4, 64])
]


@pytest.fixture(scope="module")
def plans():
    """The plans by profile. Each run is resolved once for all tests."""
    return {profile: PAPER.plan(profile) for profile in ("smoke", "quick", "full")}


@pytest.mark.parametrize(("bench", "family", "depth"), CASES)
def test_no_other_width_is_nearer_to_the_target(bench, family, depth):
    width, wanted = nearest_width(bench, family, depth), target(BENCHES[bench], depth)
    reach = 16 if family == "distributed" else 2
    near = range(max(1, width - reach), width + reach + 1)
    others = [other for other in near if not FAMILIES[family]().width_problem(other)]
    gaps = {w: abs(count_parameters(bench, family, w, depth) - wanted) for w in others}
    assert gaps[width] == min(gaps.values())
    # distributed has only every 16th width
    assert gaps[width] <= 0.1 * wanted or family == "distributed"


@pytest.mark.parametrize(("bench", "family", "depth"), CASES)
def test_the_count_is_that_of_the_network_that_is_trained(bench, family, depth):
    run = compared(bench, family, depth, seed=0, settings=None, is_smoke=False).resolved
    net = build_network(run, run.dataset.facts)
    (width,) = run.net.widths
    assert width == nearest_width(bench, family, depth)
    count = sum(part.numel() for part in net.parameters())
    assert count == count_parameters(bench, family, width, depth)


@pytest.mark.parametrize("bench", ["mnist_conv", "cifar10"])
def test_the_count_of_several_units_is_that_of_the_network(bench):
    run = compared(bench, "resnet", 16, seed=0, settings=None, is_smoke=False).resolved
    net = build_network(run, run.dataset.facts)
    width = run.net.widths[0]
    count = sum(part.numel() for part in net.parameters())
    assert count == count_parameters(bench, "resnet", width, 16)
    assert count == pytest.approx(target(BENCHES[bench], 16), rel=0.1)


def test_a_plain_network_has_the_width_that_the_bench_names():
    widths = {"swiss_roll": 16, "digits": 32, "digits_conv": 8, "mnist": 64}
    for bench, width in widths.items():
        assert nearest_width(bench, "plain", 16) == width < WIDEST * width


@pytest.mark.parametrize("profile", ["smoke", "quick", "full"])
def test_every_family_takes_part_and_has_the_same_budget(plans, profile):
    plan = plans[profile]
    for bench in TOYS:
        runs = [work.options for work in plan[bench]]
        families = {run["net.family"] for run in runs}
        is_recurrent = bench == "psdigits"
        assert families == {
            name for name in FAMILIES if (name in RECURRENT_FAMILIES) == is_recurrent
        }
        shared = ("epochs", "batch", "optim.name", "optim.schedule", "evaluate_every")
        assert len({tuple(run[key] for key in shared) for run in runs}) == 1


def test_quick_is_a_part_of_full(plans):
    quick, full = (
        {work.name for group in (*TOYS, "cost") for work in plans[profile][group]}
        for profile in ("quick", "full")
    )
    assert quick < full


def test_every_family_is_searched_alike_on_seeds_outside_the_tables(plans):
    plan = plans["full"]
    for group in SEARCHES:
        counts = {}
        for work in plan[group]:
            assert work.seed >= 100
            counts.setdefault(work.options["net.family"], set()).add(work.name)
        assert len(set(map(len, counts.values()))) == 1, group
    assert {work.seed for bench in TOYS for work in plan[bench]} == set(range(10))


@pytest.mark.parametrize(
    ("bench", "family", "option", "values"),
    [
        ("digits", "resnet", "T", (1.0, 4.0, 16.0)),
        ("digits", "plain", "gain", (0.5, 1.0, 2.0)),
        ("digits", "roamlp", "beta", (0.25, 1.0, 4.0)),
        ("psdigits", "antisymmetric_rnn", "dt", (0.025, 0.1, 0.4)),
        ("psdigits", "cornn", "dt", (60 / 64 / 4, 60 / 64, 60 / 16)),
    ],
)
def test_twelve_points_of_rate_and_scale(bench, family, option, values):
    tried = points(bench, family)
    assert len(set(tried)) == 12
    assert {each.option for each in tried} == {option}
    assert sorted({each.value for each in tried}) == pytest.approx(values)


TABLE = """bench,family,rate,option,value,validation accuracy
digits,resnet,0.1,T,16,99.3
digits,plain,0.003,gain,0.5,98
"""


def test_settings_are_read_from_the_table_of_the_search(tmp_path, monkeypatch):
    path = tmp_path / "search.csv"
    path.write_text(TABLE)
    monkeypatch.setattr(search, "CHOSEN", path)
    assert chosen_settings("digits", "resnet") == Settings(0.1, "T", 16.0)
    # settings of images come from the digits
    assert chosen_settings("mnist", "plain") == Settings(0.003, "gain", 0.5)
    assert chosen_settings("swiss_roll", "resnet") is None
    runs = {each.options["net.family"]: each.options for each in every_family("digits", 64, 0)}
    assert (runs["resnet"]["optim.lr"], runs["resnet"]["T"]) == (0.1, 16.0)
    assert (runs["plain"]["optim.lr"], runs["plain"]["net.gain"]) == (0.003, 0.5)
    # of a family that is not in the table, all settings are defaults
    assert (runs["momentum"]["optim.lr"], runs["momentum"]["T"]) == (0.003, 5.0)


def test_without_a_table_nothing_is_searched(tmp_path):
    assert read_chosen(tmp_path / "none.csv") == {}


def rows_of(*rows):
    import pandas as pd

    columns = ("rate", "value", "validation_accuracy", "validation_loss")
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(chance=0.1, seed=100)


def test_the_best_point_has_the_highest_accuracy_then_the_smallest_loss():
    rows = rows_of((0.01, 1.0, 0.9, 0.1), (0.03, 1.0, 0.95, 0.3), (0.03, 4.0, 0.95, 0.2))
    best = best_point(rows)
    assert (best["rate"].item(), best["value"].item()) == (0.03, 4.0)


def test_a_point_whose_run_diverged_counts_as_guessing():
    nan = float("nan")
    rows = rows_of((0.01, 1.0, 0.3, 1.0), (0.1, 1.0, 0.9, 0.1), (0.1, 1.0, nan, nan))
    assert best_point(rows)["rate"].iloc[0] == 0.1  # the mean of 0.9 and 0.1
    rows = rows_of((0.01, 1.0, 0.6, 1.0), (0.1, 1.0, 0.9, 0.1), (0.1, 1.0, nan, nan))
    assert best_point(rows)["rate"].iloc[0] == 0.01


def test_the_search_is_made_at_one_depth(plans):
    for group in ("search_digits", "search_swiss_roll"):
        assert {work.options["depth"] for work in plans["full"][group]} == {SEARCH_DEPTH}


def test_the_names_of_runs_do_not_depend_on_how_the_table_of_the_search_is_written():
    for row in read_chosen(search.CHOSEN).values():
        assert float(f"{row.value:.6g}") == row.value


def test_settings_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        Settings(0.1, "T", 1.0).rate = 0.2
