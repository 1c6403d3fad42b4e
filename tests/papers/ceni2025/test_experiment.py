"""Ceni 2025: widths that match, what counts as solved, how claims are judged, and a plan whose
parts fit together.
"""

import math
from functools import partial
from itertools import combinations

import numpy as np
import pytest
import torch
from conftest import made_up, same_by_command

from experiments.ceni2025 import PAPER, depth, filters, memory, recall
from experiments.ceni2025.nets import RECURRENT, matched, parameters, parts
from experiments.ceni2025.search import SPACE, Log, drawn
from experiments.ceni2025.settings import memory as memory_net
from experiments.ceni2025.settings import overridden
from experiments.ceni2025.settings import pixels as pixel_net
from experiments.ceni2025.trained import Trained
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, PROFILES, REPRODUCED
from stablenets.claims.ledger import Entry
from stablenets.claims.results import Results
from stablenets.claims.work import Training, unique
from stablenets.nets import RECURRENT_FAMILIES as FAMILIES
from stablenets.nets import SequenceNetwork
from stablenets.training.network import build_network


@pytest.mark.parametrize("family", RECURRENT)
def test_learned_numbers_are_counted_and_matched(family):
    net = SequenceNetwork(FAMILIES[family](), shape=(5, 3), outputs=7, width=11)
    assert parameters(family, 11, 3, 7) == sum(tensor.numel() for tensor in net.parameters())
    wanted = parameters("roarnn", 256, 1, 10)
    assert wanted == 68_618  # docs/papers/ceni2025.md#architectures
    assert abs(parameters(family, matched(family, wanted, 1, 10), 1, 10) / wanted - 1) < 0.01


def test_overrides_lead_into_groups():
    values = {"net": {"family": "roarnn", "alpha": 0.9}, "batch": 32}
    assert overridden(values, {"net.alpha": 1.0, "batch": 64, "dataset.limit": 5}) == {
        "net": {"family": "roarnn", "alpha": 1.0},
        "batch": 64,
        "dataset": {"limit": 5},
    }
    assert values["net"]["alpha"] == 0.9
    training = pixel_net("psdigits", "roarnn", 16, 3, 2, **{"net.alpha": 0.5, "optim.lr": 0.1})
    assert (training.resolved.dynamics.alpha, training.resolved.config.optim.lr, training.seed) == (
        0.5,
        0.1,
        3,
    )


def test_the_draws_of_the_search_follow_their_number_and_stay_in_the_space():
    draws = [drawn(number) for number in range(100)]
    assert draws[7] == drawn(7) != drawn(8)
    for key, values in SPACE.items():
        values = values if isinstance(values, tuple) else (values,)
        found, ranges = (
            {draw[key] for draw in draws},
            [value for value in values if isinstance(value, Log)],
        )
        fixed = set(values) - set(ranges)
        assert fixed <= found
        for ends in ranges:
            low, high = (
                sorted((ends.low, ends.high))
                if ends.below is None
                else sorted((ends.below - ends.low, ends.below - ends.high))
            )
            assert low <= min(found - fixed) < max(found - fixed) <= high
        assert ranges or found == fixed


@pytest.mark.parametrize("task", ["adding", "copy"])
def test_roarnn_writes_only_where_it_is_called(task):
    """Adding: at first no unit is awake at an unmarked input, so that its step is the filter
    alone.
    """
    training = memory_net(task, 30, "roarnn", 0, 1, 1)
    assert not training.resolved.net.gain
    if task == "adding":
        dynamics = training.resolved.dynamics
        torch.manual_seed(0)
        U = dynamics.learned(64, 2, 0.0)["U"]
        assert (U[:, 0] + dynamics.bias_init).max() < 0 < (U.sum(1) + dynamics.bias_init).max()


