"""Galimberti et al. 2023: plan and criteria, on made-up results and on the committed ones."""

from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import made_up, same_by_command

from experiments.galimberti2023 import PAPER, figures
from experiments.galimberti2023 import measures as shared
from experiments.galimberti2023.claims import (
    accuracy,
    deep_networks,
    sensitivities,
    table_1,
    training,
)
from experiments.galimberti2023.networks import EULER, NETWORKS, PLAIN, RANDOM_X, SINGULAR_X
from experiments.galimberti2023.published import COLUMNS, TABLE_1
from experiments.galimberti2023.runs import IMAGE_RATES, PLANAR_RATES, RING_GRID, TIME_GRID
from experiments.galimberti2023.studies.alternating import ALPHA
from experiments.galimberti2023.trainings import IMAGE_SETTINGS, PLANAR_SETTINGS, RING_SETTINGS
from stablenets.claims import ledger
from stablenets.claims.criteria import HELD, OPEN, REFUTED, UNDECIDED, decide_verdict
from stablenets.claims.pages import is_complete
from stablenets.claims.results import Results

RESULTS = Path(__file__).resolve().parents[3] / "results" / "galimberti2023"
TUNING_GROUPS = ("tuning", "rate_tuning", "ring_tuning", "image_tuning")
results = partial(made_up, PAPER)


def states(check, found):
    """The states of the criteria of a check."""
    return [criterion.state for criterion in check(found)]


def test_settings_are_chosen_by_seeds_that_are_in_no_other_group():
    plan = PAPER.plan("full")
    tuning = [plan.pop(group) for group in TUNING_GROUPS]
    others = {work.seed for works in plan.values() for work in works if work.seed is not None}
    assert min(work.seed for works in tuning for work in works) == 100 > max(others)
    assert set(RING_SETTINGS.values()) <= set(RING_GRID)
    chosen = [setting for nets in PLANAR_SETTINGS.values() for setting in nets.values()]
    assert {T for T, _ in chosen} <= set(TIME_GRID)
    assert {rate for _, rate in chosen} <= set(PLANAR_RATES)
    assert {rate for rate, _ in IMAGE_SETTINGS.values()} <= set(IMAGE_RATES)


def test_figures_of_claims_exist():
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("full", 1)
    same_by_command(plan[group][-1] for group in ("table", "images", "ring", "deep"))


def defects(layer=1e-16, product=1e-15, trained=1e-15, wrong=0.3):
    def entry(product):
        def metrics(work):
            is_told = getattr(work, "net", "H2") in (RANDOM_X, SINGULAR_X)
            return {
                "layer": layer,
                "product": product,
                "wrong_transpose": wrong if is_told else 1e-15,
                "determinant": 1e-16,
            }

        return metrics

    return results({"symplectic": entry(product), "trained": entry(trained)})


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        ({}, [HELD] * 4),
        ({"trained": 1e-3}, [HELD, HELD, REFUTED, HELD]),
        ({"layer": 1e-3}, [REFUTED, HELD, REFUTED, HELD]),
        ({"wrong": 1e-15}, [HELD, HELD, HELD, REFUTED]),
    ],
)
def test_symplecticity_is_judged_before_and_after_training(found, expected):
    assert states(sensitivities.symplectic, defects(**found)) == expected


def spread(work):
    inflates = 0.3 * work.h if work.net in EULER else 1e-16
    metrics = {"norm": 2.0, "lowest": 1.0, "log10_determinant": inflates}
    if work.net == PLAIN:
        return metrics
    is_canonical = work.net in ("H2", "MS3")
    scaled = 1e-16 if is_canonical else 0.1
    return metrics | {"smallest": 0.5, "pair": 1.0, "defect": scaled, "scaled_defect": scaled}


def test_volume_tells_the_networks_apart():
    found = results(dict.fromkeys(("steps", "depths", "longer"), spread))
    assert states(sensitivities.volume, found) == [HELD] * 4
    table = figures.sensitivities.depths_table(found)
    assert set(table["fixed"]) == {"final time 1.2", "step 0.1"}


