"""Chang et al. 2018: plan and criteria, on made-up results and on the committed ones."""

import math
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import compose, made_up, measured, same_by_command

from experiments.chang2018 import PAPER, claims, figures
from experiments.chang2018.published import TABLE
from experiments.chang2018.runs import (
    SMOOTHNESS,
    VARIANTS,
    few,
    few_digits,
    recipe,
    share,
    small,
    stl10,
)
from experiments.chang2018.studies.networks import SMALL, preset_options
from stablenets.claims import ledger
from stablenets.claims.criteria import HELD, OPEN, REFUTED
from stablenets.claims.pages import is_complete
from stablenets.claims.results import Results
from stablenets.config import resolve
from stablenets.training.network import build_network

RESULTS = Path(__file__).resolve().parents[3] / "results" / "chang2018"
results = partial(made_up, PAPER)


def states(check, found):
    """The states of the criteria of a check."""
    return [criterion.state for criterion in check(found)]


def test_figures_of_claims_exist():
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)


@pytest.mark.parametrize(
    ("profile", "groups"),
    [
        ("quick", ("digits", "few", "ablations", "digits_by_depth")),
        ("full", ("few", "tuning", "quarter", "cifar_search")),
        ("paper", ("recipe", "few", "recipe_cifar100", "recipe_1202", "stl10")),
    ],
)
def test_a_run_of_the_plan_is_what_its_command_makes(profile, groups):
    plan = PAPER.plan(profile, 1)
    same_by_command(plan[group][-1] for group in groups)


def test_settings_are_chosen_by_seeds_that_are_in_no_other_group():
    plan = PAPER.plan("full")
    chosen = [plan.pop(group) for group in ("tuning", "cifar_search")]
    others = {work.seed for works in plan.values() for work in works if work.seed is not None}
    assert min(work.seed for works in chosen for work in works) == 1000 > max(others)


def test_the_penalty_has_its_own_seeds():
    entry = {"ablations": lambda work: {"test_accuracy": 0.9}}
    rows = claims.with_variants(made_up(PAPER, entry, "full", None))
    assert rows.groupby("variant")["seed"].nunique().to_dict() == {
        name: 40 if name in ("as it is", "smooth in time") else 10
        for name in ("as it is", *VARIANTS)
    }


def test_the_small_nets_are_of_one_size():
    runs = [small(family, 0, 1).resolved for family in SMALL]
    sizes = [
        sum(parameter.numel() for parameter in build_network(run, run.dataset.facts).parameters())
        for run in runs
    ]
    assert max(sizes) < 1.035 * min(sizes)


def test_runs_on_few_images_have_the_share_and_the_steps_that_they_say():
    run = few("resnet_32", 5, 0, 1000).resolved
    assert round(0.9 * 50_000 * run.common.train_fraction) == 2500
    assert run.config.epochs * 25 == 1000
    assert round(1294 * few_digits("hamiltonian", 10, 0, 100).resolved.common.train_fraction) == 144
    assert share(20) == pytest.approx(0.2 / 0.9, rel=1e-6)


@pytest.mark.parametrize(
    "net", ["hamiltonian_74", "hamiltonian_218", "leapfrog_26", "midpoint_26", "resnet_32"]
)
def test_the_recipe_is_there_for_the_command_line(net):
    assert resolve(compose(f"experiment=chang2018/{net}")).name == recipe(net, "cifar10", 0).name


def test_the_recipe_of_stl10_is_there_too_and_has_its_steps():
    run = stl10(0).resolved
    assert resolve(compose("experiment=chang2018/stl10")).name == run.name
    assert run.config.epochs * math.ceil(5000 / run.config.batch) == 20_000


def test_the_penalty_is_the_papers():
    run = small("hamiltonian", 0, 1, optim={"smoothness": SMOOTHNESS}).resolved
    net = build_network(run, run.dataset.facts)
    papers = sum(
        2e-4 * parameter.diff(dim=0).square().sum() / run.config.h
        for unit in net.units
        for parameter in unit.parameters()
    )
    assert SMOOTHNESS * net.variation().item() == pytest.approx(papers.item(), rel=1e-6)


def test_half_a_per_cent_has_as_many_steps_as_other_shares():
    assert few("resnet_32", 0.5, 0, 20_000).resolved.config.epochs * 3 == pytest.approx(
        20_000, abs=3
    )


def test_the_recipe_has_the_papers_steps():
    run = recipe("hamiltonian_74", "cifar10", 0).resolved
    assert (run.config.epochs * 500, run.config.batch, run.config.optim.weight_decay) == (
        80_000,
        100,
        2e-4,
    )
    assert run.net.widths == preset_options("hamiltonian_74")["widths"]


def accuracy(of, noise=0.3):
    """Accuracies in per cent by run, with noise that pairs share but for a little."""

    def entry(work):
        run = work.resolved
        value = of(run) + noise * work.seed + 0.02 * (work.seed % 2) * ("re" in run.net.family)
        return {"test_accuracy": value / 100, "train_accuracy": 0.9, "steps": 400.0}

    return entry


