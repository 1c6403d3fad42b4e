"""Chang et al. 2018: how accuracies decide the claims, on made-up results."""

from functools import partial
from math import nan

import numpy as np
import pandas as pd
import pytest
from conftest import made_up

from experiments.chang2018 import PAPER, ablations, comparing, fewer, look
from experiments.chang2018.look import accuracies, published, relation
from experiments.chang2018.plan import VARIANTS
from experiments.chang2018.published import FEW, REPLICATIONS, TABLE
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED, UNDECIDED
from stablenets.claims.work import Training
from stablenets.statistics import Estimate

results = partial(made_up, PAPER)


def accuracy(of):
    """Accuracies in per cent by family (and percent of data), and noise that pairs share but for a
    little.
    """

    def entry(work: Training):
        run = work.resolved
        value = of(run) + 0.3 * work.seed + 0.02 * (work.seed % 2) * (run.net.family == "resnet_bn")
        return {
            "test_accuracy": value / 100,
            "parameters": 100.0,
            "steps": 100.0,
            "train_loss": 0.1,
            "train_accuracy": 0.9,
        }

    return entry


def by_family(**values):
    return accuracy(lambda run: values.get(run.net.family, 80.0))


FIRST_SHARE = {"full": 5, "quick": 2}
PAPER_SHARES = {"full": (1, 2, 5, 10), "quick": (2, 5, 20)}


@pytest.mark.parametrize(
    ("profile", "ours", "verdict"),
    [
        ("quick", 80.0, PARTLY),
        ("quick", 75.0, NOT_RUN),
        ("paper", 80.0, REPRODUCED),
        ("paper", 75.0, NOT_REPRODUCED),
        ("paper", 79.4, NOT_REPRODUCED),
    ],
)
def test_on_par_rests_on_the_paired_difference_and_digits_hold_it_in_part(profile, ours, verdict):
    entry = by_family(hamiltonian=ours)
    finding = comparing.on_par(
        results({"hamiltonian_74": entry, "resnet_32": entry}, profile, seeds=3)
    )
    assert finding.verdict == verdict
    assert finding.low <= finding.high


@pytest.mark.parametrize(
    ("profile", "values", "verdict"),
    [
        ("quick", {"hamiltonian": 82.0, "leapfrog": 81.0}, PARTLY),
        ("quick", {"hamiltonian": 80.0, "leapfrog": 82.0}, NOT_RUN),
        ("quick", {}, UNDECIDED),
        ("paper", {"hamiltonian": 82.0, "leapfrog": 81.0}, REPRODUCED),
        ("paper", {}, UNDECIDED),
        ("paper", {"hamiltonian": 80.0, "leapfrog": 82.0}, PARTLY),
        ("paper", {"leapfrog": 78.0, "hamiltonian": 76.0}, NOT_REPRODUCED),
    ],
)
def test_the_ordering_needs_both_differences(profile, values, verdict):
    entry = by_family(**values)
    assert (
        comparing.ordered(
            results({"hamiltonian_74": entry, "two_step": entry}, profile, seeds=3)
        ).verdict
        == verdict
    )


@pytest.mark.parametrize(
    ("profile", "ours", "verdict"),
    [
        ("quick", 99.0, NOT_RUN),
        ("paper", 93.4, REPRODUCED),
        ("paper", 92.4, UNDECIDED),
        ("paper", 90.0, NOT_REPRODUCED),
    ],
)
def test_an_accuracy_of_the_paper_is_met_on_its_own_data_alone_by_the_whole_interval(
    profile, ours, verdict
):
    larger = {"hamiltonian_218": by_family(hamiltonian=ours + 1.3)} if profile == "paper" else {}
    found = results({"hamiltonian_74": by_family(hamiltonian=ours - 0.3)} | larger, profile, 3)
    assert comparing.reaches(found).verdict == verdict
    rows = comparing.accuracy_table(found)
    assert rows["paper, %"].isna().sum() == (profile == "quick")
    assert len(rows) == 12 + 10 + 1 + (profile == "quick")
    assert (rows["ours, %"] != "").sum() == (2 if profile == "paper" else 1)


