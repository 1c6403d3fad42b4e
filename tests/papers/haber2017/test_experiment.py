"""Haber & Ruthotto 2017: the digits of Example 1, theory of the integrators, claims and plan."""

import math
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import made_up, same_by_command

from experiments.haber2017 import PAPER, claims, figures, measures
from experiments.haber2017.runs import PENALTY_GRID, RATE_GRID
from experiments.haber2017.studies.example_1 import (
    Example1,
    IntegratorDrift,
    Rotation,
    smallest_damping,
)
from experiments.haber2017.trainings import FAMILIES, PENALTIES, RATES, penalised_chain, planar
from stablenets.claims import ledger
from stablenets.claims.criteria import HELD, OPEN, REFUTED
from stablenets.claims.grid import PROFILES
from stablenets.claims.pages import is_complete
from stablenets.claims.results import Results
from stablenets.claims.work import Training

RESULTS = Path(__file__).resolve().parents[3] / "results" / "haber2017"
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
    assert IntegratorDrift("euler", "identity", layers, h).measure(None)[0][
        "jacobian_high"
    ] == pytest.approx((1 + h**2) ** (layers / 2), rel=1e-9)


@pytest.mark.parametrize("scheme", ["damped euler", "rk4", "verlet", "leapfrog"])
@pytest.mark.parametrize("activation", ["identity", "tanh"])
def test_the_others_do_not_grow(scheme, activation):
    assert IntegratorDrift(scheme, activation, 300, 0.1).measure(None)[0]["growth"] < 1.5


@pytest.mark.parametrize(("layers", "h"), [(100, 0.1), (50, 0.4)])
def test_k0_at_the_origin_grows_by_its_scheme_as_theory_says(layers, h):
    """The linearisation turns by h in each layer. Verlet keeps (a² + b²) - h a b."""
    factor = {
        scheme: Rotation(scheme, layers, h).measure(None)[0]["origin"]
        for scheme in ("euler", "rk4", "verlet")
    }
    assert factor["euler"] == pytest.approx((1 + h**2) ** (layers / 2), rel=1e-9)
    shrunk = (1 - h**2 / 2 + h**4 / 24) ** 2 + (h - h**3 / 6) ** 2  # |1 + ih + ... |², of order 4
    assert factor["rk4"] == pytest.approx(shrunk ** (-layers / 2), rel=1e-9)
    assert 1 < factor["verlet"] <= (1 + h / 2) / (1 - h / 2)


def test_k0_by_euler_is_the_network_of_example_1():
    rotation, example = Rotation("euler", 30, 0.1), Example1("K0", 30, 0.1)
    high = example.measure(None)[0]["jacobian_points_high"]
    assert rotation.measure(None)[0]["point"] == pytest.approx(high, rel=1e-9)


@pytest.mark.parametrize(
    ("vanish", "explode", "rotate", "expected"),
    [
        (1e-9, 1e9, 1.1, [HELD] * 5),
        (0.5, 1e9, 1.1, [REFUTED] + [HELD] * 4),
        (1e-9, 9.0, 1.1, [HELD, REFUTED] + [HELD] * 3),
        (1e-9, 1e9, 9.0, [HELD] * 2 + [REFUTED] * 3),
    ],
)
@pytest.mark.parametrize(
    ("check", "place", "column"),
    [
        (claims.toys.growth_at_the_origin, "origin", "jacobian_origin_high"),
        (claims.toys.growth_at_a_point, "point", "jacobian_points_high"),
    ],
)
def test_gradients_of_example_1_are_judged_at_two_points(
    check, place, column, vanish, explode, rotate, expected
):
    """What is measured at one of the points does not decide the claim on the other."""

    def growth(work):
        norms = {"jacobian_points_high": 1.0, "jacobian_origin_high": 1.0}
        return norms | {column: vanish if work.net == "K-" else explode}

    def rotation(work):
        return {"origin": 5.0, "point": 5.0, place: rotate}

    found = results({"growth": growth, "rotation": rotation}, "full")
    assert states(check, found) == expected