@pytest.mark.parametrize(
    ("lowest", "end", "test", "bound", "plain"),
    [
        (1.0, 1e-10, 0.5, [HELD] * 4, [HELD, HELD, HELD]),
        (0.9, 1e-10, 0.5, [HELD, HELD, REFUTED, REFUTED], [HELD, HELD, HELD]),
        (1.0, 0.1, 0.9, [HELD] * 4, [REFUTED, REFUTED, HELD]),
    ],
)
def test_the_bound_and_the_plain_net_are_two_claims(lowest, end, test, bound, plain):
    def through(work):
        return {"lowest": lowest, "end": end, "test_accuracy": test}

    found = results({"depths": lambda work: {"lowest": 1.0}, "through": through})
    assert states(sensitivities.bounded_below, found) == bound
    assert states(sensitivities.plain_vanishes, found) == plain


def test_one_run_of_the_plain_net_decides_nothing():
    entry = {"lowest": 1.0, "end": 1e-10, "test_accuracy": 0.5}
    found = results({"through": lambda work: entry}, "full", 1)
    criteria = tuple(sensitivities.plain_vanishes(found))
    assert decide_verdict(criteria) == UNDECIDED


def test_the_plain_net_is_judged_for_each_start():
    """One run that trains is enough to refute that none does, whatever the mean is."""

    def entry(work):
        trains = work.orthogonal and work.seed == 1
        return {"end": 1e-20, "test_accuracy": 0.87 if trains else 0.5}

    found = results({"plain_variants": entry}, "full", 5)
    assert states(sensitivities.plain_fails_without_penalty, found) == [HELD] * 3
    criteria = list(sensitivities.plain_fails_from_orthogonal_weights(found))
    assert [each.state for each in criteria] == [HELD, REFUTED, HELD]
    assert "1 of 5 runs above 60 %" in criteria[1].label


def one_run_of_forty(work):
    return 40.0 if work.seed == 0 else 15.0


@pytest.mark.parametrize(
    ("highest", "lowest", "typical", "every"),
    [
        (lambda work: 15.0, 1.0, [HELD, HELD], [HELD, HELD, HELD]),
        (one_run_of_forty, 1.0, [HELD, HELD], [REFUTED, HELD, HELD]),
        (lambda work: 40.0, 1.0, [REFUTED, HELD], [REFUTED, HELD, HELD]),
        (lambda work: 15.0, 0.9, [HELD, REFUTED], [HELD, REFUTED, HELD]),
    ],
)
def test_the_stated_range_is_for_typical_runs_and_for_all(highest, lowest, typical, every):
    """They are two claims: the paper shows one run."""

    def entry(work):
        return {"mean_highest": highest(work), "mean_lowest": lowest}

    found = results({"through": entry}, "full", 12)
    assert states(training.typical_run_stays_in_range, found) == typical
    assert states(training.all_runs_stay_in_range, found) == every


def controlled(T=1.0, alpha=1.0, strong=1.0, decay=1.0, typical=0.5, cost=0.0):
    """Largest norms that each setting multiplies by so much, beside noise that pairs share."""

    def entry(work):
        highest = 50.0 + 5 * work.seed
        highest *= T if work.T > 0.8 else 1.0
        highest *= alpha if work.alpha == ALPHA else strong if work.alpha > 0.01 else 1.0
        highest *= decay if work.weight_decay > 0 else 1.0
        accuracy = 1.0 - cost * (work.weight_decay > 0)
        end = (5.0 + work.seed) * (typical if work.weight_decay > 0 else 1.0)
        return {"highest": highest, "test_accuracy": accuracy, "end": end}

    return results({"control": entry}, "full", 5)


@pytest.mark.parametrize(
    ("check", "found", "expected"),
    [
        (training.decay_limits_norms, {"decay": 0.5}, [HELD] * 6),
        (training.decay_limits_norms, {"decay": 0.5, "cost": 0.14}, [HELD, HELD, REFUTED] * 2),
        (training.decay_limits_norms, {"decay": 2.0}, [REFUTED, HELD, HELD] * 2),
        (
            training.decay_limits_norms,
            {"decay": 0.5, "typical": 1.5},
            [HELD, REFUTED, HELD] * 2,
        ),
        (training.change_penalty_limits_norms, {"alpha": 0.5}, [HELD]),
        (training.change_penalty_limits_norms, {"strong": 0.5}, [REFUTED]),
        (training.strong_penalty_limits_norms, {"strong": 0.5}, [HELD]),
        (training.strong_penalty_limits_norms, {"alpha": 0.5}, [REFUTED]),
        (training.time_raises_norms, {"T": 2.0}, [HELD]),
        (training.time_raises_norms, {"T": 0.5}, [REFUTED]),
    ],
)
def test_control_is_judged_seed_by_seed(check, found, expected):
    assert states(check, controlled(**found)) == expected