def test_without_the_larger_net_or_with_one_seed_an_accuracy_is_met_in_part():
    good, better = by_family(hamiltonian=93.4), by_family(hamiltonian=95.0)
    assert (
        comparing.reaches(
            results({"hamiltonian_74": good, "hamiltonian_218": lambda work: None}, "paper", 3)
        ).verdict
        == PARTLY
    )
    assert (
        comparing.reaches(
            results({"hamiltonian_74": good, "hamiltonian_218": better}, "paper", 1)
        ).verdict
        == PARTLY
    )
    poor = by_family(hamiltonian=84.9)
    assert (
        comparing.reaches(
            results({"hamiltonian_74": poor, "hamiltonian_218": poor}, "paper", 1)
        ).verdict
        == UNDECIDED
    )


def on_few(profile="full", **entries):
    """Results on few data: metrics by group, steps as planned, and a step of Hamiltonian that takes
    two and a half of ResNet's.
    """

    def steps(entry):
        def told(work):
            metrics = entry(work)
            an_epoch = round(
                45_000 * work.resolved.common.train_fraction / 100
            )  # in batches of 100, as on CIFAR-10
            return metrics and metrics | {"steps": work.resolved.config.epochs * an_epoch}

        return told

    cost = (
        {"hamiltonian": 2.5, "resnet_bn": 1.0},
        {"hamiltonian": np.full(7, 2.5), "resnet_bn": np.ones(7)},
    )
    return results(
        {group: steps(entry) for group, entry in entries.items()} | {"cost": lambda work: cost},
        profile,
        seeds=3,
    )


def nothing(work):
    """It has no result."""


@pytest.mark.parametrize(
    ("profile", "gap", "verdict"),
    [
        ("full", lambda run: 5.0, REPRODUCED),
        ("full", lambda run: 5.0 if run.common.train_fraction < 0.1 else -5.0, NOT_REPRODUCED),
        ("full", lambda run: 5.0 if run.common.train_fraction < 0.1 else 0.0, PARTLY),
        ("full", lambda run: 0.0, UNDECIDED),
        ("full", lambda run: -5.0, NOT_REPRODUCED),
        ("quick", lambda run: 5.0, PARTLY),
        ("quick", lambda run: 0.0, UNDECIDED),
        ("quick", lambda run: -5.0, NOT_RUN),
    ],
)
def test_few_data_are_judged_share_by_share(profile, gap, verdict):
    entry = accuracy(lambda run: 60.0 + gap(run) * (run.net.family == "hamiltonian"))
    assert set(fewer.few_table(on_few(profile, few=entry))["% of training images"]) == {
        FIRST_SHARE[profile]
    }
    found = on_few(profile, few=entry, fewer=entry, longer=entry, longest=entry)
    assert fewer.ahead(found).verdict == verdict
    rows = fewer.few_table(found)
    assert rows["paper's figure, ResNet"].notna().any() == (profile == "full")
    assert set(rows["% of training images"]) == set(PAPER_SHARES[profile])


@pytest.mark.parametrize(
    ("gap", "verdict"), [(5.0, REPRODUCED), (0.0, PARTLY), (-5.0, NOT_REPRODUCED)]
)
def test_few_data_with_more_steps_are_judged_beside_the_others(gap, verdict):
    short = accuracy(lambda run: 60.0 + 5.0 * (run.net.family == "hamiltonian"))
    longer = accuracy(lambda run: 62.0 + gap * (run.net.family == "hamiltonian"))
    for unfinished in (nothing, lambda work: longer(work) if work.seed else None):
        finding = fewer.ahead(on_few(few=short, fewer=short, longer=unfinished))
        assert (finding.verdict, "at the cost of" in finding.ours) == (PARTLY, False)
    longest = accuracy(lambda run: 70.0 + gap * (run.net.family == "hamiltonian"))
    found = on_few(few=short, fewer=short, longer=longer, longest=longest)
    finding = fewer.ahead(found)
    assert finding.verdict == verdict
    assert "; 2,500 steps: 5 % " in finding.ours
    # Hamiltonian of fewer steps, ResNet of more
    assert (
        "; 400 steps, at the cost of 1,000 of ResNet, against 1,000: 1 % +3.0 [3.0, 3.0], 5 % +3.0"
        " [3.0, 3.0]; 1,000 steps, at the cost of 2,500 of ResNet, against 2,500: 5 %"
        f" {gap - 8:+.1f} " in finding.ours
    )
    assert (
        "400 steps of the Hamiltonian net in float32, which by this take as long as 1,000 of"
        " ResNet, against 1,000 of ResNet in bfloat16: 3 seeds at 1 %, 3 seeds at 5 %;"
        in finding.note
    )
    assert (
        "Hamiltonian and ResNet fit, in 1,000 steps, at 1 % 90.0 and 90.0 %, at 5 % 90.0"
        in finding.note
    )
    rows = fewer.few_table(found)
    assert list(rows["% of training images"]) == [*PAPER_SHARES["full"], 1, 5, 5]
    assert list(rows["precision"]) == ["float32"] * 4 + ["bfloat16"] * 3
    assert len(fewer.few_figure(found).axes) == 2