@pytest.mark.parametrize(
    ("damped", "peak", "expected"),
    [
        (0.5, 2.0, [HELD] * 5),
        (0.1, 2.0, [HELD, REFUTED, HELD, HELD, HELD]),
        (0.5, 4.0, [HELD] * 4 + [REFUTED]),
    ],
)
@pytest.mark.parametrize(
    ("check", "activation"),
    [
        (claims.integrators.signal_in_tanh_layers, "tanh"),
        (claims.integrators.signal_in_linear_layers, "identity"),
    ],
)
def test_a_signal_keeps_its_size_if_it_neither_decays_nor_grows(
    check, activation, damped, peak, expected
):
    """Growth counts in all layers, also in those whose states are not stored; layers with the other
    activation do not count.
    """

    def entry(work):
        linear = (1 + work.h**2) ** (work.layers / 2)
        sizes = {"euler": np.array([1.0, 50.0]), "damped euler": np.array([1.0, damped])}
        stored = sizes.get(work.scheme, np.array([1.0, 2.0]))
        growth = peak if work.scheme == "leapfrog" else stored.max()
        if work.activation != activation:
            growth, stored = 1e9, np.array([1e-9])
        return {"growth": growth, "jacobian_high": linear}, {"growth": stored}

    theory = [HELD] * (activation == "identity")
    assert states(check, results({"drift": entry}, "full")) == expected + theory


def test_a_gradient_can_explode_while_the_signal_keeps_its_size():
    def entry(work):
        is_exploding = work.scheme == "verlet" and work.activation == "tanh" and work.seed == 1
        high, low = (4.0 if is_exploding else 2.0), 0.1 if work.scheme == "rk4" else 0.5
        metrics = {"growth": 1.0, "jacobian_high": high, "jacobian_low": low}
        return metrics, {"growth": np.ones(2)}

    found = results({"drift": entry}, "full")
    expected = [HELD, HELD, HELD, REFUTED, REFUTED, HELD]
    assert states(claims.integrators.jacobian_of_tanh_layers, found) == expected
    assert states(claims.integrators.signal_in_tanh_layers, found)[1:] == [HELD] * 4


@pytest.mark.parametrize(("h", "gamma"), [(0.1, 0.1003), (20 / 1024, 0.01953)])
def test_the_sufficient_diffusion_is_the_documented_one(h, gamma):
    assert smallest_damping(h) == pytest.approx(gamma, rel=1e-3)
    assert smallest_damping(h) == pytest.approx(h * (1 + smallest_damping(h) ** 2 / 4), rel=1e-12)


@pytest.mark.parametrize("profile", PROFILES)
def test_tuning_seeds_are_in_no_other_group(profile):
    plan = PAPER.plan(profile, 2)
    seeds = {group: {work.seed for work in plan[group]} - {None} for group in plan}
    tuned = [seeds.pop(group) for group in TUNING_GROUPS]
    assert set().union(*seeds.values()) == {0, 1}
    assert all(min(own, default=100) >= 100 for own in tuned)


def test_figures_of_claims_exist():
    assert {claim.figure for claim in PAPER.claims} <= set(PAPER.figures)


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("quick", 1)
    same_by_command(plan[group][-1] for group in ("depth", "levels", "smooth", "images"))


def test_levels_follow_one_another_and_share_their_runs():
    coarse, fine = penalised_chain("verlet", first=4, doublings=1, epochs=3, seed=0)
    assert fine.needs == (coarse,)
    assert fine.resolved.coarser.name == coarse.name


results = partial(made_up, PAPER)
TUNING_GROUPS = ("rates", "penalties", "deepest", "depth_rates", "level_rates", "scratch_rates")


def states(check, found):
    """The states of the criteria of a check."""
    return [criterion.state for criterion in check(found)]


def accuracy(offset):
    """Accuracies that differ from ResNet's by an offset, with noise that pairs share."""

    def entry(work: Training):
        noise = 0.01 * work.seed + 0.02 * (work.dataset == "peaks")
        value = 0.9 + noise + (0.0 if work.resolved.net.family == "resnet" else offset(work))
        return {
            "test_accuracy": value,
            "train_accuracy": value,
            "test_accuracy_at_best_validation": value,
            "parameters": 10.0,
            "steps": 5.0,
        }

    return entry


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (lambda work: 0.0, [HELD] * 6),
        (lambda work: -0.1, [REFUTED] * 6),
        (lambda work: -0.02 + 0.01 * (work.seed % 2), [OPEN] * 6),
        (lambda work: -0.1 * (work.resolved.config.depth < 64), [HELD] * 3 + [REFUTED] * 3),
    ],
)
def test_competitive_rests_on_paired_differences_by_data_set_and_depth(offset, expected):
    assert (
        states(claims.comparisons.verlet_is_competitive, results({"depth": accuracy(offset)}))
        == expected
    )


