"""Chang et al. 2018: the table of parameters, what inversion loses and saves, verdicts on made-up results, a plan whose parts fit."""
from dataclasses import replace
from functools import partial
from math import nan

import numpy as np
import pytest
from conftest import compose, made_up, same_by_command

from experiments.chang2018 import PAPER, ablations, comparing, counting, fewer, inverting, look, saving
from experiments.chang2018.look import accuracies, published, relation
from experiments.chang2018.plan import VARIANTS, counts
from experiments.chang2018.published import FEW, REPLICATIONS, TABLE
from experiments.chang2018.settings import SMALL, configured, few, few_digits, share, small, table
from experiments.chang2018.studies import REVERSIBLE, Gradients, Inverse, Kept, Overhead, Peak, TrainedInverse
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, PROFILES, REPRODUCED
from stablenets.claims.statistics import Estimate
from stablenets.claims.work import Place, Study, Training, unique
from stablenets.config import resolve
from stablenets.train import network

UNMATCHED = {"midpoint_26", "midpoint_62", "leapfrog_26", "leapfrog_62"}


@pytest.fixture
def place(tmp_path) -> Place:
    return Place(tmp_path, "make")


def measured(study: Study) -> dict[str, float]:
    return study.measure(None)[0]


results = partial(made_up, PAPER)


@pytest.mark.parametrize("net", ["hamiltonian_74", "resnet_32", "midpoint_26", "hamiltonian_1202"])
def test_counts_are_those_of_the_table_where_a_layout_is_known(net):
    fits = [all(paper is None or counting.printed(found[data], paper) == paper
                for data, paper in zip(("cifar10", "cifar100"), TABLE[net].parameters, strict=True))
            for found in map(measured, (study for study in counts() if study.net == net))]
    assert any(fits) == (net not in UNMATCHED)


def test_the_claim_on_counts_names_what_no_layout_fits():
    finding = counting.parameters(results({"counts": measured}))
    assert finding.verdict == PARTLY
    assert finding.ours.startswith("8 of 12")
    assert all(TABLE[net].name in finding.note for net in UNMATCHED)
    assert "77.5 M" in finding.note
    rows = counting.count_table(results({"counts": measured})).set_index("net")["fits the paper"]
    assert rows["Hamiltonian-1202"] == "old-width-first, norms; each-width, one bias"
    assert (rows == "none").sum() == len(UNMATCHED)


@pytest.mark.parametrize("net", REVERSIBLE)
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("float64", 1e-14)])
def test_a_unit_inverts_to_rounding(net, dtype, error):
    assert measured(Inverse(net, 18, 0.1, dtype))["first"] < error


def test_an_inverse_that_overflows_is_a_number():
    found = measured(Inverse("midpoint", 400, 1.0, "float32"))
    assert found["first"] == found["growth"] == 1e30


@pytest.mark.parametrize(("net", "inside"), [("hamiltonian", "bias"), ("hamiltonian", "norm"), ("midpoint", "bias"), ("leapfrog", "norm"),
                                             ("revnet", "")])
def test_gradients_by_inversion_are_the_stored_ones(net, inside):
    assert measured(Gradients(net, inside, blocks=2))["difference"] < saving.EQUAL


@pytest.mark.parametrize(("flow", "flat"), [("store", False), ("reverse", True)])
def test_memory_is_flat_in_depth_by_inversion_alone(flow, flat):
    few_blocks, many = (measured(Kept(flow, blocks, 2))["bytes"] for blocks in (2, 8))
    assert (many < saving.FLAT * few_blocks) == flat


def test_peak_and_time_are_measured():
    peak = measured(Peak("reverse", 2, 2))
    assert peak["peak"] >= peak["start"] > peak["weights"] > 0
    metrics, arrays = Overhead(1, 2).measure(None)
    assert metrics["reverse"] > metrics["store"] > 0
    assert len(arrays["reverse"]) == 2


@pytest.mark.parametrize("profile", PROFILES)
def test_every_claim_and_drawing_asks_for_groups_of_the_plan(profile):
    plan = PAPER.plan(profile, 2)
    for needs in [claim.needs for claim in PAPER.claims] + [drawing.needs for drawing in (PAPER.tables | PAPER.figures).values()]:
        assert set(needs) <= set(plan)
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)
    works = unique(list(plan.values()))
    assert len({work.name for work in works}) == len(works)