def by_family(**values):
    return accuracy(lambda run: values.get(run.net.family, 80.0))


@pytest.mark.parametrize(
    ("ours", "expected"), [(80.0, [HELD] * 4), (79.0, [REFUTED] * 4), (85.0, [HELD] * 4)]
)
def test_on_par_rests_on_paired_differences_of_both_sizes(ours, expected):
    entry = by_family(hamiltonian=ours)
    found = results({"recipe": entry, "recipe_large": entry}, "paper")
    assert states(claims.on_par, found) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hamiltonian": 82.0, "leapfrog": 81.0}, [HELD, HELD]),
        ({"hamiltonian": 82.0, "leapfrog": 79.0}, [HELD, REFUTED]),
        ({"hamiltonian": 80.0, "leapfrog": 81.0}, [REFUTED, HELD]),
    ],
)
def test_the_order_needs_both_differences(values, expected):
    found = results({"quarter": by_family(**values)}, "full")
    assert states(claims.quarter_order, found) == expected
    found = results({"digits": by_family(**values)}, "quick")
    assert states(claims.digits_order, found) == expected


@pytest.mark.parametrize(
    ("ours", "noise", "seeds", "state"),
    [(95.0, 0.1, 3, HELD), (90.0, 0.1, 3, REFUTED), (91.0, 1.0, 3, OPEN), (95.0, 0.1, 1, OPEN)],
)
def test_an_accuracy_is_reached_by_the_whole_interval(ours, noise, seeds, state):
    entry = accuracy(lambda run: ours, noise)
    found = results({"recipe": entry}, "paper", seeds)
    assert states(claims.hamiltonian_74_on_cifar10, found) == [state]


def test_a_run_that_diverged_guessed():
    def entry(work):
        return {"test_accuracy": math.nan if work.resolved.net.family == "hamiltonian" else 0.8}

    gap = next(claims.quarter_on_cifar10(results({"quarter": entry}, "full"))).estimate
    assert gap.value == pytest.approx(10.0 - 80.0)


def test_points_of_unfitted_images_do_not_decide_few_data():
    def entry(work):
        run = work.resolved
        percent = 90 * run.common.train_fraction
        is_ahead = run.net.family == "hamiltonian" and percent < 9
        steps = run.config.epochs * math.ceil(500 * percent / 100)
        return {"test_accuracy": 0.5 + 0.1 * is_ahead + 1e-4 * work.seed, "steps": float(steps)}

    found = results({"few": entry}, "full", None)
    criteria = list(claims.few_data(found))
    assert len(criteria) == 6
    assert {criterion.state for criterion in criteria} == {HELD}
    assert set(claims.few_gaps(found)) == {
        *((400.0, percent) for percent in (1.0, 2.0, 5.0, 10.0)),
        *((1000.0, percent) for percent in (1.0, 5.0)),
        (2500.0, 5.0),
    }


def memory(kept=1.0, step=1.0):
    def bytes_kept(work):
        return {
            "bytes": 1e6
            * (kept ** (work.blocks > 2) if work.backward == "reverse" else work.blocks)
        }

    def at_peak(work):
        needs = 1e6 * step ** (work.blocks > 6) if work.backward == "reverse" else 1e6 * work.blocks
        weights = 10.0 * work.blocks
        return {"peak": needs + 1e6 + work.blocks, "start": 1e6 + work.blocks, "weights": weights}

    return results({"memory": bytes_kept, "peak": at_peak}, "quick")


@pytest.mark.parametrize(
    ("kept", "step", "expected"),
    [(1.0, 1.0, [HELD, HELD]), (1.0, 1.2, [HELD, REFUTED]), (1.2, 1.2, [REFUTED, REFUTED])],
)
def test_memory_is_judged_on_what_is_kept_and_on_the_step(kept, step, expected):
    assert states(claims.activation_memory, memory(kept, step)) == expected


@pytest.mark.parametrize(
    ("profile", "grown", "expected"),
    [("full", 1.0, [HELD, HELD]), ("full", 1e4, [REFUTED, HELD]), ("quick", 1.0, [HELD, REFUTED])],
)
def test_the_whole_peak_needs_hundreds_of_blocks(profile, grown, expected):
    def at_peak(work):
        return {"peak": 2e6 + grown * work.blocks, "start": 1e6, "weights": 10.0 * work.blocks}

    assert states(claims.whole_peak, results({"peak": at_peak}, profile)) == expected


@pytest.mark.parametrize(
    ("ratios", "state"),
    [
        ([1.3] * 7, HELD),
        ([1.3, 1.3, 1.3, 1.3, 1.3, 1.5, 1.5], OPEN),
        ([1.5] * 7, REFUTED),
        ([1.3, 1.3, 1.3], OPEN),
    ],
)
def test_noise_does_not_make_inversion_cheap(ratios, state):
    rounds = {"store": np.ones(len(ratios)), "reverse": np.array(ratios)}
    found = results({"overhead": lambda work: ({"reverse": 1.3}, rounds)})
    assert states(claims.overhead, found) == [state]