def test_networks_at_a_fixed_time_are_compared_where_it_is_20():
    def entry(work):
        is_bad = work.resolved.net.family == "verlet" and work.dataset in ("ellipses", "peaks")
        return accuracy(lambda work: -0.1 * is_bad)(work)

    found = list(
        claims.comparisons.competitive_at_fixed_time(results({"fixed_time": entry}, "full"))
    )
    assert [each.state for each in found] == [HELD, REFUTED, HELD, HELD, HELD, HELD]
    assert all("final time 20, mean of 4 to 16 layers" in each.label for each in found)


def test_networks_of_half_the_width_say_so():
    entry = chain_entry(lambda work: 0.1)
    found = results({"levels": entry})
    labels = [each.label for each in claims.training.prolonged_start_near(found)]
    assert [", half as wide" in label for label in labels] == [False, False, True, True]
    assert {
        (work.resolved.net.family, *work.resolved.net.widths)
        for work in PAPER.plan("full")["levels"]
    } == {("resnet", 4), ("antisymmetric", 4), ("verlet", 2), ("leapfrog_haber", 2)}


def test_a_diverged_network_counts_as_guessing():
    def entry(work):
        is_verlet = work.resolved.net.family == "verlet"
        return {"test_accuracy": math.nan} if is_verlet else accuracy(lambda work: 0.0)(work)

    found = results({"depth": entry})
    assert states(claims.comparisons.verlet_is_competitive, found) == [REFUTED] * 6
    assert states(claims.comparisons.leapfrog_is_competitive, found) == [HELD] * 6


@pytest.mark.parametrize(
    ("offset", "expected"),
    [
        (lambda work: 0.0, [HELD] * 6),
        (lambda work: -0.1 * (work.resolved.config.depth == 4), [HELD] * 3 + [REFUTED] * 3),
    ],
)
def test_image_networks_are_judged_at_the_deepest_and_below(offset, expected):
    assert states(claims.training.image_networks, results({"images": accuracy(offset)})) == expected


@pytest.mark.parametrize(("gain", "state"), [(0.01, HELD), (0.05, REFUTED), (0.02, OPEN)])
def test_the_race_is_judged_by_test_error_for_each_family(gain, state):
    def entry(race):
        noise = 0.002 * (race.seed % 2 - 0.5)
        offset = gain if race.family == "verlet" else 0.0
        return {"descent_test_error": 0.1 + offset + noise, "adam_test_error": 0.1}

    found = states(claims.training.race_on_swiss_roll, results({"race_swiss_roll": entry}))
    assert found == [state if family == "verlet" else HELD for family in FAMILIES]


def chain_entry(lost, last=0.97):
    """Runs that reach 97 % in the first epoch; a doubling costs `lost(work)` of the accuracy."""

    def entry(work):
        is_alone = work.resolved.config.levels == 0
        end = last if work.resolved.config.levels else 0.97
        curves = {
            "train_loss": np.array([0.2, 0.1] if is_alone else [0.15, 0.1]),
            "test_accuracy": np.array([0.5, 0.97] if is_alone else [end - lost(work), end]),
        }
        return {"epochs": 2.0, "test_accuracy": end}, curves

    return entry


def test_a_doubling_is_judged_where_it_costs_most_in_each_family():
    def lost(work):
        is_worst = work.resolved.net.family == "verlet" and work.resolved.config.levels == 1
        return 0.1 if is_worst else 0.01

    found = list(claims.training.prolonged_start_near(results({"levels": chain_entry(lost)})))
    expected = [REFUTED if family == "verlet" else HELD for family in FAMILIES]
    assert [each.state for each in found] == expected
    worst = found[FAMILIES.index("verlet")]
    assert worst.estimate.value == pytest.approx(-10.0)
    assert "16 to 32 layers" in worst.label


def test_work_by_levels_includes_all_coarser_levels():
    entry = chain_entry(lambda work: 0.1)
    found = list(
        claims.training.levels_save_work(results(dict.fromkeys(("levels", "scratch"), entry)))
    )
    # 16 and 32 layers for two epochs and 64 for one, against 64 for two
    assert [each.estimate.value for each in found] == pytest.approx([160 / 128] * 4)
    assert all("reached by 4 of 4 / 4 of 4 runs" in each.label for each in found)