@pytest.mark.parametrize(("profile", "groups"), [("quick", ("hamiltonian_74", "few", "ablations", "deep")), ("full", ("few", "tuning")),
                                                 ("paper", ("hamiltonian_74", "few", "cifar100", "deep", "stl10"))])
def test_a_run_of_the_plan_is_what_its_command_makes(profile, groups):
    plan = PAPER.plan(profile, 1)
    same_by_command(plan[group][-1] for group in groups)


def test_the_small_nets_are_of_one_size():
    runs = [small(family, 0, 1).resolved for family in SMALL]
    sizes = [sum(parameter.numel() for parameter in network(run, run.dataset.facts).parameters()) for run in runs]
    assert max(sizes) < 1.15 * min(sizes)


def test_runs_on_few_images_have_the_share_and_the_steps_that_they_say():
    run = few("resnet_32", 5, 0, 1000).resolved
    assert round(0.9 * 50_000 * run.common.fraction) == 2500
    assert run.config.epochs * 25 == 1000
    assert round(1294 * few_digits("hamiltonian", 10, 0, 100).resolved.common.fraction) == 144
    assert share(20) == pytest.approx(0.2 / 0.9, rel=1e-6)


@pytest.mark.parametrize("net", ["hamiltonian_74", "leapfrog_26", "midpoint_26", "resnet_32"])
def test_the_recipe_is_there_for_the_command_line(net):
    assert resolve(compose(f"experiment=chang2018/{net}")).name == table(net, "cifar10", 0).name


def test_half_a_per_cent_has_as_many_steps_as_other_shares():
    assert few("resnet_32", 0.5, 0, 20_000).resolved.config.epochs * 3 == pytest.approx(20_000, abs=3)


def test_the_recipe_has_the_papers_steps():
    run = table("hamiltonian_74", "cifar10", 0).resolved
    assert (run.config.epochs * 500, run.config.batch, run.config.optim.weight_decay) == (80_000, 100, 2e-4)
    assert run.net.widths == configured("hamiltonian_74")["widths"]


def accuracy(of):
    """Accuracies in per cent by family (and percent of data), and noise that pairs share but for a little."""
    def entry(work: Training):
        run = work.resolved
        value = of(run) + 0.3 * work.seed + 0.02 * (work.seed % 2) * (run.net.family == "resnet_bn")
        return {"test_accuracy": value / 100, "parameters": 100.0, "steps": 100.0, "train_loss": 0.1, "train_accuracy": 0.9}
    return entry


def by_family(**values):
    return accuracy(lambda run: values.get(run.net.family, 80.0))


@pytest.mark.parametrize(("profile", "ours", "verdict"), [
    ("quick", 80.0, PARTLY), ("quick", 75.0, NOT_REPRODUCED), ("paper", 80.0, REPRODUCED), ("paper", 75.0, NOT_REPRODUCED),
    ("paper", 79.4, NOT_REPRODUCED)])
def test_on_par_rests_on_the_paired_difference_and_digits_hold_it_in_part(profile, ours, verdict):
    entry = by_family(hamiltonian=ours)
    finding = comparing.on_par(results({"hamiltonian_74": entry, "resnet_32": entry}, profile, seeds=3))
    assert finding.verdict == verdict
    assert finding.low <= finding.high


@pytest.mark.parametrize(("profile", "values", "verdict"), [
    ("quick", {"hamiltonian": 82.0, "leapfrog": 81.0}, PARTLY), ("quick", {"hamiltonian": 80.0, "leapfrog": 82.0}, NOT_REPRODUCED),
    ("quick", {}, NOT_RUN), ("paper", {"hamiltonian": 82.0, "leapfrog": 81.0}, REPRODUCED), ("paper", {}, NOT_REPRODUCED)])
def test_the_ordering_needs_both_differences(profile, values, verdict):
    entry = by_family(**values)
    assert comparing.ordered(results({"hamiltonian_74": entry, "two_step": entry}, profile, seeds=3)).verdict == verdict


