"""Chang et al. 2018: plan and criteria, on made-up results and on the committed ones."""

import math
from functools import partial
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from conftest import compose, made_up, measured, same_by_command

from experiments.chang2018 import PAPER, figures
from experiments.chang2018.claims import accuracy, counts, digits
from experiments.chang2018.networks import SMALL, preset_options
from experiments.chang2018.published import TABLE
from experiments.chang2018.trainings import (
    SMOOTH,
    SMOOTHNESS,
    VARIANTS,
    few,
    few_digits,
    recipe,
    share,
    small,
    stl10,
)
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
    rows = digits.with_variants(made_up(PAPER, entry, "full", None))
    assert rows.groupby("variant")["seed"].nunique().to_dict() == {
        name: 40 if name in ("as it is", SMOOTH) else 10 for name in ("as it is", *VARIANTS)
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


def accuracies(of, noise=0.3):
    """Accuracies in per cent by run, with noise that pairs share but for a little."""

    def entry(work):
        run = work.resolved
        value = of(run) + noise * work.seed + 0.02 * (work.seed % 2) * ("re" in run.net.family)
        return {"test_accuracy": value / 100, "train_accuracy": 0.9, "steps": 400.0}

    return entry


def by_family(**values):
    return accuracies(lambda run: values.get(run.net.family, 80.0))


@pytest.mark.parametrize(
    ("ours", "expected"), [(80.0, [HELD] * 4), (79.0, [REFUTED] * 4), (85.0, [HELD] * 4)]
)
def test_on_par_rests_on_paired_differences_of_both_sizes(ours, expected):
    entry = by_family(hamiltonian=ours)
    found = results({"recipe": entry, "recipe_large": entry}, "paper")
    assert states(accuracy.on_par, found) == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"hamiltonian": 82.0, "leapfrog": 81.0}, [HELD, HELD]),
        ({"hamiltonian": 82.0, "leapfrog": 79.0}, [HELD, REFUTED]),
        ({"hamiltonian": 80.0, "leapfrog": 81.0}, [REFUTED, HELD]),
    ],
)
def test_the_order_needs_both_differences(values, expected):
    found = results({"quarter_ordered": by_family(**values)}, "full")
    assert states(accuracy.quarter_order, found) == expected
    found = results({"digits": by_family(**values)}, "quick")
    assert states(digits.digits_order, found) == expected


@pytest.mark.parametrize(
    ("ours", "noise", "seeds", "state"),
    [(95.0, 0.1, 3, HELD), (90.0, 0.1, 3, REFUTED), (91.0, 1.0, 3, OPEN), (95.0, 0.1, 1, OPEN)],
)
def test_an_accuracy_is_reached_by_the_whole_interval(ours, noise, seeds, state):
    entry = accuracies(lambda run: ours, noise)
    found = results({"recipe": entry}, "paper", seeds)
    assert states(accuracy.hamiltonian_74_on_cifar10, found) == [state]


def test_a_run_that_diverged_guessed():
    def entry(work):
        return {"test_accuracy": math.nan if work.resolved.net.family == "hamiltonian" else 0.8}

    gap = next(accuracy.quarter_on_cifar10(results({"quarter_rivals": entry}, "full"))).estimate
    assert gap.value == pytest.approx(10.0 - 80.0)


def test_parameters_are_judged_by_kind_of_network():
    found = made_up(PAPER, {"counts": measured})
    assert states(counts.parameters, found) == [REFUTED, HELD, REFUTED]
    table = figures.counts.counts_table(found).set_index("net")
    for net in ("MidPoint-26", "Leapfrog-26"):
        ours, theirs = table.loc[net, ["as trained", "paper, 10 classes"]]
        assert f"{ours} million parameters, those of the paper {theirs} million" in accuracy.SIZES
    assert (table["layouts that fit"] == "none").sum() == 4
    assert set(table.index) == {row.name for row in TABLE.values()}


