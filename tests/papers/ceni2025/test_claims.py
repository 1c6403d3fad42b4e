"""Ceni 2025: plan and criteria, on made-up results and on the committed ones."""

import math
from functools import partial
from itertools import combinations
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import torch
from conftest import made_up, same_by_command
from matplotlib.text import Text

from experiments.ceni2025 import PAPER, figures, rows
from experiments.ceni2025.claims import depth, filters, memory, pixels, updates
from experiments.ceni2025.rows import power_text
from experiments.ceni2025.studies.spectra import TIED
from experiments.ceni2025.trials import VARIED
from stablenets.claims import ledger
from stablenets.claims.criteria import HELD, OPEN, REFUTED
from stablenets.claims.grid import PROFILES
from stablenets.claims.ledger import Entry
from stablenets.claims.pages import is_complete
from stablenets.claims.results import Results
from stablenets.claims.work import Training, in_dependency_order
from stablenets.plotting.style import PAPER_STYLE
from stablenets.training.network import build_network

RESULTS = Path(__file__).resolve().parents[3] / "results" / "ceni2025"
TUNING = ("search", "sensitivity", "rates", "memory_rates", "deep_rates", "devised_rates")
results = partial(made_up, PAPER, seeds=3)


def states(check, found):
    """The states of the deciding criteria, then those of the conditions."""
    criteria = sorted(check(found), key=lambda criterion: criterion.is_condition)
    return [criterion.state for criterion in criteria]


@pytest.mark.parametrize("profile", PROFILES)
def test_every_run_of_the_plan_is_in_it_once(profile):
    works = in_dependency_order(list(PAPER.plan(profile, 2).values()))
    assert len({work.name for work in works}) == len(works)


def test_figures_of_claims_exist():
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)


def test_settings_are_chosen_by_seeds_that_are_in_no_other_group():
    plan = PAPER.plan("full")
    tuning = [plan.pop(group) for group in TUNING]
    others = {work.seed for works in plan.values() for work in works if work.seed is not None}
    assert min(work.seed for works in tuning for work in works) == 100 > max(others)
    assert len(PAPER.plan("full")["search"]) == 41


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("full", 1)
    groups = (
        *("deep", "deep_baselines", "no_layers", "frozen_layers", "longer", "deep_rates"),
        *("adding", "copy_others", "unclipped", "near_convex", "short_budget", "readout_only"),
        *("chrono", "filters", "ten_epochs", "hidden_frozen", "hidden_others", "sensitivity"),
        *("search", "rates", "devised_rates", "first_devised"),
    )
    same_by_command(plan[group][-1] for group in groups)


def test_networks_that_are_compared_have_the_same_budget():
    plan = PAPER.plan("full")

    def epochs(*groups):
        return {
            work.resolved.config.epochs
            for group in groups
            for work in plan[group]
            if (work.dataset, work.resolved.dataset.length) == ("copy", 10_000)
        }

    assert epochs("copy", "copy_others", "near_convex", "readout_only", "chrono") == {16}
    assert epochs("short_budget") == {8}
    widths = {work.resolved.net.family: work.resolved.net.widths[0] for work in plan["rates"]}
    assert widths["roarnn"] == widths["rnn"] > widths["gru"] > widths["lstm"]


def test_no_filter_counts_twice():
    """`haar_fixed_axis` is Haar's draw of the same seed, if that has the eigenvalue 1."""
    found = []
    for work in PAPER.plan("full")["filters"]:
        torch.manual_seed(work.seed)
        found.append(build_network(work.resolved, work.resolved.dataset.facts).units[0].O)
    assert not any(torch.allclose(one, other) for one, other in combinations(found, 2))


def spectra(smallest=-0.4, identity=0.5, inside=1e-6, low=-9.0):
    """Spectra from `smallest` to 0, wider with the identity."""

    def entry(work):
        wider = identity if work.case.startswith("identity") else 0.0
        values = {"smallest": smallest - wider, "largest": -300.0 if "0.01" in work.case else 0.0}
        bounds = {"low": low, "high": 9.0, "limit_low": -9.0, "limit_high": 9.0}
        return values | bounds | {"inside": inside}

    return entry


def trained(smallest=-0.4):
    def entry(work):
        return spectra(smallest)(type("Case", (), {"case": "random"}))

    return entry


