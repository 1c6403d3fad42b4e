"""Haber & Ruthotto 2017: the digits of Example 1, what theory says of the integrators, and a plan
whose parts fit together.
"""

import math
from functools import partial

import numpy as np
import pytest
from conftest import made_up, same_by_command

from experiments.haber2017 import PAPER, deepest, images, levels, optimiser_race, planar, tuning
from experiments.haber2017.settings import (
    FAMILIES,
    PENALTY_GRID,
    RATE_GRID,
    RATES,
    SMOOTHNESS,
    Chain,
)
from experiments.haber2017.settings import planar as planar_net
from experiments.haber2017.studies import Drift, Example1, sufficient
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, PROFILES, REPRODUCED, UNDECIDED
from stablenets.claims.work import Training, unique

# Computed from the paper's settings by another program; the paper prints none of
# them.
EXAMPLE_1 = {
    "K+": {
        "y1_0": 0.538263,
        "y1_1": -0.273080,
        "y3_0": 0.0,
        "y3_1": 1.415219,
        "distance_12": 1.20715,
        "distance_13": 1.77203,
        "lemma_1": 1.2,
    },
    "K-": {
        "y1_0": 0.037812,
        "y1_1": 0.010836,
        "y3_0": 0.150397,
        "y3_1": 0.066324,
        "distance_12": 0.07867,
        "distance_13": 0.12552,
        "lemma_1": 0.8,
    },
    "K0": {
        "y1_0": 0.145531,
        "y1_1": -0.030390,
        "y3_0": 0.417906,
        "y3_1": 0.305213,
        "distance_12": 0.29734,
        "distance_13": 0.43222,
        "lemma_1": 1.004988,
    },
}


@pytest.mark.parametrize("net", EXAMPLE_1)
def test_example_1_has_the_documented_digits(net):
    metrics, arrays = Example1(net, 10, 0.1).measure(None)
    assert {name: metrics[name] for name in EXAMPLE_1[net]} == pytest.approx(
        EXAMPLE_1[net], abs=1e-5
    )
    assert arrays["trajectory"].shape == (11, 3, 2)
    assert (arrays["trajectory"][:, 1] == -arrays["trajectory"][:, 0]).all()


@pytest.mark.parametrize(
    ("net", "layers", "h", "distance"),
    [
        ("K+", 1000, 0.1, 281.04),
        ("K-", 1000, 0.1, 0.0),
        ("K0", 1000, 0.1, 5.634),
        ("K0", 100, 0.01, 0.284445),
    ],
)
def test_example_1_goes_deep_as_documented(net, layers, h, distance):
    assert Example1(net, layers, h).measure(None)[0]["distance_12"] == pytest.approx(
        distance, rel=1e-4, abs=1e-12
    )


@pytest.mark.parametrize("layers", [16, 64, 256])
def test_forward_euler_grows_as_theory_says(layers):
    h = 20 / layers
    assert Drift("euler", "identity", layers, h).measure(None)[0]["jacobian_high"] == pytest.approx(
        (1 + h**2) ** (layers / 2), rel=1e-9
    )


@pytest.mark.parametrize("scheme", ["damped euler", "rk4", "verlet", "leapfrog"])
@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_the_others_do_not_grow(scheme, activation):
    assert Drift(scheme, activation, 300, 0.1).measure(None)[0]["growth"] < 1.5


@pytest.mark.parametrize(("h", "gamma"), [(0.1, 0.1003), (20 / 1024, 0.01953)])
def test_the_sufficient_diffusion_is_the_documented_one(h, gamma):
    assert sufficient(h) == pytest.approx(gamma, rel=1e-3)
    assert sufficient(h) == pytest.approx(h * (1 + sufficient(h) ** 2 / 4), rel=1e-12)