@pytest.mark.parametrize(
    ("deeper", "single", "expected"),
    [
        (18, 1e-3, [REFUTED, HELD]),
        (100, 1e-3, [HELD, HELD]),
        (100, 0.1, [HELD, REFUTED]),
    ],
)
def test_gradients_are_judged_by_precision_up_to_the_depth_of_the_table(deeper, single, expected):
    def difference(work):
        double = 1e-3 if work.blocks == deeper else 1e-13
        return {"difference": single if work.dtype == "float32" else double}

    assert states(claims.gradients, results({"gradients": difference}, "full")) == expected


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(0.0, [HELD, HELD]), (0.02, [HELD, REFUTED]), (-0.02, [REFUTED, HELD])],
)
def test_trainings_by_inversion_are_compared_on_both_sides(gap, expected):
    def entry(work):
        is_inverted = work.resolved.config.backward == "reverse"
        return {"test_accuracy": 0.9 + gap * is_inverted + 1e-4 * work.seed}

    found = results(dict.fromkeys(("inverted", "digits"), entry), "full")
    assert states(claims.trained_by_inversion, found) == expected


@pytest.mark.parametrize(
    ("ends", "expected"),
    [
        ({"largest": 1.0, "smallest": 1.0}, [HELD] * 6),
        ({"largest": 1.001, "smallest": 1.0}, [REFUTED, HELD] * 3),
        ({"largest": 1.0, "smallest": 0.5}, [REFUTED] * 6),
    ],
)
def test_eigenvalues_are_judged_on_both_sides_of_the_unit_circle(ends, expected):
    groups = ("eigenvalues", "trained_eigenvalues")
    found = results(dict.fromkeys(groups, lambda work: ends), "full")
    assert states(claims.stable, found) == expected


def few_accuracies(lead):
    """Hamiltonian ahead of ResNet by `lead` points, both better with the number of steps."""

    def entry(work):
        run = work.resolved
        percent = 90 * run.common.train_fraction
        steps = run.config.epochs * math.ceil(500 * percent / 100)
        ours = lead * (run.net.family == "hamiltonian")
        return {
            "test_accuracy": 0.5 + ours + 1e-4 * steps + 1e-4 * work.seed,
            "steps": float(steps),
        }

    return results({"few": entry}, "full", None)


@pytest.mark.parametrize(("lead", "expected"), [(0.05, [HELD] * 2), (0.02, [REFUTED] * 2)])
def test_the_lead_on_few_data_is_compared_with_half_of_the_papers(lead, expected):
    assert states(claims.few_data_lead, few_accuracies(lead)) == expected


@pytest.mark.parametrize(("lead", "expected"), [(0.3, [HELD] * 3), (0.02, [REFUTED] * 3)])
def test_at_equal_cost_resnet_has_more_steps(lead, expected):
    found = few_accuracies(lead)
    assert set(claims.few_gaps_at_equal_cost(found)) == {
        (1.0, 400.0, 1000.0),
        (5.0, 400.0, 1000.0),
        (5.0, 1000.0, 2500.0),
    }
    assert states(claims.few_data_at_equal_cost, found) == expected


def test_parameters_are_judged_by_kind_of_network():
    found = made_up(PAPER, {"counts": measured})
    assert states(claims.parameters, found) == [HELD, HELD, REFUTED]
    table = figures.reversibility.counts_table(found).set_index("net")
    assert (table["layouts that fit"] == "none").sum() == 4
    assert set(table.index) == {row.name for row in TABLE.values()}


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_table_and_figure_is_made_from_the_committed_results(profile):
    found = Results(PAPER.plan(profile), ledger.read_ledger(RESULTS / profile))
    for display in (*PAPER.tables.values(), *PAPER.figures.values()):
        if is_complete(display, found):
            made = display.make(found.only(display.runs))
            assert not isinstance(made, pd.DataFrame) or len(made.columns)
    plt.close("all")


def test_the_figures_of_runs_that_are_not_made_yet_can_be_drawn():
    def entry(work):
        metrics = {
            "test_accuracy": 0.9,
            "train_accuracy": 0.9,
            "parameters": 1.0,
            "steps": 20_000.0,
            "epochs": 40.0,
        }
        curves = {
            "epoch": np.array([2.0, 40.0]),
            "test_accuracy": np.array([0.6, 0.9]),
            "state_gradients": np.ones((2, 5)),
            "singular_values": np.ones((2, 1, 4)),
        }
        return metrics, curves

    found = results({"quarter": entry}, "full")
    assert len(figures.accuracy.quarter_table(found)) == 5
    assert len(figures.accuracy.quarter_ends_table(found)) == 5
    assert figures.accuracy.quarter_figure(found).axes
    plt.close("all")