def of_spectra(profile="full", after=-0.4, **arguments):
    groups = {"trained_deep": trained(after), "trained_recurrent": trained(after)}
    return results({"spectra": spectra(**arguments)} | groups, profile)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [HELD] * 5),
        ({"inside": -1e-3}, [REFUTED, HELD, HELD, HELD, HELD]),
        ({"low": -0.3}, [HELD, REFUTED, HELD, HELD, HELD]),
    ],
)
def test_bounds_are_checked_by_step_and_for_all_steps(arguments, expected):
    assert states(depth.bounds_hold, of_spectra(**arguments)) == expected


@pytest.mark.parametrize(
    ("profile", "smallest", "deep", "state"),
    [("full", -0.4, HELD, HELD), ("full", -1.1, HELD, REFUTED), ("quick", -0.4, REFUTED, HELD)],
)
def test_singular_values_are_judged_at_50_000_layers(profile, smallest, deep, state):
    found = of_spectra(profile, after=smallest, smallest=smallest)
    assert states(depth.singular_values_keep_their_size, found) == [state] * 5 + [deep]
    nets = rows.trained_rows(found)["net"].nunique()
    # one seed of each network was trained
    assert states(depth.trained_values_keep_their_size, found) == [OPEN] * nets + [deep]


def test_a_singular_value_that_is_too_small_to_be_known_has_vanished():
    entry = spectra()
    unknown = results({"spectra": lambda work: entry(work) | {"smallest": math.nan}}, "full")
    assert REFUTED in states(depth.singular_values_keep_their_size, unknown)


def test_a_fixed_beta_is_judged_by_the_largest_singular_value():
    assert states(depth.fixed_beta_vanishes, of_spectra()) == [HELD]


@pytest.mark.parametrize(
    ("smallest", "identity", "tight", "ahead"),
    [
        (-0.01, 0.5, HELD, HELD),
        (-0.4, 0.5, REFUTED, HELD),
        (-0.4, 0.1, REFUTED, REFUTED),
        (-0.01, 0.0, HELD, REFUTED),
    ],
)
def test_isometry_is_judged_with_one_w_and_with_many_at_three_widths(
    smallest, identity, tight, ahead
):
    def by_size(work):
        wider = identity if work.filter == "identity" else 0.0
        return {"smallest": smallest - wider, "median": smallest / 2, "largest": 0.0}

    found = results({"spectra": spectra(smallest, identity), "spectra_by_size": by_size}, "full")
    assert states(filters.nearly_isometric, found) == [tight] * 6
    assert states(filters.random_beats_identity, found) == [ahead] * 3
    assert states(filters.random_beats_identity_with_one_w, found) == [ahead] * 3


def test_a_random_filter_can_be_ahead_with_one_w_only():
    def entry(work):
        is_wide = work.case == f"identity{TIED}"
        return spectra(-0.01, 0.5 if is_wide else 0.0)(work)

    def by_size(work):
        is_wide = work.filter == "identity" and work.is_tied
        return {"smallest": -0.5 if is_wide else -0.01, "median": 0.0, "largest": 0.0}

    found = results({"spectra": entry, "spectra_by_size": by_size}, "full")
    assert states(filters.random_beats_identity, found) == [REFUTED] * 3
    assert states(filters.random_beats_identity_with_one_w, found) == [HELD] * 3


def test_the_level_of_the_singular_values_is_judged_by_c():
    def by_size(work):
        level = -work.c * math.log10(math.e) * (1.5 if work.c == 2 else 1.0)
        return {"smallest": level, "median": level, "largest": level}

    found = results({"spectra_by_size": by_size}, "full")
    assert states(filters.level_is_exponential, found) == [HELD, HELD, HELD, REFUTED]


def deep(ours=0.9, alone=0.8, loss=0.3, vanishing=1.0):
    """Deep networks; those whose layers are missing or frozen have the accuracy `alone`."""

    def entry(work):
        kind = rows.deep_kind(work)
        right = alone if kind in ("none", "frozen") else ours
        right += 0.001 * work.seed**2 - 0.0005 * (kind != "roamlp") * work.seed
        metrics = {"test_accuracy": right, "train_loss": loss, "steps": 20.0, "parameters": 10.0}
        gradients = np.array([[vanishing, 1.0, 1.0]] * 2)
        curve = np.array([0.5, right])
        return metrics, {
            "state_gradients": gradients,
            "steps": np.arange(2),
            "test_accuracy": curve,
        }

    return entry


