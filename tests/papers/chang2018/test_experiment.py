"""Chang et al. 2018: a plan whose parts fit, and the table of parameters."""

import math

import pytest
from conftest import compose, made_up, measured, same_by_command

from experiments.chang2018 import PAPER, counting
from experiments.chang2018.plan import counts
from experiments.chang2018.published import TABLE
from experiments.chang2018.settings import (
    SMALL,
    SMOOTHNESS,
    configured,
    few,
    few_digits,
    share,
    small,
    stl10,
    table,
)
from stablenets.claims.claim import PARTLY, PROFILES
from stablenets.claims.work import unique
from stablenets.config import resolve
from stablenets.training.network import build_network

UNMATCHED = {"midpoint_26", "midpoint_62", "leapfrog_26", "leapfrog_62"}


@pytest.mark.parametrize("net", ["hamiltonian_74", "resnet_32", "midpoint_26", "hamiltonian_1202"])
def test_counts_are_those_of_the_table_where_a_layout_is_known(net):
    fits = [
        all(
            paper is None or counting.printed(found[data], paper) == paper
            for data, paper in zip(("cifar10", "cifar100"), TABLE[net].parameters, strict=True)
        )
        for found in map(measured, (study for study in counts() if study.net == net))
    ]
    assert any(fits) == (net not in UNMATCHED)


def test_the_claim_on_counts_names_what_no_layout_fits():
    finding = counting.parameters(made_up(PAPER, {"counts": measured}))
    assert finding.verdict == PARTLY
    assert finding.ours.startswith("8 of 12")
    assert all(TABLE[net].name in finding.note for net in UNMATCHED)
    assert "77.5 M" in finding.note
    assert "No one choice fits all three" in finding.note
    rows = counting.count_table(made_up(PAPER, {"counts": measured})).set_index("net")
    assert (
        rows["what fits the paper"]["Hamiltonian-1202"]
        == "after_first_block, norms; before_first_block, one bias"
    )
    assert (rows["what fits the paper"] == "none").sum() == len(UNMATCHED)
    assert {TABLE[net].name for net in UNMATCHED} | {"Hamiltonian-218"} == set(
        rows.index[rows["trained here fits"] == "no"]
    )


@pytest.mark.parametrize("profile", PROFILES)
def test_every_claim_and_drawing_asks_for_groups_of_the_plan(profile):
    plan = PAPER.plan(profile, 2)
    for needs in [claim.needs for claim in PAPER.claims] + [
        drawing.needs for drawing in (PAPER.tables | PAPER.figures).values()
    ]:
        assert set(needs) <= set(plan)
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)
    works = unique(list(plan.values()))
    assert len({work.name for work in works}) == len(works)


@pytest.mark.parametrize(
    ("profile", "groups"),
    [
        ("quick", ("hamiltonian_74", "few", "ablations", "deep")),
        ("full", ("few", "tuning")),
        ("paper", ("hamiltonian_74", "few", "cifar100", "deep", "stl10")),
    ],
)
def test_a_run_of_the_plan_is_what_its_command_makes(profile, groups):
    plan = PAPER.plan(profile, 1)
    same_by_command(plan[group][-1] for group in groups)


def test_the_penalty_has_its_own_seeds():
    rows = made_up(PAPER, {"ablations": lambda work: {"test_accuracy": 0.9}}, "full", None)[
        "ablations"
    ]
    penalised = rows["optim.smoothness"] > 0
    assert rows[penalised]["seed"].nunique() == 40
    assert rows[rows["h"] == 1]["seed"].nunique() == 10
    assert sorted(rows[penalised]["seed"]) == list(range(40))


def test_the_small_nets_are_of_one_size():
    runs = [small(family, 0, 1).resolved for family in SMALL]
    sizes = [
        sum(parameter.numel() for parameter in build_network(run, run.dataset.facts).parameters())
        for run in runs
    ]
    assert max(sizes) < 1.035 * min(sizes)


def test_nets_of_cifar_that_are_inverted_are_trained_anyway():
    plan = PAPER.plan("full", None)
    inverted = {work.training.name for work in plan["trained"] if work.dataset == "cifar10"}
    assert len(inverted) == 3
    assert inverted <= {work.name for work in plan["few"]}


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
    assert resolve(compose(f"experiment=chang2018/{net}")).name == table(net, "cifar10", 0).name


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
    run = table("hamiltonian_74", "cifar10", 0).resolved
    assert (run.config.epochs * 500, run.config.batch, run.config.optim.weight_decay) == (
        80_000,
        100,
        2e-4,
    )
    assert run.net.widths == configured("hamiltonian_74")["widths"]