def test_what_the_rates_of_few_data_rest_on_is_said():
    entry = accuracy(lambda run: 60.0)
    assert (
        "one seed of 150 and of 400 steps, ResNet's also of 2,500, at 5 %"
        in fewer.ahead(on_few(few=entry, tuning=by_family())).note
    )
    assert "The rates" not in fewer.ahead(on_few(few=entry)).note
    assert "The rates" not in fewer.ahead(on_few("quick", few=entry)).note


def test_a_net_that_diverged_at_once_fits_nothing():
    def entry(work):
        lost = work.resolved.net.family == "resnet_bn"
        return {
            name: nan if lost and name != "steps" else value
            for name, value in accuracy(lambda run: 60.0)(work).items()
        }

    assert "at 5 % 90.0 and (diverged) %" in fewer.ahead(on_few(few=entry)).note


def test_costs_are_compared_over_the_seeds_and_shares_that_both_have():
    def rows(family, seeds, percents):
        return [
            {"net.family": family, "seed": seed, "percent": percent, "accuracy": 50.0 + seed}
            for seed in seeds
            for percent in percents
        ]

    few_steps = pd.DataFrame(
        rows("hamiltonian", range(3), (1, 5)) + rows("resnet_bn", range(3), (1, 5))
    )
    more = pd.DataFrame(
        rows("hamiltonian", range(5), (5, 10)) + rows("resnet_bn", range(5), (5, 10))
    )
    found = fewer.against_more(few_steps, more)
    assert {percent: (gap.n, gap.value) for percent, gap in found.items()} == {5: (3, 0.0)}


def test_where_the_gap_peaks_needs_three_shares():
    entry = accuracy(
        lambda run: (
            60.0 + (5.0 + 20 * run.common.train_fraction) * (run.net.family == "hamiltonian")
        )
    )
    found = fewer.ahead(on_few(few=entry, fewer=entry)).note
    assert (
        "is largest at 10 %, in the paper's figure, taken to be of CIFAR-10, at 3 to 4 %" in found
    )
    assert "largest at" not in fewer.ahead(on_few(few=entry, fewer=nothing)).note
    assert (
        "largest at" not in fewer.ahead(on_few("quick", few=entry, fewer=entry)).note
    )  # digits are not the figure's


def test_one_share_is_not_the_claim():
    entry = accuracy(lambda run: 60.0 + 5.0 * (run.net.family == "hamiltonian"))
    assert fewer.ahead(on_few(few=entry, fewer=nothing)).verdict == PARTLY


def test_revnet_counts_too():
    entry = by_family(hamiltonian=80.0, resnet_bn=80.0, revnet=83.0)
    assert (
        comparing.on_par(
            results({"hamiltonian_74": entry, "resnet_32": entry}, "quick", seeds=3)
        ).verdict
        == NOT_RUN
    )
    assert (
        comparing.on_par(
            results({"hamiltonian_74": entry, "resnet_32": entry}, "paper", seeds=3)
        ).verdict
        == PARTLY
    )