def of_deep(profile="full", count=3, **arguments):
    groups = ("deep", "no_layers", "frozen_layers", "deep_baselines", "longer")
    return made_up(PAPER, dict.fromkeys(groups, deep(**arguments)), profile, count)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({}, [HELD] * 6),
        ({"alone": 0.95}, [REFUTED, HELD, HELD, HELD, HELD, HELD]),
        ({"ours": 0.1, "alone": 0.5, "loss": 2.3}, [REFUTED] * 3 + [HELD] * 3),
        ({"vanishing": 1e-4}, [HELD, HELD, HELD, HELD, REFUTED, HELD]),
        ({"profile": "quick"}, [HELD, HELD, HELD, REFUTED, HELD, HELD]),
        ({"count": 1}, [OPEN, OPEN, HELD, HELD, OPEN, HELD]),
    ],
)
def test_a_deep_network_is_judged_beside_none(arguments, expected):
    assert states(depth.deep_network_trains, of_deep(**arguments)) == expected


def test_layers_are_judged_beside_frozen_ones_and_beside_a_resnet():
    assert states(depth.layers_learn, of_deep()) == [HELD, HELD]
    assert states(depth.layers_learn, of_deep(alone=0.95)) == [REFUTED, REFUTED]
    assert states(depth.tanh_layers_learn, of_deep()) == [HELD]
    assert states(depth.tanh_layers_learn, of_deep(alone=0.95)) == [REFUTED]
    # one ResNet of 50,000 layers was trained
    assert states(depth.ahead_of_resnet, of_deep())[0] == OPEN


def learning(last):
    """Memory runs that come to an error of `last(work)` in three epochs."""

    def entry(work):
        end = last(work)
        loss = np.array([1.0, (1.0 + end) / 2, end])
        outputs = work.resolved.dataset.length + 20
        accuracy = 1 - loss * 10 / outputs if work.dataset == "copy" else np.full(3, np.nan)
        curves = {"loss": loss, "accuracy": accuracy}
        arrays = {
            f"{split}_{name}": value
            for split in ("validation", "test")
            for name, value in curves.items()
        }
        steps = {"step": np.array([10.0, 20.0, 30.0]), "train_loss": loss}
        return {"steps": 30.0, "parameters": 10.0}, arrays | steps

    return entry


def of_memory(last, alone=0.5, profile="full"):
    """Memory runs that end at `last(work)`, and at `alone` if only the readout is trained."""
    groups = dict.fromkeys(("adding", "copy"), learning(last))
    return results(groups | {"readout_only": learning(lambda work: alone)}, profile)


@pytest.mark.parametrize(
    ("last", "arguments", "expected"),
    [
        (lambda work: 1e-3, {}, [HELD, HELD, HELD]),
        (lambda work: 0.5 if work.seed == 2 else 1e-3, {}, [REFUTED, HELD, HELD]),
        (lambda work: 0.5, {}, [REFUTED, HELD, HELD]),
        (lambda work: 1e-3, {"alone": 1e-3}, [HELD, REFUTED, HELD]),
        (lambda work: 1e-3, {"profile": "quick"}, [HELD, HELD, REFUTED]),
    ],
)
def test_memory_needs_all_seeds_a_start_that_does_not_solve_it_and_10_000_steps(
    last, arguments, expected
):
    found = of_memory(last, **arguments)
    assert states(memory.adding, found) == expected
    assert states(memory.copying, found) == expected


def test_one_seed_that_solves_a_memory_task_does_not_decide():
    found = made_up(PAPER, {"adding": learning(lambda work: 1e-3)}, "full", 1)
    assert memory.all_solve(rows.memory_rows(found, "adding"), "").state == OPEN


def test_the_readout_alone_is_listed_beside_the_network_of_the_same_seed():
    groups = dict.fromkeys(("adding", "adding_short"), learning(lambda work: 0.02))
    groups |= dict.fromkeys(("copy", "copy_short"), learning(lambda work: 0.0))
    alone = {"readout_only": learning(lambda work: 0.1)}
    table = figures.memory.readout_only_table(results(groups | alone, "full"))
    quotients = table.groupby("task")["readout only / all trained"].agg(set)
    assert max(quotients["adding (squared error)"]) == pytest.approx(5.0)
    assert quotients["copying (% of symbols wrong)"] == {figures.memory.ABSENT}
    longest = table[table["time steps"] == 10_000]
    assert longest.groupby("task")["seed"].agg(list).to_list() == [[0, 1, 2]] * 2