@pytest.mark.parametrize("profile", PROFILES)
def test_every_claim_and_drawing_asks_for_groups_of_the_plan(profile):
    plan = PAPER.plan(profile, 2)
    for needs in [claim.needs for claim in PAPER.claims] + [
        drawing.needs for drawing in (PAPER.tables | PAPER.figures).values()
    ]:
        assert set(needs) <= set(plan)
    assert {claim.figure for claim in PAPER.claims} <= set(PAPER.figures)
    works = unique(list(plan.values()))
    assert len({work.name for work in works}) == len(works)
    seeds = {group: {work.seed for work in plan[group]} - {None} for group in plan}
    tuned = {group: seeds.pop(group) for group in ("rates", "penalties", "deepest")}
    assert set().union(*seeds.values()) == {0, 1}
    assert all(
        min(own, default=100) >= 100 for own in tuned.values()
    )  # no seed of the tables has a say in the settings


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("quick", 1)
    same_by_command(plan[group][-1] for group in ("depth", "levels", "smooth", "images"))


def test_levels_follow_one_another_and_share_their_runs():
    coarse, fine = Chain(4, 1, 3).of(planar_net, "swiss_roll", "verlet", seed=0)
    assert fine.needs == (coarse,)
    assert fine.resolved.coarser.name == coarse.name


results = partial(made_up, PAPER)


def accuracy(offset):
    """Accuracies of a training: the same for all families but for the offset of the stable ones,
    and noise that pairs share.
    """

    def entry(work: Training):
        noise = 0.01 * work.seed + 0.02 * (work.dataset == "peaks")
        value = 0.9 + noise + (0.0 if work.resolved.net.family == "resnet" else offset(work))
        return {
            "test_accuracy": value,
            "test_accuracy_at_best_validation": value,
            "parameters": 10.0,
        }, {}

    return entry


def validated(value):
    return lambda work: ({"validation_accuracy": value}, {})


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        (lambda work: 0.0, REPRODUCED),
        (lambda work: 0.005 * (work.seed % 2), REPRODUCED),
        (lambda work: -0.1, NOT_REPRODUCED),
        (lambda work: -0.1 * (work.resolved.config.depth == 4), PARTLY),
    ],
)
def test_competitive_rests_on_the_paired_difference(offset, verdict):
    finding = planar.competitive(results({"depth": accuracy(offset)}))
    assert finding.verdict == verdict
    assert finding.low <= finding.high


def test_a_diverged_net_counts_as_wrong_and_not_as_absent():
    def entry(work):
        diverged = work.resolved.net.family == "verlet"
        return {"parameters": 10.0} | ({} if diverged else accuracy(lambda work: 0.0)(work)[0]), {}

    finding = planar.competitive(results({"depth": entry}))
    assert finding.verdict == PARTLY
    assert "Verlet at 4" in finding.note


@pytest.mark.parametrize(
    ("gain", "verdict"), [(-0.05, REPRODUCED), (0.05, NOT_REPRODUCED), (0.0, UNDECIDED)]
)
def test_the_race_is_judged_by_test_error_at_equal_time(gain, verdict):
    def entry(race):
        noise = 0.002 * (race.seed % 2 - 0.5)
        return {
            "descent_test_error": 0.1 + gain + noise,
            "adam_test_error": 0.1,
            "descent_objective": 1.0,
            "adam_objective": 2.0,
        }, {}

    finding = optimiser_race.compared(results({"race": entry}))
    assert finding.verdict == verdict
    assert "100%" in finding.ours


def test_epochs_to_the_target_count_from_the_first_row():
    assert levels.reached(np.array([]), 1) == math.inf
    assert levels.reached(np.array([0.5, 0.96, 0.9]), 1) == 2
    assert levels.reached(np.array([0.96, 0.5]), 0) == 0