@pytest.mark.parametrize(("profile", "ours", "verdict"), [
    ("quick", 99.0, NOT_RUN), ("paper", 93.4, REPRODUCED), ("paper", 92.4, NOT_REPRODUCED), ("paper", 90.0, NOT_REPRODUCED)])
def test_an_accuracy_of_the_paper_is_met_on_its_own_data_alone_by_the_whole_interval(profile, ours, verdict):
    larger = {"hamiltonian_218": by_family(hamiltonian=ours + 1.3)} if profile == "paper" else {}
    found = results({"hamiltonian_74": by_family(hamiltonian=ours - 0.3)} | larger, profile, 3)
    assert comparing.reaches(found).verdict == verdict
    rows = comparing.accuracy_table(found)
    assert rows["paper, %"].isna().sum() == (profile == "quick")
    assert len(rows) == 12 + 10 + 1 + (profile == "quick")
    assert (rows["ours, %"] != "").sum() == (2 if profile == "paper" else 1)


def test_without_the_larger_net_or_with_one_seed_an_accuracy_is_met_in_part():
    good, better = by_family(hamiltonian=93.4), by_family(hamiltonian=95.0)
    assert comparing.reaches(results({"hamiltonian_74": good, "hamiltonian_218": lambda work: None}, "paper", 3)).verdict == PARTLY
    assert comparing.reaches(results({"hamiltonian_74": good, "hamiltonian_218": better}, "paper", 1)).verdict == PARTLY


@pytest.mark.parametrize(("profile", "gap", "verdict"), [
    ("full", lambda run: 5.0, REPRODUCED), ("full", lambda run: 5.0 if run.common.fraction < 0.1 else -5.0, NOT_REPRODUCED),
    ("full", lambda run: 5.0 if run.common.fraction < 0.1 else 0.0, PARTLY),
    ("full", lambda run: -5.0, NOT_REPRODUCED), ("quick", lambda run: 5.0, PARTLY), ("quick", lambda run: 0.0, NOT_RUN),
    ("quick", lambda run: -5.0, NOT_REPRODUCED)])
def test_few_data_are_judged_share_by_share(profile, gap, verdict):
    entry = accuracy(lambda run: 60.0 + gap(run) * (run.net.family == "hamiltonian"))
    assert set(fewer.few_table(results({"few": entry}, profile, seeds=3))["% of training images"]) == {FIRST_SHARE[profile]}
    found = results({"few": entry, "fewer": entry}, profile, seeds=3)
    assert fewer.ahead(found).verdict == verdict
    rows = fewer.few_table(found)
    assert rows["paper's figure, ResNet"].notna().any() == (profile == "full")
    assert set(rows["% of training images"]) == set(PAPER_SHARES[profile])


FIRST_SHARE = {"full": 5, "quick": 2}
PAPER_SHARES = {"full": (1, 2, 5, 10), "quick": (2, 5, 20)}


def test_one_share_is_not_the_claim():
    entry = accuracy(lambda run: 60.0 + 5.0 * (run.net.family == "hamiltonian"))
    assert fewer.ahead(results({"few": entry, "fewer": lambda work: None}, "full", seeds=3)).verdict == PARTLY


def test_revnet_counts_too():
    entry = by_family(hamiltonian=80.0, resnet_bn=80.0, revnet=83.0)
    assert comparing.on_par(results({"hamiltonian_74": entry, "resnet_32": entry}, "quick", seeds=3)).verdict == NOT_REPRODUCED
    assert comparing.on_par(results({"hamiltonian_74": entry, "resnet_32": entry}, "paper", seeds=3)).verdict == PARTLY


def test_sizes_and_data_sets_are_compared_each_with_its_own():
    entry = accuracy(lambda run: (70.0 if run.dataset_name == "cifar100" else 90.0) + run.config.depth / 100)
    groups = dict.fromkeys(("hamiltonian_74", "resnet_32", "two_step", "hamiltonian_218", "large", "cifar100"), entry)
    found = results(groups, "paper", seeds=3)
    gaps = comparing.compared(comparing.together(found, comparing.SIZED), (("hamiltonian", "resnet_bn"), ("leapfrog", "midpoint")))
    assert len(gaps) == 8
    assert ("cifar100", "Hamiltonian-218 less ResNet-110") in gaps
    assert max(abs(gap.value) for gap in gaps.values()) < 1
    assert comparing.cifar100(found).verdict == PARTLY, "-74 is met, -218 is not"
    assert comparing.on_par(results(groups | {"large": lambda work: None}, "paper", seeds=3)).verdict == PARTLY