def test_sizes_and_data_sets_are_compared_each_with_its_own():
    entry = accuracy(
        lambda run: (70.0 if run.dataset_name == "cifar100" else 90.0) + run.config.depth / 100
    )
    groups = dict.fromkeys(
        ("hamiltonian_74", "resnet_32", "two_step", "hamiltonian_218", "large", "cifar100"), entry
    )
    found = results(groups, "paper", seeds=3)
    gaps = comparing.differences(
        comparing.together(found, comparing.SIZED),
        (("hamiltonian", "resnet_bn"), ("leapfrog", "midpoint")),
    )
    assert len(gaps) == 8
    assert ("cifar100", "Hamiltonian-218 less ResNet-110") in gaps
    assert max(abs(gap.value) for gap in gaps.values()) < 1
    assert comparing.cifar100(found).verdict == PARTLY, "-74 is met, -218 is not"
    assert (
        comparing.on_par(results(groups | {"large": lambda work: None}, "paper", seeds=3)).verdict
        == PARTLY
    )


@pytest.mark.parametrize(
    ("check", "groups"),
    [
        (comparing.on_par, ("hamiltonian_74", "resnet_32")),
        (comparing.ordered, ("hamiltonian_74", "two_step")),
    ],
)
def test_one_seed_decides_no_comparison(check, groups):
    entry = by_family(hamiltonian=85.0, leapfrog=82.0)
    assert check(results(dict.fromkeys(groups, entry), "paper", seeds=1)).verdict == UNDECIDED


@pytest.mark.parametrize(
    ("last", "seeds", "verdict"),
    [
        (97.0, 1, PARTLY),
        (92.0, 1, UNDECIDED),
        (97.0, 2, REPRODUCED),
        (90.0, 2, NOT_REPRODUCED),
        (93.0, 2, PARTLY),
        (92.0, 2, UNDECIDED),
    ],
)
def test_more_than_a_thousand_layers_at_paper(last, seeds, verdict):
    entry = accuracy(lambda run: last if run.net.family == "hamiltonian" else 92.0)
    groups = dict.fromkeys(("hamiltonian_74", "hamiltonian_218", "deep"), entry)
    found = results(groups, "paper", seeds)
    assert comparing.deep(found).verdict == verdict
    assert "Hamiltonian-74" in comparing.deep(found).ours
    assert len(comparing.by_depth(found)["layers"].unique()) == 3


@pytest.mark.parametrize(
    ("ours", "seeds", "verdict"),
    [
        (86.0, 3, REPRODUCED),
        (84.9, 3, UNDECIDED),
        (80.0, 3, NOT_REPRODUCED),
        (86.0, 1, PARTLY),
        (80.0, 1, UNDECIDED),
    ],
)
def test_stl10_is_held_against_its_one_number(ours, seeds, verdict):
    assert (
        comparing.stl10(results({"stl10": by_family(hamiltonian=ours)}, "paper", seeds)).verdict
        == verdict
    )


def test_a_run_that_diverged_guessed():
    found = results(
        {"hamiltonian_74": lambda work: {"parameters": 1.0, "test_accuracy": nan}}, seeds=2
    )
    assert accuracies(found["hamiltonian_74"])["accuracy"].tolist() == [10.0, 10.0]
    assert look.mean(accuracies(found["hamiltonian_74"])).value == 10


@pytest.mark.parametrize(("gain", "verdict"), [(2.0, PARTLY), (0.0, UNDECIDED), (-2.0, NOT_RUN)])
def test_smoothness_is_told_from_every_other_change(gain, verdict):
    def entry(work):
        run = work.resolved
        smooth = run.config.optim.smoothness > 0
        value = (
            80.0
            + (gain + 0.5 * (-1) ** work.seed) * smooth
            + 5 * (run.config.h == 1)
            + 0.3 * work.seed
        )
        return {
            "test_accuracy": value / 100,
            "parameters": 100.0,
            "train_loss": 0.1,
            "steps": 130.0,
        }

    found = results({"ablations": entry}, "full")
    finding = ablations.smoothness(found)
    assert finding.verdict == verdict
    assert "h = 1 +5.00 (training loss 0.1)" in finding.note
    assert "130 steps" in finding.note
    base, own = ablations.variants(found)
    assert set(own) == set(VARIANTS)
    assert {len(rows) for rows in (base, *own.values())} == {4}