def grown(power, by_epsilon=0.0):
    def entry(work):
        norms = np.linspace(0.01, 1, 100) ** power * work.T**power * work.epsilon**by_epsilon
        quarters = {f"quarter_{number}": norms[25 * number - 1] for number in range(1, 5)}
        return quarters | {"determinant": 1.0, "length": 1.0}, {"norms": norms}

    return results({"counterexample": entry}, "full")


@pytest.mark.parametrize(
    ("power", "by_epsilon", "expected"),
    [
        (1.0, 0.0, [HELD, HELD, HELD, HELD]),
        (0.5, 0.0, [REFUTED, HELD, HELD, HELD]),
        (1.5, 0.0, [HELD, REFUTED, HELD, HELD]),
        (1.0, 0.5, [HELD, HELD, REFUTED, HELD]),
    ],
)
def test_growth_is_linear_and_the_same_at_each_epsilon(power, by_epsilon, expected):
    assert states(sensitivities.counterexample, grown(power, by_epsilon)) == expected


def planar_accuracy(ours=0.0, rise=0.0):
    """Accuracies of Table 1, and for H2 100 %, changed by so many points."""

    def entry(work):
        name = shared.with_names(
            pd.DataFrame(
                {
                    "net.family": [work.resolved.net.family],
                    "net.interconnection": [work.options.get("net.interconnection")],
                    "depth": [work.resolved.config.depth],
                }
            )
        )["net"].iloc[0]
        depth = work.resolved.config.depth
        stated = dict(zip(COLUMNS, TABLE_1[work.dataset, depth], strict=True)).get(name, 100.0)
        value = stated + ours + rise * depth + 0.01 * work.seed
        return {"test_accuracy": min(value, 100.0) / 100}

    return results({"table": entry}, "full", 8)


@pytest.mark.parametrize(("ours", "state"), [(0.0, HELD), (-2.0, REFUTED)])
@pytest.mark.parametrize(
    "check",
    [
        table_1.deep_reach_table_1,
        table_1.shallow_reach_table_1_on_swiss_roll,
        table_1.shallow_reach_table_1_on_double_moons,
    ],
)
def test_the_cells_of_table_1_are_compared(check, ours, state):
    assert states(check, planar_accuracy(ours)) == [state] * len(COLUMNS)


def test_a_network_is_judged_at_its_worst_depth():
    """One point less for each layer: the swiss roll misses Table 1 at eight layers first."""
    found = planar_accuracy(rise=-0.2)
    criteria = list(table_1.shallow_reach_table_1_on_swiss_roll(found))
    assert all("where it is lowest (layers: 8)" in each.label for each in criteria)
    assert {each.state for each in criteria} == {REFUTED}


@pytest.mark.parametrize(
    ("ours", "expected"),
    [
        (0.0, [HELD, HELD, HELD]),
        (-3.0, [HELD, REFUTED, REFUTED]),
        (3.0, [REFUTED, HELD, REFUTED]),
    ],
)
def test_table_1_is_compared_on_both_sides(ours, expected):
    """Cells at 100 % in the table cannot be above it, so the smallest difference stays at 0."""
    criteria = list(table_1.equals_table_1(planar_accuracy(ours)))
    assert [each.state for each in criteria] == expected
    assert criteria[-1].estimate.n == len(TABLE_1) * len(COLUMNS)


@pytest.mark.parametrize("profile", ["smoke", "full"])
def test_image_networks_are_judged_at_each_depth(profile):
    """From four layers on, or at the largest depth; by the last iterate."""

    def entry(work):
        is_short = work.resolved.config.depth == 8
        last = (0.96 if is_short else 0.98) + 1e-4 * work.seed
        return {"test_accuracy": last, "test_accuracy_at_best_validation": 0.5}

    found = results({"images": entry}, profile, 3)
    judged = [each for each in accuracy.h1_j2_on_mnist(found) if not each.is_condition]
    expected = [HELD, REFUTED, HELD] if profile == "full" else [HELD]
    assert [each.state for each in judged] == expected


@pytest.mark.parametrize(("ours", "state"), [(0.0, HELD), (-0.02, REFUTED)])
def test_the_authors_method_is_compared_with_table_1(ours, state):
    def entry(work):
        row = TABLE_1[work.dataset, work.layers]
        stated = dict(zip(COLUMNS, row, strict=True)).get(work.net, 100.0)
        return {"test_accuracy": stated / 100 + ours}

    found = results({"alternating": entry}, "full", 8)
    for check in (
        table_1.alternating_reaches_table_1_on_swiss_roll,
        table_1.alternating_reaches_table_1_on_double_moons,
    ):
        assert states(check, found) == [state] * len(COLUMNS)