@pytest.mark.parametrize(("check", "groups"), [(comparing.on_par, ("hamiltonian_74", "resnet_32")),
                                               (comparing.ordered, ("hamiltonian_74", "two_step")), (fewer.ahead, ("few", "fewer"))])
def test_one_seed_decides_no_comparison(check, groups):
    entry = by_family(hamiltonian=85.0, leapfrog=82.0)
    assert check(results(dict.fromkeys(groups, entry), "paper", seeds=1)).verdict == NOT_RUN


@pytest.mark.parametrize(("last", "seeds", "verdict"), [(97.0, 1, PARTLY), (97.0, 2, REPRODUCED), (90.0, 2, NOT_REPRODUCED)])
def test_more_than_a_thousand_layers_at_paper(last, seeds, verdict):
    entry = accuracy(lambda run: last if run.net.family == "hamiltonian" else 92.0)
    groups = dict.fromkeys(("hamiltonian_74", "hamiltonian_218", "deep"), entry)
    plan = {**PAPER.plan("paper", seeds), "deep": [table(name, "cifar10", seed) for seed in range(seeds)
                                                   for name in ("hamiltonian_1202", "resnet_1202")]}
    found = made_up(replace(PAPER, plan=lambda *_: plan), groups, "paper", seeds)
    assert comparing.deep(found).verdict == verdict
    assert "Hamiltonian-74" in comparing.deep(found).ours
    assert len(comparing.by_depth(found)["layers"].unique()) == 3


@pytest.mark.parametrize(("ours", "verdict"), [(86.0, REPRODUCED), (80.0, NOT_REPRODUCED)])
def test_stl10_is_held_against_its_one_number(ours, verdict):
    assert comparing.stl10(results({"stl10": by_family(hamiltonian=ours)}, "paper", 3)).verdict == verdict


def peak(step, start):
    """Bytes by blocks, from what a step needs and what was there before it."""
    return lambda work: {"peak": step(work.blocks) + start(work.blocks), "start": start(work.blocks), "weights": 10.0 * work.blocks}


@pytest.mark.parametrize(("kept", "step", "verdict"), [(1.0, 1.0, REPRODUCED), (1.0, 1.2, PARTLY), (1.2, 1.2, NOT_REPRODUCED)])
def test_memory_is_judged_on_what_is_kept_and_on_the_peak(kept, step, verdict):
    def bytes_kept(work):
        return {"bytes": 1e6 * (kept ** (work.blocks > 2) if work.flow == "reverse" else work.blocks), "machine": 1e9}
    memory = {"memory": bytes_kept,
              "peak": peak(lambda blocks: 1e6 * step ** (blocks > 6), lambda blocks: 1e6 + blocks)}
    assert saving.memory(results(memory)).verdict == verdict
    assert {"before, reverse, MiB", "peak less before, reverse, MiB"} <= set(saving.memory_table(results(memory)).columns)


@pytest.mark.parametrize(("profile", "grown", "verdict"), [("full", 1.0, REPRODUCED), ("full", 1e4, NOT_REPRODUCED),
                                                         ("quick", 1.0, NOT_RUN), ("quick", 1e4, NOT_REPRODUCED)])
def test_the_whole_peak_is_said_apart_and_is_flat_over_hundreds_of_blocks_alone(profile, grown, verdict):
    assert saving.whole_peak(results({"peak": peak(lambda _: 1e6, lambda blocks: 1e6 + grown * blocks)}, profile)).verdict == verdict


@pytest.mark.parametrize(("ratios", "verdict"), [([1.3] * 7, REPRODUCED), ([1.3, 1.3, 1.3, 1.3, 1.3, 1.5, 1.5], NOT_REPRODUCED),
                                                 ([1.3, 1.3, 1.3], NOT_RUN)])
def test_noise_does_not_make_inversion_cheap(ratios, verdict):
    rounds = {"store": np.ones(len(ratios)), "checkpoint": np.ones(len(ratios)), "reverse": np.array(ratios)}
    assert saving.overhead(results({"overhead": lambda work: ({"reverse": 1.3}, rounds)})).verdict == verdict


