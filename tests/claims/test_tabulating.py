"""Summaries of groups of runs: tables, lines of figures, and tables of settings."""

import pandas as pd

from stablenets.claims.estimates import Metric, gap_between, median_over_seeds
from stablenets.claims.tabulating import by_value, count_seeds, lines_by, setting_table, tabulate

LOSS = Metric("loss")


def rows():
    """Two families, the second one first, at two depths with two seeds."""
    return pd.DataFrame(
        [
            {"net.family": family, "depth": depth, "seed": seed, "loss": start + depth + seed}
            for family, start in (("verlet", 0.0), ("plain", 10.0))
            for depth in (64, 4)
            for seed in (0, 2)
        ]
    )


def test_a_table_has_a_row_for_each_group():
    table = tabulate(
        rows(), ["family", "depth"], {"loss": "loss", "seeds": count_seeds}, {"plain": "MLP"}
    )
    assert list(table) == ["net", "layers", "loss", "seeds"]
    assert table["net"].tolist() == ["verlet", "verlet", "MLP", "MLP"]
    assert table["loss"].tolist() == [65.0, 5.0, 75.0, 15.0]
    assert set(table["seeds"]) == {2}


def test_a_table_can_have_other_heads_and_shows_intervals():
    def middle(own):
        return median_over_seeds(own, LOSS)

    table = tabulate(rows(), {"family": "architecture"}, {"mean": LOSS, "median": middle})
    assert list(table) == ["architecture", "mean", "median"]
    assert table.map(type).eq(str).all(axis=None)


def test_lines_are_in_the_order_of_the_plan_and_their_points_in_that_of_depth():
    lines = lines_by(rows(), "family", "depth", LOSS)
    assert list(lines) == ["verlet", "plain"]
    assert {depth: each.value for depth, each in lines["verlet"].items()} == {4: 5.0, 64: 65.0}
    assert list(lines["verlet"]) == [4, 64]
    assert by_value(rows(), "depth", "loss") == {4: 10.0, 64: 70.0}
    assert by_value(rows(), "depth", lambda own: own["loss"].max()) == {4: 16.0, 64: 76.0}


def test_a_gap_is_ours_minus_theirs():
    assert gap_between(rows(), "family", "verlet", "plain", LOSS).value == -10.0


def tried():
    """Validation accuracies by rate: two rates are equally good for one family."""
    accuracies = {"verlet": (0.5, 0.9, 0.9), "plain": (0.2, 0.1, 0.0)}
    return pd.DataFrame(
        [
            {"net.family": family, "optim.lr": rate, "seed": 0, "validation_accuracy": accuracy}
            for family, values in accuracies.items()
            for rate, accuracy in zip((0.1, 0.01, 0.03), values, strict=True)
        ]
    ).assign(chance=0.0)


def test_of_equal_settings_the_given_one_is_the_best():
    used = {"verlet": 0.01, "plain": 0.1}
    table = setting_table(
        tried(), ["family"], "lr", "rate ", names={"plain": "MLP"}, best=max, used=used.get
    )
    assert list(table) == ["net", "rate 0.01", "rate 0.03", "rate 0.1", "best", "used"]
    assert table["net"].tolist() == ["verlet", "MLP"]
    assert table["best"].tolist() == [0.03, 0.1]
    assert table["used"].tolist() == [0.01, 0.1]
    assert table["rate 0.01"].tolist() == [90.0, 10.0]
    assert setting_table(tried(), ["family"], "lr", "", best=min)["best"].tolist() == [0.01, 0.1]