def test_a_run_that_never_reached_the_target_leaves_the_ratio_open():
    slow, quick = chain_entry(lambda work: 0.1, last=0.9), chain_entry(lambda work: 0.1)
    found = list(claims.training.levels_save_work(results({"levels": slow, "scratch": quick})))
    assert {each.estimate.high for each in found} == {math.inf}
    assert {each.state for each in found} <= {OPEN, REFUTED}
    rows = pd.DataFrame({"seed": [0, 1], "work": [1.0, 1.1], "is_reached": [True, False]})
    done = rows.assign(is_reached=True, work=[3.0, 3.0])
    assert measures.work_ratio(done, rows).low == 0.0
    assert measures.work_ratio(done, done.assign(work=1.5)).low == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("gain", "expected"),
    [
        (lambda work: 1.0, [HELD] * 6),
        (lambda work: 2.0 if work.depth == 64 else 0.8, [REFUTED] * 3 + [HELD] * 3),
    ],
)
def test_sensitivities_are_judged_at_each_depth_of_deep_networks(gain, expected):
    def measured(work):
        is_resnet = work.training.resolved.net.family == "resnet"
        own = 1.0 if is_resnet else 0.9 * gain(work.training.resolved.config)
        noise = 1 + 0.01 * work.seed
        metrics = {"gain_median": own, "gain_largest": own, "relative_gain": own * noise}
        return metrics | {"training": work.training.name}

    found = results({"compared": accuracy(lambda work: 0.0), "perturbed": measured}, "full")
    deciding = [each for each in claims.comparisons.well_posed(found) if not each.is_condition]
    assert [each.state for each in deciding] == expected


@pytest.mark.parametrize(
    ("extra", "expected"),
    [(0.0, [HELD] * 6), (0.05, [REFUTED] * 6)],
)
def test_generalisation_gaps_are_compared_on_each_data_set(extra, expected):
    def entry(work):
        is_peaks_verlet = work.dataset == "peaks" and work.resolved.net.family != "resnet"
        return {"test_accuracy": 0.9, "train_accuracy": 0.91 + extra * is_peaks_verlet}

    found = results({"depth": entry})
    assert states(claims.comparisons.gap_on_peaks, found) == expected
    assert states(claims.comparisons.gap_on_ellipses, found) == states(
        claims.comparisons.gap_on_swiss_roll, found
    )
    assert states(claims.comparisons.gap_on_ellipses, found) == [HELD] * 6


def test_image_networks_on_digits_decide_nothing():
    (claim,) = (claim for claim in PAPER.claims if claim.id == "8")
    assert claim.data == ("mnist",)


def test_of_equal_settings_the_gentler_is_the_best():
    entry = {"rates": lambda work: {"validation_accuracy": 0.9}}
    table = figures.choices.rates_table(results(entry, "full"))
    assert set(table["best"]) == {min(RATE_GRID)}
    assert list(table["used"]) == [RATES[family] for family in FAMILIES]
    entry = {"penalties": lambda work: {"validation_accuracy": 0.9}}
    table = figures.choices.penalties_table(results(entry, "full"))
    assert set(table["best"]) == {max(PENALTY_GRID)}
    assert set(table["used"]) <= set(PENALTIES.values())


def test_the_deepest_networks_are_told_apart_by_what_is_changed():
    def entry(work):
        metrics = dict.fromkeys(("train_loss", "validation_accuracy", "test_accuracy"), 0.5)
        return metrics, {"train_loss": np.linspace(1, 0.1, 5)}

    table = figures.deepest.deepest_table(results({"deepest": entry}, "full"))
    assert list(table[table["net"] == "antisymmetric"]["changed"]) == [
        "nothing",
        "rate 0.01",
        "rate 0.1",
        "damping γ = 0.02",
        "a bias for each feature",
    ]


def test_planar_networks_of_a_plain_family_have_no_step():
    assert planar("swiss_roll", "plain", 4, 0, 1).resolved.options["net"]["family"] == "plain"


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_table_and_figure_is_made_from_the_committed_results(profile):
    found = Results(PAPER.plan(profile), ledger.read_ledger(RESULTS / profile))
    for display in (*PAPER.tables.values(), *PAPER.figures.values()):
        if is_complete(display, found):
            made = display.make(found.only(display.runs))
            assert not isinstance(made, pd.DataFrame) or len(made)
    plt.close("all")
