"""Chang et al. 2018, claim 5: which trainings on few data decide."""

import math
from functools import partial

import pytest
from conftest import made_up

from experiments.chang2018 import PAPER, figures
from experiments.chang2018.claims import few_data
from stablenets.claims.criteria import HELD, REFUTED
from stablenets.claims.pages import is_complete

EVERY_CELL = {(400, 1), (400, 2), (400, 5), (400, 10), (1000, 1), (1000, 5), (2500, 5)}
results = partial(made_up, PAPER)


def accuracies(lead, groups=("few", "few_short"), profile="full"):
    """Hamiltonian ahead of ResNet by `lead(steps, percent)`, both better with more steps."""

    def entry(work):
        run = work.resolved
        percent = round(90 * run.common.train_fraction, 4)
        steps = run.config.epochs * math.ceil(500 * percent / 100)
        ours = lead(steps, percent) * (run.net.family == "hamiltonian")
        return {
            "test_accuracy": 0.5 + ours + 1e-4 * min(steps, 3000) + 1e-4 * work.seed,
            "train_accuracy": 0.9,
            "steps": float(steps),
        }

    return results(dict.fromkeys(groups, entry), profile, None)


def states(check, found):
    """The states of the criteria of a check."""
    return [criterion.state for criterion in check(found)]


def test_every_training_decides_the_sign_in_one_of_two_claims():
    found = accuracies(lambda steps, percent: 0.05)
    assert {(int(steps), int(percent)) for steps, percent in few_data.few_gaps(found["few"])} == (
        EVERY_CELL
    )
    criteria = [
        *few_data.few_data(found),
        *few_data.few_data_in_a_short_training(found),
    ]
    assert [criterion.state for criterion in criteria] == [HELD] * len(EVERY_CELL)
    labels = {criterion.label for criterion in criteria}
    assert all(
        any(f"{percent} % of the images, {steps:,} steps:" in label for label in labels)
        for steps, percent in EVERY_CELL
    )


def test_a_network_that_is_behind_in_one_training_refutes_its_criterion():
    found = accuracies(lambda steps, percent: -0.05 if (steps, percent) == (400, 10) else 0.05)
    assert states(few_data.few_data_in_a_short_training, found) == [REFUTED, HELD, HELD, HELD]
    assert states(few_data.few_data, found) == [HELD] * 3
    found = accuracies(lambda steps, percent: -0.05 if steps == 2500 else 0.05)
    assert states(few_data.few_data, found) == [REFUTED, HELD, HELD]


def test_the_papers_recipe_decides_up_to_five_per_cent():
    found = accuracies(lambda steps, percent: 0.05, ("few",), "paper")
    assert states(few_data.few_data, found) == [HELD] * 6
    assert states(few_data.few_data_lead, found) == [HELD]


def test_digits_yield_no_criteria_on_cifar():
    found = accuracies(lambda steps, percent: 0.05, profile="quick")
    assert states(few_data.few_data, found) == states(few_data.few_data_lead, found) == []
    assert not is_complete(PAPER.tables["few_equal_cost"], found)
    assert len(figures.few_data.few_table(found)) == 3


@pytest.mark.parametrize(("lead", "expected"), [(0.05, [HELD] * 2), (0.02, [REFUTED] * 2)])
def test_the_lead_is_compared_with_half_of_the_papers_but_for_short_trainings(lead, expected):
    assert states(few_data.few_data_lead, accuracies(lambda steps, percent: lead)) == expected


@pytest.mark.parametrize(("lead", "state"), [(0.3, HELD), (0.02, REFUTED)])
def test_at_equal_cost_resnet_has_more_steps(lead, state):
    found = accuracies(lambda steps, percent: lead)
    gaps = few_data.few_gaps_at_equal_cost(found)
    assert {(gap.percent, *gap.steps, *gap.precisions) for gap in gaps} == {
        (1.0, 400.0, 1000.0, "float32", "bfloat16"),
        (5.0, 400.0, 1000.0, "float32", "bfloat16"),
        (5.0, 1000.0, 2500.0, "bfloat16", "bfloat16"),
    }
    assert states(few_data.few_data_at_equal_cost, found) == [state] * 2
    assert states(few_data.fewest_data_at_equal_cost, found) == [state]