def test_a_memory_run_that_diverged_has_not_solved_its_task():
    found = of_memory(lambda work: 1e-3)
    (run, *_) = found.plan["adding"]
    entry = found.ledger[run.name]
    found.ledger[run.name] = Entry("diverged", entry.options, {}, entry.provenance, entry.arrays)
    assert states(memory.adding, found) == [REFUTED, HELD, HELD]
    assert not rows.memory_rows(found, "adding")["is_solved"].iloc[0]


def test_a_task_is_solved_by_its_error_on_test_sequences_at_the_end():
    def only_at_the_end(work):
        metrics, arrays = learning(lambda work: 1e-3)(work)
        return metrics, arrays | {"validation_loss": np.ones(3)}

    found = rows.memory_rows(results({"adding": only_at_the_end}, "full"), "adding")
    assert found["is_solved"].all()
    assert np.isinf(found["solved_at"]).all()


@pytest.mark.parametrize(
    ("copied", "expected"), [(1e-3, [HELD, HELD, HELD]), (0.5, [HELD, REFUTED, HELD])]
)
def test_the_start_that_is_not_designed_is_judged_by_both_tasks(copied, expected):
    def last(work):
        return copied if work.dataset == "copy" else 1e-3

    assert not PAPER.plan("full")["random_start"]  # the claim of the paper is not run there
    found = results({"random_start": learning(last)}, "paper")
    assert states(memory.random_start_learns, found) == expected
    nets = [work.resolved.dynamics for work in found.works(("random_start",))]
    assert {(net.filter, net.alpha, net.bias_init) for net in nets} == {("haar", None, 0.0)}


def test_the_error_of_copying_is_the_fraction_of_wrong_symbols():
    found = results({"copy": learning(lambda work: 0.5)}, "full")
    (work, *_) = found.works(("copy",))
    assert rows.memory_errors(work, found, "test") == pytest.approx([1.0, 0.75, 0.5])


@pytest.mark.parametrize(
    ("of_fixed", "of_others", "profile", "expected"),
    [
        (1e-3, 0.2, "full", [HELD, HELD, HELD]),
        (1e-3, 1e-3, "full", [HELD, REFUTED, HELD]),
        (0.2, 0.2, "full", [REFUTED, HELD, HELD]),
        (1e-3, 0.2, "quick", [HELD, HELD, REFUTED]),
    ],
)
def test_filters_are_judged_by_their_eigenvalue_over_1_000_steps(
    of_fixed, of_others, profile, expected
):
    def is_moving(training):
        return training.resolved.dynamics.filter == "haar" and training.seed % 2

    entries = {
        "filters": learning(lambda work: of_others if is_moving(work) else of_fixed),
        "filter_angles": lambda work: {"angle": 0.1 if is_moving(work.training) else 0.0},
    }
    assert states(filters.only_fixed_directions_add, results(entries, profile)) == expected


def reading(affine=99.0, hidden=99.0, lstm=90.0, noise=0.01):
    """Accuracies in per cent of networks that read pixels."""

    def entry(work):
        net = work.resolved.net
        value = hidden if net.head_hidden else affine if net.family == "roarnn" else lstm
        value = (value + noise * work.seed) / 100
        metrics = {"test_accuracy": value, "validation_accuracy": value, "parameters": 10.0}
        epochs = {"epochs": float(work.resolved.config.epochs), "steps": 10.0}
        curve = {"epoch": np.array([1.0, 2.0]), "test_accuracy": np.array([value - 0.1, value])}
        return metrics | epochs, curve

    return entry


def of_pixels(profile="full", seeds=3, **arguments):
    groups = ("one_epoch", "one_epoch_lstm", "ten_epochs", "ten_epochs_lstm", "wide", "hidden")
    others = ("ordered", "sensitivity", "rates", "search", "hidden_frozen")
    made = dict.fromkeys((*groups, *others), reading(**arguments))
    return made_up(PAPER, made, profile, seeds)


@pytest.mark.parametrize(
    ("arguments", "first", "tenth", "hidden"),
    [
        ({}, HELD, HELD, HELD),
        ({"affine": 97.0}, HELD, REFUTED, HELD),
        ({"affine": 93.0, "hidden": 97.0}, REFUTED, REFUTED, REFUTED),
        ({"affine": 97.5, "noise": 1.0}, HELD, OPEN, OPEN),
        ({"seeds": 1}, OPEN, OPEN, OPEN),
    ],
)
def test_accuracies_on_psmnist_are_judged_by_the_whole_interval(arguments, first, tenth, hidden):
    found = of_pixels(**arguments)
    behind = OPEN if "seeds" in arguments else REFUTED  # 10 points, in the first of ten epochs
    assert states(pixels.first_epoch, found) == [first, behind]
    assert states(pixels.ten_epochs, found) == [tenth] * 2
    assert states(pixels.ten_epochs_with_hidden_layer, found) == [hidden]