def test_the_race_is_one_observation_a_seed():
    """Where data sets differ and seeds do not, the interval has no width."""

    def entry(race):
        gain = {"ellipses": 0.1, "swiss_roll": -0.1, "peaks": 0.03}[race.dataset]
        return {
            "descent_test_error": 0.2 + gain,
            "adam_test_error": 0.2,
            "descent_objective": 1.0,
            "adam_objective": 2.0,
        }, {}

    finding = optimiser_race.compared(results({"race": entry}, "full"))
    assert (finding.low, finding.high) == (pytest.approx(1.0), pytest.approx(1.0))


def test_the_race_is_drawn_for_every_data_set():
    def entry(race):
        curves = {
            f"{short}_{name}": np.linspace(*ends, 5)
            for short in ("descent", "adam")
            for name, ends in (("seconds", (0, 2)), ("objective", (1, 0.1)))
        }
        return {"descent_test_error": 0.1}, curves

    figure = optimiser_race.race_curves(results({"race": entry}, "full"))
    panels = figure.get_axes()
    assert len(panels) == 3 * len(FAMILIES)
    assert all(len(axes.lines) == 2 for axes in panels)


@pytest.mark.parametrize(
    ("offset", "verdict"),
    [
        (lambda work: 0.0, REPRODUCED),
        (lambda work: -0.1, NOT_REPRODUCED),
        (lambda work: -0.1 * (work.resolved.config.depth == 4), PARTLY),
    ],
)
def test_image_nets_are_judged_at_every_depth(offset, verdict):
    finding = images.on_par(results({"images": accuracy(offset)}))
    assert finding.verdict == verdict
    assert ("antisymmetric at 4" in finding.note) == (verdict != REPRODUCED)


def test_a_doubling_is_told_by_accuracy_and_by_loss():
    """A tenth of the points and half a loss are lost when weights are prolonged."""

    def entry(work):
        first = work.resolved.config.levels == 0
        curves = {
            "train_loss": np.array([0.2, 0.1] if first else [0.15, 0.1]),
            "test_accuracy": np.array([0.5, 0.97] if first else [0.87, 0.97]),
        }
        return {"epochs": 2.0, "test_accuracy": 0.97}, curves

    finding = levels.multilevel(results(dict.fromkeys(("levels", "scratch"), entry)))
    assert "accuracy -10.0 points, training loss ×1.5" in finding.ours


def test_every_family_of_the_paper_is_there():
    assert {work.resolved.net.family for work in PAPER.plan("quick", 1)["depth"]} == set(FAMILIES)


def test_of_equal_settings_the_gentler_is_the_best():
    found = [
        tuning.rates_table(results({"rates": validated(0.9)}, "full")),
        tuning.penalties_table(results({"penalties": validated(0.9)}, "full")),
    ]
    assert [set(table["best"]) for table in found] == [{min(RATE_GRID)}, {max(PENALTY_GRID)}]
    assert list(found[0]["used"]) == [RATES[family] for family in FAMILIES]
    assert set(found[1]["used"]) <= set(SMOOTHNESS.values())


def test_the_deepest_nets_are_told_apart_by_what_is_changed():
    def entry(work: Training):
        metrics = {
            "train_loss": 0.1,
            "validation_accuracy": 0.9,
            "test_accuracy": 0.97 + 0.02 * (work.resolved.net.family == "resnet"),
            "state_gradient_range_low": 0.1,
            "state_gradient_range_high": 1.0,
        }
        return metrics, {"train_loss": np.linspace(1, 0.1, 5)}

    found = results({"deepest": entry}, "full")
    table = deepest.deepest_table(found)
    own = table[table["net"] == "antisymmetric"]["changed"]
    assert list(own) == ["", "rate 0.01", "rate 0.1", "γ = 0.02", "a bias a feature"]
    assert list(table["seeds at 98 %"])[:2] == ["3 of 3", "0 of 3"]
    deepest.deepest_curves(found)
    assert "ResNet 3 of 3, antisymmetric 0 of 3" in deepest.reached(found)
    assert deepest.reached(results({"depth": accuracy(lambda work: 0.0)})) == ""