@pytest.mark.parametrize(("own_layouts", "state"), [({}, HELD), ({"hamiltonian_74": 1}, REFUTED)])
def test_one_layout_must_have_the_counts_of_all_networks_of_a_kind(own_layouts, state):
    def stated(work):
        layouts = ["before_first_block", "after_first_block"]
        first = "strided_first_block" if work.net.startswith("re") else layouts[0]
        layout = layouts[own_layouts[work.net]] if work.net in own_layouts else first
        fits = work.transition == layout and work.block_norm in ("", "none")
        texts = zip(("cifar10", "cifar100"), TABLE[work.net].parameters, strict=True)
        return {data: float(text or 0) * 1e6 if fits else 0.0 for data, text in texts}

    criterion, *others = counts.parameters(made_up(PAPER, {"counts": stated}))
    assert criterion.state == state
    assert "best of 6 layouts" in criterion.label
    assert "their only layout" in others[0].label
    assert {other.state for other in others} == {HELD}


@pytest.mark.parametrize(
    ("groups", "deepest"),
    [(("memory",), None), (("peak",), 60), (("memory", "peak", "memory_limit"), 200)],
)
def test_memory_is_drawn_from_the_runs_that_are_made(groups, deepest):
    def entry(work):
        return {"bytes": 1e9, "peak": 2e9 * work.blocks, "start": 1e9, "weights": 1e6}

    found = results(dict.fromkeys(("memory", "peak", "memory_limit"), entry), "full")
    made = {work.name for group in groups for work in found.plan[group]}
    kept = {name: entry for name, entry in found.ledger.items() if name in made}
    _, bottom = figures.memory.memory_figure(Results(found.plan, kept)).axes
    ends = {line.get_label(): max(line.get_xdata(), default=0) for line in bottom.get_lines()}
    assert ends.get("store") == deepest
    plt.close("all")


def test_digits_are_drawn_as_they_are_judged():
    found = results({"digits": by_family(hamiltonian=82.0, leapfrog=81.0)}, "quick")
    (axes,) = figures.digits.digits_figure(found).axes
    criteria = [*digits.digits_on_par(found), *digits.digits_order(found)]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels == [criterion.label for criterion in criteria]
    plt.close("all")


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
    for name in ("quarter", "quarter_ordered", "quarter_cifar100"):
        figure = PAPER.figures[name]
        (axes,) = figure.make(results(dict.fromkeys(figure.runs, entry), "full", None)).axes
        labels = [line.get_label() for line in axes.get_lines() if "seed" in line.get_label()]
        assert len(labels) == 3
        seeds = "1 seed" if name == "quarter_cifar100" else "3 seeds"
        assert all(label.endswith(f", {seeds}") for label in labels)
    plt.close("all")


def test_settings_of_networks_without_a_table_are_planned():
    found = Results(PAPER.plan("full"), ledger.read_ledger(RESULTS / "full"))
    table = figures.tuning.tuning_table(found.only(PAPER.tables["tuning"].runs))
    planned = table[table["used"] == "planned"]
    assert set(planned["data"]) == {"CIFAR-10"}
    assert set(planned["net"]) == {"Leapfrog-26", "MidPoint-26"}
    assert set(table["net"][table["used"] == "yes"]) >= {"Hamiltonian-74", "ResNet-32"}


@pytest.mark.parametrize(("blocks", "is_drawn"), [(54, True), (300, False)])
def test_an_arrow_says_at_which_h_a_line_leaves_the_axis(blocks, is_drawn):
    def entry(work):
        grows = work.net == "midpoint" and work.h == 0.1 and work.blocks > blocks
        return {"first": 0.0, "growth": 1e30 if grows else 1.0}

    (axes,) = figures.stability.growth_figure(results({"inverse": entry}, "quick")).axes
    assert [text.get_text() for text in axes.texts] == ["h = 0.1 ↑"] * is_drawn
    plt.close("all")


@pytest.mark.parametrize(
    ("profile", "exact", "apart"), [("quick", [2, 5, 20], []), ("full", [2, 5, 10], [1, 1, 5, 5])]
)
def test_only_points_of_one_percentage_are_drawn_side_by_side(profile, exact, apart):
    found = Results(PAPER.plan(profile), ledger.read_ledger(RESULTS / profile))
    (axes,) = figures.few_data.few_figure(found.only(["few"])).axes
    drawn = [bars[0].get_xdata() for bars in axes.containers]
    places = np.sort(np.concatenate(drawn).astype(float))
    is_exact = np.abs(places / np.round(places) - 1) < 1e-9
    assert places[is_exact] == pytest.approx(exact)
    assert places[~is_exact] == pytest.approx(apart, rel=0.1)
    plt.close("all")