def test_lstm_needs_a_search_of_its_own():
    assert states(pixels.ahead_of_lstm, of_pixels()) == [HELD, HELD, REFUTED]
    assert states(pixels.ahead_of_lstm, of_pixels(lstm=99.5)) == [REFUTED, REFUTED, REFUTED]


def lowered(found, group, by):
    """The results with the test accuracy of each run of a group lowered by `by(seed)`."""
    for work in found.plan[group]:
        found.ledger[work.name].metrics["test_accuracy"] -= by(work.seed)
    return found


def test_pixels_in_order_are_compared_with_permuted_ones_of_the_same_seed():
    assert states(pixels.order_does_not_matter, of_pixels(noise=5.0)) == [HELD]
    behind = lowered(of_pixels(), "ordered", lambda seed: 0.05)
    assert states(pixels.order_does_not_matter, behind) == [REFUTED]
    mixed = lowered(of_pixels(), "ordered", lambda seed: 0.03 * seed)
    assert states(pixels.order_does_not_matter, mixed) == [OPEN]


def test_training_the_recurrence_is_compared_with_training_the_readout():
    def seeds_and_state(found):
        (criterion,) = pixels.recurrence_learns(found)
        return criterion.estimate.n, criterion.state

    assert seeds_and_state(of_pixels()) == (1, OPEN)  # one frozen network is planned
    found = of_pixels()
    frozen = found.plan["hidden_frozen"]
    # with three seeds, and those that freeze W only ahead of all others
    works = [
        Training({**work.values, "seed": seed}, keep=work.keep)
        for work in frozen
        for seed in (0, 1, 2)
    ]
    made = {work.name: found.ledger[frozen[0].name] for work in works}
    for work in works:
        is_whole = len(work.resolved.config.optim.frozen) == 3
        metrics = {"test_accuracy": 0.95 + 1e-4 * work.seed if is_whole else 1.0}
        made[work.name] = Entry("done", work.options, metrics, {"commit": "c", "wall_s": 1.0}, {})
    plan = {"hidden": found.plan["hidden"], "hidden_frozen": works}
    assert seeds_and_state(Results(plan, found.ledger | made)) == (3, HELD)


def test_a_varied_setting_is_named_by_what_it_changes():
    def entry(work):
        return {"validation_accuracy": 0.9 - 0.2 * (work.resolved.dynamics.alpha == 0.9)}

    changes = rows.variations(results({"sensitivity": entry})["sensitivity"])
    assert set(changes["key"]) == set(VARIED)
    harmed = changes[changes["change"] < 0]
    assert harmed[["key", "value"]].to_numpy().tolist() == [["net.alpha", 0.9]]
    assert harmed["change"].tolist() == pytest.approx([-20])


@pytest.mark.parametrize(
    ("profile", "ratio", "expected"),
    [
        ("full", 0.2, [HELD, HELD, HELD, HELD]),
        ("full", 1.1, [REFUTED, REFUTED, HELD, HELD]),
        ("full", math.inf, [REFUTED, REFUTED, HELD, HELD]),
        ("quick", 0.2, [HELD, HELD, HELD, REFUTED]),
    ],
)
def test_weight_gradients_are_judged_at_50_000_layers_with_a_beta_that_falls(
    profile, ratio, expected
):
    def entry(work):
        size = ratio if work.case == "β = 1/L" else 9.0
        largest = -math.log10(work.layers)
        return {"ratio": size, "first": -size, "largest": largest, "over_bound": -1.0}

    found = results({"weight_gradients": entry}, profile)
    assert states(updates.updates_are_uniform, found) == expected
    assert states(updates.updates_are_bounded, found) == [HELD] * 3