def test_digits_have_no_thousand_layers():
    finding = comparing.deep(results({"deep": by_family(hamiltonian=95.0)}))
    assert finding.verdict == NOT_RUN
    assert "194 layers, not a thousand" in finding.note


@pytest.mark.parametrize(
    ("dataset", "first", "second", "verdict"),
    [
        ("cifar10", (1, 3), (1, 3), REPRODUCED),
        ("cifar10", (1, 3), (-1, 3), PARTLY),
        ("cifar10", (-1, 3), (-3, -1), NOT_REPRODUCED),
        ("cifar10", (1, 3), (nan, nan), PARTLY),
        ("cifar10", (nan, nan), (nan, nan), UNDECIDED),
        ("cifar10", (-1, 3), (-1, 3), UNDECIDED),
        ("cifar10", (1, 3), (-3, -1), PARTLY),
        ("digits", (1, 3), (1, 3), PARTLY),
        ("digits", (1, 3), (-3, -1), NOT_RUN),
        ("digits", (1, 3), (-1, 3), UNDECIDED),
        ("digits", (-1, 3), (-3, -1), NOT_RUN),
        ("digits", (1, 3), (nan, nan), UNDECIDED),
        ("digits", (-1, 3), (nan, nan), UNDECIDED),
    ],
)
def test_other_data_hold_a_relation_in_part_at_most_and_no_interval_decides_nothing(
    dataset, first, second, verdict
):
    assert (
        relation(dataset, [(Estimate(2.0, *first, 3), 0.0), (Estimate(2.0, *second, 3), 0.0)])
        == verdict
    )


def test_nets_are_called_as_the_paper_calls_them():
    groups = ("hamiltonian_74", "resnet_32", "hamiltonian_218", "two_step", "deep", "large")
    names = {
        name
        for group in groups
        for name in accuracies(results({group: by_family()}, "paper", 1)[group])["net"]
    }
    assert {published(name) for name in names} == set(TABLE)
    assert set(REPLICATIONS) <= set(TABLE)
    assert len(FEW) == 21


def test_what_settings_were_chosen_by_is_told_by_validation():
    entry = accuracy(lambda run: 60.0 + 10 * run.config.optim.lr)
    rows = comparing.tuning_table(
        results(
            {"tuning": lambda work: entry(work) | {"validation_accuracy": 0.5}}, "full", seeds=3
        )
    )
    assert set(rows["validation accuracy, %"].str[:2]) == {"50"}
    assert set(rows["% of images"]) == {5, 90}
    assert {"rate", "h", "steps", "precision", "seeds"} <= set(rows.columns)


def test_the_papers_values_stand_in_the_figures_on_its_own_data():
    entry = by_family(hamiltonian=92.0, resnet_bn=93.0, leapfrog=91.0, midpoint=90.0, revnet=92.5)
    groups = dict.fromkeys(
        ("hamiltonian_74", "resnet_32", "two_step", "hamiltonian_218", "deep"), entry
    )
    found = results(groups, "paper", seeds=3)
    assert "CIFAR-10" in comparing.accuracy_figure(found).axes[0].get_xlabel()
    assert "CIFAR-10" in comparing.deep_figure(found).axes[0].get_ylabel()


def test_digits_that_have_an_order_the_other_way_round_say_so_and_refute_nothing():
    entry = by_family(hamiltonian=80.0, leapfrog=82.0, midpoint=81.0)
    finding = comparing.ordered(
        results({"hamiltonian_74": entry, "two_step": entry}, "quick", seeds=3)
    )
    assert finding.verdict == NOT_RUN
    assert (
        "an interval lies below its line, which refutes nothing: Hamiltonian-38 less Leapfrog-14."
        in finding.note
    )
    equal = by_family(hamiltonian=77.0)
    assert (
        "which refutes nothing: Hamiltonian-38 less ResNet-14"
        in comparing.on_par(
            results({"hamiltonian_74": equal, "resnet_32": equal}, "quick", seeds=3)
        ).note
    )