def test_cells_that_the_authors_code_reaches_are_counted(monkeypatch):
    (found,) = table_1.authors_code_reaches_table_1(results({}, "full"))
    assert (found.estimate.n, found.state) == (40, REFUTED)
    monkeypatch.setattr(table_1, "AUTHORS_CODE", TABLE_1)
    (found,) = table_1.authors_code_reaches_table_1(results({}, "full"))
    assert (found.estimate.value, found.state) == (40, HELD)


def test_accuracy_is_to_rise_and_leads_are_paired():
    found = planar_accuracy()
    assert states(table_1.accuracy_rises, found)[:4] == [HELD] * 4
    assert states(table_1.leads_on_swiss_roll, found) == [HELD] * 6
    assert states(table_1.leads_on_double_moons, found) == [HELD] * 6
    fallen = planar_accuracy(rise=-0.5)
    assert REFUTED in states(table_1.accuracy_rises, fallen)


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(5.0, HELD), (-1.0, HELD), (-5.0, REFUTED), (None, OPEN)],
)
@pytest.mark.parametrize("is_chosen", [True, False])
def test_the_ring_is_within_two_points(gap, expected, is_chosen):
    """The two settings of step and rate are two claims."""

    def ring(work):
        graph = work.resolved.dynamics.graph
        setting = (work.resolved.config.h, work.resolved.config.optim.lr)
        is_own = setting == RING_SETTINGS[work.dataset, graph]
        points = 10.0 * (-1) ** work.seed if gap is None else gap
        value = 0.90 + 1e-3 * work.seed
        if graph == "ring" and is_own == is_chosen:
            value += points / 100
        return {"test_accuracy": value, "test_accuracy_at_best_validation": value}

    local = {"half_hops": 2.0, "backward_hops": 2.0, "outside": 0.0, "outside_gradients": 0.0}
    found = results({"ring": ring, "reach": lambda work: local}, "full")
    chosen = [expected if is_chosen else HELD] * 4
    assert states(accuracy.distributed, found) == chosen + [HELD] * 2
    authors = [HELD if is_chosen else expected] * 4
    assert states(accuracy.distributed_at_the_authors_step, found) == authors
    wide = results({"ring": ring, "reach": lambda work: local | {"half_hops": 3.0}}, "full")
    assert states(accuracy.distributed, wide)[-1] == REFUTED


@pytest.mark.parametrize(
    ("test", "smallest", "grows", "expected"),
    [
        (0.99, 1.0, False, [HELD, HELD, HELD]),
        (0.5, 1.0, False, [REFUTED, HELD, HELD]),
        (0.99, 1e-3, False, [HELD, REFUTED, HELD]),
        (0.99, 1.0, True, [HELD, HELD, REFUTED]),
    ],
)
def test_a_deep_net_is_to_train_with_gradients_and_flat_memory(test, smallest, grows, expected):
    curve = {"state_gradients": np.array([[smallest, 2, 1.5, 1]] * 2)}
    found = results(
        {
            "deep": lambda work: ({"test_accuracy": test}, curve),
            "memory": lambda work: {
                "bytes": 2000.0 * (work.layers if grows or work.backward != "reverse" else 1)
            },
        },
        "full",
    )
    assert states(deep_networks.deep, found) == [*expected, HELD]


@pytest.mark.parametrize(
    ("values", "chosen"), [([0.5, 1.0, 2.0], 1.0), ([0.5, 1.0], 0.5), ([2.0], 2.0)]
)
def test_of_several_best_settings_the_middle_one_is_taken(values, chosen):
    assert figures.accuracy.middle(values) == chosen


def test_every_name_is_the_papers():
    plan = PAPER.plan("quick", 1)
    found = results({"table": lambda work: {"test_accuracy": 1.0}}, "quick", 1)
    assert len(shared.with_names(found["table"])["net"].unique()) == len(NETWORKS)
    assert len(plan["table"]) == len(found["table"])


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_table_and_figure_is_made_from_the_committed_results(profile):
    found = Results(PAPER.plan(profile), ledger.read_ledger(RESULTS / profile))
    for display in (*PAPER.tables.values(), *PAPER.figures.values()):
        if is_complete(display, found):
            made = display.make(found.only(display.runs))
            assert not isinstance(made, pd.DataFrame) or len(made)
    plt.close("all")