@pytest.mark.parametrize("power", [0.0, 0.9, 1.1])
def test_weight_gradients_must_fall_as_1_over_l(power):
    def entry(work):
        largest = -power * math.log10(work.layers)
        return {"ratio": 0.1, "first": 0.0, "largest": largest, "over_bound": -1.0}

    found = results({"weight_gradients": entry}, "full")
    assert states(updates.updates_are_uniform, found) == [HELD, HELD, REFUTED, HELD]


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_every_table_and_figure_is_made_from_the_committed_results(profile):
    found = Results(PAPER.plan(profile), ledger.read_ledger(RESULTS / profile))
    for display in (*PAPER.tables.values(), *PAPER.figures.values()):
        if is_complete(display, found):
            made = display.make(found.only(display.runs))
            assert not isinstance(made, pd.DataFrame) or len(made)
    plt.close("all")


@pytest.mark.parametrize("profile", ["quick", "full"])
def test_the_text_of_figures_has_about_6_points_at_8_cm(profile):
    found = Results(PAPER.plan(profile), ledger.read_ledger(RESULTS / profile))
    for name, display in PAPER.figures.items():
        if is_complete(display, found):
            with plt.rc_context(PAPER_STYLE):
                figure = display.make(found.only(display.runs))
                figure.draw_without_rendering()
            sizes = [text.get_fontsize() for text in figure.findobj(Text) if text.get_text()]
            scale = 8 / 2.54 / figure.get_size_inches()[0]
            assert scale * min(sizes) > 5.5, name


@pytest.mark.parametrize(
    ("exponent", "text"),
    [
        (0.0, "1"),
        (-12.7, "2.0e-13"),
        (12706.4, "2.5e+12706"),
        (-5.0001, "1.0e-05"),
        (5.9999, "1.0e+06"),
        (-math.inf, "0"),
        (math.inf, "infinite"),
        (math.nan, ""),
    ],
)
def test_powers_of_ten_are_written_as_numbers(exponent, text):
    assert power_text(exponent) == text


def test_one_rate_of_each_network_on_pixels_is_used():
    found = results({"rates": reading()}, "full")
    table = figures.settings.rates_table(found)
    tried = table[~table["net"].str.contains("chrono")].groupby(["net", "epochs"])["used"]
    assert (tried.apply(list).map(lambda used: used.count("yes")) == 1).all()
    assert "yes" not in set(table["used"][table["net"].str.contains("chrono")])


def test_the_setting_found_by_hand_is_told_from_those_that_were_drawn():
    table = figures.settings.search_table(results({"search": reading()}, "full"))
    assert table["setting"].value_counts().to_dict() == {"drawn": 40, "by hand, used": 1}


def test_the_table_of_changed_options_begins_with_the_chosen_setting():
    table = figures.settings.sensitivity_table(results({"sensitivity": reading()}, "full"))
    first, *others = table.to_dict("records")
    assert (first["option"], first["change"]) == (figures.settings.ALL_CHOSEN, 0.0)
    chosen = {row["option"]: row["chosen value"] for row in others}
    assert (chosen["α"], chosen["H"], chosen["permutation"]) == (0.999, 128, "torch")
    assert set(table["epochs"]) == set(table["seeds"]) == {1}


def test_each_run_of_a_memory_task_has_a_line():
    groups = PAPER.figures["adding"].runs
    found = results(dict.fromkeys(groups, learning(lambda work: 1e-3)), "full")
    panels = figures.memory_curves.adding_figure(found).axes
    lengths = [
        work.resolved.dataset.length for work in found.works(groups) if work.dataset == "adding"
    ]
    for axes, length in zip(panels, (100, 1000, 10_000), strict=True):
        lines = [line for line in axes.get_lines() if len(line.get_xdata()) == 3]
        assert len(lines) == lengths.count(length)
    plt.close("all")


def test_a_depth_is_named_by_its_number():
    labels = [each.label for each in filters.nearly_isometric(of_sizes())]
    assert labels[0].startswith("width 32, 50,000 layers")


def of_sizes():
    """Spectra by depth and by width that are all isometric."""
    flat = {"smallest": 0.0, "median": 0.0, "largest": 0.0}
    return results({"spectra": spectra(0.0, 0.0), "spectra_by_size": lambda work: flat}, "full")


def test_weight_gradients_can_be_drawn():
    def entry(work):
        metrics = {"ratio": 1.0, "first": -math.inf, "largest": 0.0, "over_bound": -1.0}
        return metrics, {"layers": np.arange(3), "norms": np.array([-math.inf, -1.0, 0.0])}

    found = results({"weight_gradients": entry}, "full")
    assert len(figures.weight_gradients.weight_gradient_table(found)) == 24
    assert figures.weight_gradients.weight_gradient_figure(found).axes