@pytest.mark.parametrize(("error", "verdict"), [(1e-15, REPRODUCED), (1.0, NOT_REPRODUCED)])
def test_inversion_is_judged_on_every_bound(error, verdict):
    found = results({"inverse": lambda work: {"first": error, "growth": 1.0},
                     "trained": lambda work: {"float64": error, "float32": error, "before": error}})
    assert inverting.inverts(found).verdict == verdict
    assert "of 6 to 9 blocks in all" in inverting.inverts(found).note


def test_a_run_that_diverged_guessed():
    found = results({"hamiltonian_74": lambda work: {"parameters": 1.0, "test_accuracy": nan}}, seeds=2)
    assert accuracies(found["hamiltonian_74"])["accuracy"].tolist() == [10.0, 10.0]
    assert look.mean(accuracies(found["hamiltonian_74"])).value == 10


@pytest.mark.parametrize(("gain", "verdict"), [(2.0, PARTLY), (0.0, NOT_RUN), (-2.0, NOT_REPRODUCED)])
def test_smoothness_is_told_from_every_other_change(gain, verdict):
    def entry(work):
        run = work.resolved
        smooth = run.config.optim.smoothness > 0
        value = 80.0 + (gain + 0.5 * (-1) ** work.seed) * smooth + 5 * (run.config.h == 1) + 0.3 * work.seed
        return {"test_accuracy": value / 100, "parameters": 100.0, "train_loss": 0.1}
    found = results({"ablations": entry}, "full")
    finding = ablations.smoothness(found)
    assert finding.verdict == verdict
    assert "h = 1 +5.00" in finding.note
    base, own = ablations.variants(found)
    assert set(own) == set(VARIANTS)
    assert {len(rows) for rows in (base, *own.values())} == {4}


@pytest.mark.parametrize(("last", "verdict"), [(95.0, PARTLY), (60.0, NOT_REPRODUCED)])
def test_a_deep_net_trains_where_it_learns(last, verdict):
    entry = accuracy(lambda run: last if run.config.depth > 20 else 95.0)
    assert comparing.deep(results({"deep": entry})).verdict == verdict


def test_training_by_inversion_is_compared_seed_by_seed():
    entry = by_family()
    finding = saving.gradients(results({"gradients": lambda work: {"difference": 1e-13}, "hamiltonian_74": entry, "inverted": entry}))
    assert finding.verdict == REPRODUCED
    assert finding.low == finding.high == 0


@pytest.mark.parametrize(("dataset", "first", "second", "verdict"), [
    ("cifar10", (1, 3), (1, 3), REPRODUCED), ("cifar10", (1, 3), (-1, 3), PARTLY), ("cifar10", (-1, 3), (-3, -1), NOT_REPRODUCED),
    ("cifar10", (1, 3), (nan, nan), PARTLY), ("cifar10", (nan, nan), (nan, nan), NOT_RUN), ("digits", (1, 3), (1, 3), PARTLY),
    ("digits", (1, 3), (-3, -1), NOT_REPRODUCED), ("digits", (1, 3), (-1, 3), NOT_RUN), ("digits", (1, 3), (nan, nan), NOT_RUN)])
def test_other_data_hold_a_relation_in_part_at_most_and_no_interval_decides_nothing(dataset, first, second, verdict):
    assert relation(dataset, [(Estimate(2.0, *first, 3), 0.0), (Estimate(2.0, *second, 3), 0.0)]) == verdict


def test_nets_are_called_as_the_paper_calls_them():
    groups = ("hamiltonian_74", "resnet_32", "hamiltonian_218", "two_step", "deep", "large")
    names = {name for group in groups for name in accuracies(results({group: by_family()}, "paper", 1)[group])["net"]}
    assert {published(name) for name in names} == set(TABLE)
    assert set(REPLICATIONS) <= set(TABLE)
    assert len(FEW) == 21


def test_trained_nets_are_inverted(place):
    training = small("hamiltonian", 0, 1, limit=64)
    assert training.make(place).status == "done"
    metrics, _ = TrainedInverse(training).measure(place)
    assert metrics["float64"] < 1e-13 < metrics["float32"] < 1e-4
