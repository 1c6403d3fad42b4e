"""Chang et al. 2018, claims 2, 3 and 11: criteria on inverses, memory, time and stability."""

from functools import partial

import numpy as np
import pytest
from conftest import made_up

from experiments.chang2018 import PAPER
from experiments.chang2018.claims import inversion, stability
from experiments.chang2018.studies.building import REVERSIBLE
from experiments.chang2018.studies.inversion import OVERFLOW
from stablenets.claims.criteria import HELD, OPEN, REFUTED, condition

results = partial(made_up, PAPER)


def states(check, found):
    """The states of the criteria of a check."""
    return [criterion.state for criterion in check(found)]


def units(error=1e-14, growth=1.0, lost=lambda work: False):
    """Results of units of random weights; those that are `lost` have an error of 1."""

    def entry(work):
        is_lost = lost(work)
        return {"first": 1.0 if is_lost else error, "growth": 1e9 if is_lost else growth}

    return {"inverse": entry}


def test_an_inverse_at_any_depth_is_judged_at_the_deepest_unit():
    assert states(inversion.random_inverse, results(units(), "full")) == [HELD] * 6
    deepest = units(lost=lambda work: work.blocks == 1000 and work.net == "hamiltonian")
    assert states(inversion.random_inverse, results(deepest, "full")) == [
        *[REFUTED] * 2,
        *[HELD] * 4,
    ]


def test_an_inverse_is_judged_at_moderate_steps_and_by_precision():
    large_step = units(lost=lambda work: work.h > 0.1)
    assert states(inversion.random_inverse, results(large_step, "full")) == [HELD] * 6
    found = results(units(error=1e-5), "full")  # good enough in float32 only
    assert states(inversion.random_inverse, found) == [REFUTED, HELD] * 3


@pytest.mark.parametrize(
    ("profile", "lost_at", "expected"),
    [
        ("full", 300, [*[HELD] * 6, HELD]),
        ("full", 100, [*[REFUTED] * 6, HELD]),
        ("quick", 300, [*[HELD] * 6, REFUTED]),
    ],
)
def test_the_inverse_at_the_depths_of_the_table_needs_a_hundred_blocks(profile, lost_at, expected):
    found = results(units(lost=lambda work: work.blocks >= lost_at), profile)
    criteria = list(inversion.inverse_of_the_table(found))
    assert [criterion.state for criterion in criteria] == expected
    assert criteria[-1] == condition(criteria[-1])


def test_the_label_of_the_worst_unit_says_of_how_many():
    label = next(inversion.random_inverse(results(units(), "full", None))).label
    assert "worst of 2 seeds x 2 steps h x 6 depths, 1,000 blocks in a unit at most" in label


def test_the_source_says_once_that_values_are_capped():
    sources = {claim.id: claim.source for claim in PAPER.claims}
    for id in ("2a", "11c"):
        assert f"above {OVERFLOW:.0e} are stored as {OVERFLOW:.0e}" in sources[id]


@pytest.mark.parametrize(
    ("error", "expected"),
    [(1e-14, [HELD] * 2), (1e-11, [HELD, REFUTED]), (0.1, [REFUTED] * 2)],
)
def test_inverses_of_trained_networks_are_judged_by_precision(error, expected):
    found = results({"trained": lambda work: {"float32": error, "float64": error}}, "full")
    criteria = list(inversion.trained_inverse(found))
    assert [criterion.state for criterion in criteria] == expected
    assert "18 blocks in all at most" in criteria[0].label


def memory(kept=1.0, step=1.0):
    def bytes_kept(work):
        return {
            "bytes": 1e6
            * (kept ** (work.blocks > 6) if work.backward == "reverse" else work.blocks)
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
    criteria = list(inversion.activation_memory(memory(kept, step)))
    assert [criterion.state for criterion in criteria] == expected
    assert all("ratio of 60 to 6 blocks in a unit" in each.label for each in criteria)


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
    (criterion,) = inversion.overhead(found)
    assert criterion.state == state
    assert "batch 10," in criterion.label


@pytest.mark.parametrize(
    ("wrong", "single", "expected"),
    [
        (0, 1e-3, [HELD, HELD]),
        (18, 1e-3, [REFUTED, HELD]),
        (100, 1e-3, [REFUTED, HELD]),
        (0, 0.1, [HELD, REFUTED]),
    ],
)
def test_gradients_are_judged_by_precision_at_all_depths(wrong, single, expected):
    def difference(work):
        double = 1e-3 if work.blocks == wrong else 1e-13
        return {"difference": single if work.dtype == "float32" else double}

    assert states(inversion.gradients, results({"gradients": difference}, "full")) == expected


@pytest.mark.parametrize(
    ("gap", "expected"),
    [(0.0, [HELD, HELD]), (0.02, [HELD, REFUTED]), (-0.02, [REFUTED, HELD])],
)
def test_trainings_by_inversion_are_compared_on_both_sides(gap, expected):
    def entry(work):
        is_inverted = work.resolved.config.backward == "reverse"
        return {"test_accuracy": 0.9 + gap * is_inverted + 1e-4 * work.seed}

    found = results(dict.fromkeys(("inverted", "digits"), entry), "full")
    assert states(inversion.trained_by_inversion, found) == expected


@pytest.mark.parametrize(
    ("ends", "state"),
    [
        ({"largest": 1.0, "smallest": 1.0}, HELD),
        ({"largest": 1.001, "smallest": 1.0}, REFUTED),
        ({"largest": 1.0, "smallest": 0.5}, REFUTED),
    ],
)
@pytest.mark.parametrize(
    ("check", "group"),
    [
        (stability.random_blocks, "eigenvalues"),
        (stability.trained_blocks, "trained_eigenvalues"),
    ],
)
def test_eigenvalues_are_judged_on_both_sides_by_one_bar(check, group, ends, state):
    assert states(check, results({group: lambda work: ends}, "full")) == [state] * 3


@pytest.mark.parametrize(("growth", "state"), [(3.0, HELD), (30.0, REFUTED), (1 / 30, REFUTED)])
def test_a_stable_unit_neither_amplifies_nor_damps(growth, state):
    assert states(stability.stable, results(units(growth=growth), "full")) == [state] * 6


def test_stability_at_the_depths_of_the_table_is_judged_apart():
    found = results(units(lost=lambda work: work.blocks > 100), "full")
    assert states(stability.stable, found) == [*[HELD] * 3, *[REFUTED] * 3]
    one = results(units(lost=lambda work: work.net == REVERSIBLE[1]), "full")
    assert states(stability.stable, one) == [HELD, REFUTED, HELD] * 2