@pytest.mark.parametrize("profile", PROFILES)
def test_every_claim_and_drawing_asks_for_groups_of_the_plan(profile):
    plan = PAPER.plan(profile, 2)
    empty = {
        "smoke": ["deep_more", "hasty"],
        "paper": ["hasty"],
        "quick": ["hasty", "memory_rates", "rates_chrono", "rates_long", "pixels_faster"],
    }
    assert [group for group in plan if not plan[group]] == empty.get(profile, [])
    for needs in [claim.needs for claim in PAPER.claims] + [
        drawing.needs for drawing in (PAPER.tables | PAPER.figures).values()
    ]:
        assert set(needs) <= set(plan)
    assert {claim.figure for claim in PAPER.claims} - {""} <= set(PAPER.figures)
    works = unique(list(plan.values()))
    assert len({work.name for work in works}) == len(works)
    sizes = {}
    for work in [*plan["first"], *plan["first_lstm"], *plan["first_others"]]:
        sizes.setdefault(work.resolved.net.family, work.resolved.net.widths[0])
    assert sizes["roarnn"] == sizes["rnn"] > sizes["gru"] > sizes["lstm"]


def test_no_seed_of_a_choice_stands_in_a_table():
    plan = PAPER.plan("full", None)
    chosen_by = ("search", "sensitivity", "rates", "rates_long", "memory_rates", "deep_rates")
    assert min(work.seed for group in chosen_by for work in plan[group]) >= 100
    told = [
        name
        for group in ("first", "pixels", "control", "adding", "copy", "hidden")
        for name in parts(group)
    ]
    assert (
        max(work.seed for group in (*told, *depth.GROUPS, "longer") for work in plan.get(group, ()))
        < 100
    )
    assert len(plan["search"]) >= 40


def test_what_stands_beside_a_net_has_its_budget():
    plan = PAPER.plan("full", None)

    def epochs(*groups):
        return {
            work.resolved.config.epochs
            for group in groups
            for work in plan[group]
            if (work.dataset, work.resolved.dataset.length) == ("copy", 10_000)
        }

    assert epochs("copy", "copy_others", "convex", "readout", "chrono") == {16}
    assert epochs("hasty") == {8}
    assert [work.seed for work in plan["hasty"]] == [work.seed for work in plan["copy"]]


def test_a_run_of_the_plan_is_what_its_command_makes():
    plan = PAPER.plan("full", 1)
    groups = (
        "deep",
        "deep_others",
        "no_layers",
        "frozen_layers",
        "longer",
        "deep_rates",
        "adding",
        "copy_others",
        "unclipped",
        "convex",
        "hasty",
        "readout",
        "chrono",
        "filters",
        "pixels",
        "frozen",
        "hidden_others",
        "sensitivity",
        "search",
    )
    same_by_command(plan[group][-1] for group in groups)


def test_trained_nets_are_looked_at(place):
    plan = PAPER.plan("smoke", 1)
    studies, angle = [*plan["trained"], *plan["trained_in_time"]], plan["angles"][0]
    assert [study.dataset for study in studies] == [
        "digits",
        "psdigits",
        "psdigits",
        "adding",
        "copy",
    ]
    for study in (*studies, angle):
        assert study.training.run(place).status == "done"
    for study in studies:
        metrics, arrays = Trained(study.training, 2).measure(place)
        for when in ("_before", ""):
            assert metrics[f"low{when}"] - 1e-9 <= metrics.get(f"smallest{when}", math.inf)
            assert metrics[f"largest{when}"] <= metrics[f"high{when}"] + 1e-9
            assert metrics[f"least{when}"] <= metrics[f"first{when}"] <= metrics[f"most{when}"]
            assert len(arrays[f"gradients{when}"]) == len(arrays["depths"])
        assert metrics["norm_W"] != metrics["norm_W_before"]
        assert ("moved_W" in metrics) == (metrics["norm_W_before"] > 0)
    assert 0 <= filters.Steady(angle.training).measure(place)[0]["angle"] <= math.pi


results = partial(made_up, PAPER, seeds=3)


def learning(error: dict[str, float]):
    """Memory runs that come to an error in three epochs, by family."""

    def entry(work: Training):
        last = error[work.resolved.net.family]
        loss = np.array([1.0, (1.0 + last) / 2, last])
        length = work.resolved.dataset.length
        accuracy = 1 - loss * 10 / (length + 20) if work.dataset == "copy" else np.full(3, np.nan)
        arrays = {"step": np.array([10.0, 20.0, 30.0]), "train_loss": loss} | {
            f"{split}_{name}": value
            for split in ("validation", "test")
            for name, value in (("loss", loss), ("accuracy", accuracy))
        }
        return {"steps": 30.0, "parameters": 10.0}, arrays

    return entry


@pytest.mark.parametrize(
    ("profile", "ours", "verdict"),
    [("quick", 1e-3, NOT_RUN), ("full", 1e-3, REPRODUCED), ("full", 0.5, NOT_REPRODUCED)],
)
def test_memory_is_judged_at_the_length_of_the_claim(profile, ours, verdict):
    made = learning({"roarnn": ours, "lstm": 0.2, "gru": 0.2, "rnn": 0.2})
    every = [
        group for group in (*parts("adding"), *parts("copy")) if group in PAPER.plan(profile, 3)
    ]
    alone, found = (
        results(dict.fromkeys(groups, made), profile)
        for groups in (("adding", "copy"), (*every, *memory.CONTROLS))
    )
    for known, others in ((alone, False), (found, True)):
        finding = memory.remembers(known)
        assert finding.verdict == verdict
        assert ("LSTM not solved" in finding.ours) == others
        assert ("its readout alone" in finding.note) == others
    rows = recall.outcomes(found, "copy")
    assert set(rows[rows["family"] == "roarnn"]["solved_at"]) == {30.0 if ours < 0.01 else math.inf}


def test_one_task_of_two_is_a_part():
    found = results(
        {"adding": learning({"roarnn": 1e-3}), "copy": learning({"roarnn": 0.5})}, "full"
    )
    finding = memory.remembers(found)
    assert finding.verdict == PARTLY
    assert "roaRNN at step 30 (3 seeds)" in finding.ours
    assert "roaRNN not solved (3 seeds)" in finding.ours


def test_what_is_lost_again_or_not_brought_to_its_end_is_not_solved():
    (work,) = PAPER.plan("smoke", 1)["adding"]
    curves = {"step": np.array([10.0, 20.0]), "validation_loss": np.array([1e-3, 1.0])}
    for status, last, at in (
        ("done", 1e-3, 10.0),
        ("done", 0.5, math.inf),
        ("diverged", 1e-3, math.inf),
    ):
        made = Entry(status, {}, {}, {}, curves | {"test_loss": np.array([1e-3, last])})
        assert recall.solved_at(work, Results({}, {work.name: made})) == at


def test_the_error_of_copying_is_the_share_of_symbols_not_said_again():
    arrays = {
        "test_accuracy": np.array([1.0, 1 - 5 / 120, 1 - 60 / 120])
    }  # five of ten symbols wrong; and wrong blanks beside them
    assert recall.wrong("copy", 100, arrays, "test") == pytest.approx([0.0, 0.5, 1.0])
    assert recall.memoryless("copy", 100) == pytest.approx(10 * math.log(8) / 120)


@pytest.mark.parametrize(("still_fails", "verdict"), [(False, REPRODUCED), (True, PARTLY)])
def test_the_filter_is_judged_by_its_eigenvalue(still_fails, verdict):
    def angle(work):
        return {
            "angle": (
                0.1 if work.training.resolved.dynamics.filter == "haar" and work.seed % 2 else 0.0
            )
        }, {}

    def run(work):
        moving = work.resolved.dynamics.filter == "haar" and work.seed % 2
        return learning({"roarnn": 0.2 if moving or still_fails else 1e-3})(work)

    finding = filters.which_filter(results({"filters": run, "angles": angle}))
    assert finding.verdict == verdict


def test_no_filter_counts_twice():
    """`haar_fixed_axis` is Haar's draw of the same seed wherever that has the eigenvalue 1."""
    found = []
    for work in PAPER.plan("full", None)["filters"]:
        torch.manual_seed(work.seed)
        found.append(build_network(work.resolved, work.resolved.dataset.facts).units[0].O)
    assert not any(torch.allclose(one, other) for one, other in combinations(found, 2))
