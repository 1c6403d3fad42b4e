"""Galimberti et al. 2023, claims 1, 3, 5, 6 and 10: verdicts and words on made-up results, and what
their studies measure.
"""

from functools import partial

import numpy as np
import pytest
from conftest import made_up

from experiments.galimberti2023 import PAPER, depth, theory, volume
from experiments.galimberti2023.coupled import Coupled
from experiments.galimberti2023.networks import EULER, PLAIN, RANDOM_X, SINGULAR_X
from experiments.galimberti2023.studies import Spread
from stablenets.claims.claim import NOT_REPRODUCED, PARTLY, REPRODUCED
from stablenets.claims.work import RunContext

results = partial(made_up, PAPER)


def symplectic(
    layer: float = 1e-16, product: float = 1e-15, trained: float = 1e-15, wrong: float = 0.3
):
    def entry(product):
        def metrics(work):
            told = getattr(work, "net", "H2") in (RANDOM_X, SINGULAR_X)
            return {
                "layer": layer,
                "product": product,
                "wrong_transpose": wrong + 0.1 * work.seed if told else 1e-15,
                "determinant": 1e-16,
                "test_accuracy": 0.9,
            }

        return metrics

    return results({"symplectic": entry(product), "trained": entry(trained)})


@pytest.mark.parametrize(
    ("defects", "verdict"),
    [
        ({}, REPRODUCED),
        ({"trained": 1e-3}, PARTLY),
        ({"wrong": 1e-15}, PARTLY),
        ({"layer": 1e-3, "product": 1e-3, "trained": 1e-3}, NOT_REPRODUCED),
    ],
)
def test_any_x_is_to_be_symplectic_before_and_after_training(defects, verdict):
    assert theory.symplectic(symplectic(**defects)).verdict == verdict


def test_the_wrong_transpose_is_given_by_its_smallest_defect():
    found = symplectic(wrong=0.03)
    assert "at least 0.03" in theory.symplectic(found).ours
    table = theory.symplectic_table(found).set_index("net")["wrong transpose, smallest"]
    assert set(table[RANDOM_X]) == {0.03} == set(table[[f"{SINGULAR_X}, trained"]])
    assert "passes for a random" in theory.symplectic(symplectic(wrong=1e-15)).note


@pytest.mark.parametrize("net", [RANDOM_X, SINGULAR_X])
def test_a_net_whose_x_is_not_the_identity_stays_symplectic_in_training(net, tmp_path):
    found, _ = Coupled(net, layers=4, epochs=1).measure(RunContext(tmp_path, "make"))
    assert max(found["layer"], found["product"]) < theory.ROUNDING
    assert found["wrong_transpose"] > theory.TOLD
    assert found["moved"] > 0.1


def spread(inflates: bool = True, keeps: bool = True, conserved: bool = True, lowest: float = 1.0):
    def entry(work: Spread):
        log10 = (
            (0.3 * work.h if inflates else -0.1) if work.net in EULER else 1e-16 if keeps else 0.1
        )
        canonical = work.net in theory.CANONICAL and conserved
        metrics = {
            "norm": 2.0,
            "lowest": 0.0 if work.net == PLAIN else lowest,
            "log10_determinant": log10,
        }
        return (
            metrics
            if work.net == PLAIN
            else metrics
            | {
                "smallest": 0.5,
                "pair": 1.0,
                "defect": 1e-15 if canonical else 1.0,
                "scaled_defect": 1e-16 if canonical else 0.1,
            }
        )

    return results(dict.fromkeys(volume.GROUPS, entry))


@pytest.mark.parametrize(
    ("holds", "verdict"),
    [
        ({}, REPRODUCED),
        ({"lowest": 0.9}, PARTLY),
        ({"inflates": False}, PARTLY),
        ({"keeps": False}, PARTLY),
        ({"conserved": False}, PARTLY),
        ({"inflates": False, "keeps": False, "conserved": False}, NOT_REPRODUCED),
    ],
)
def test_volume_is_judged_by_determinant_defect_and_bound(holds, verdict):
    assert volume.separates(spread(**holds)).verdict == verdict


def test_words_on_volume_follow_the_numbers():
    good, bad = (
        volume.separates(found).note
        for found in (spread(), spread(inflates=False, keeps=False, lowest=0.9))
    )
    for words in ("holds and tells none", ") inflates volume in every net", "keep it to rounding"):
        assert (words in good, words in bad) == (True, False)
    for words in (
        "does not hold for all",
        "does not inflate volume in every net",
        "do not keep it",
    ):
        assert (words in good, words in bad) == (False, True)


def test_spread_is_measured_example_by_example():
    found = [Spread("H2", 64, 0.5, seed).measure(None)[0] for seed in range(2)]
    assert [own["pair"] for own in found] == pytest.approx([1, 1], abs=1e-9)
    euler = [Spread("H1-J2", 64, h).measure(None)[0] for h in (0.01875, 0.1, 0.5)]
    assert euler[0]["defect"] < euler[1]["defect"] < euler[2]["defect"]


def test_tables_and_figures_of_volume_have_steps_and_depths():
    found = spread()
    assert set(volume.depth_table(found)["fixed"]) == {"hN = 1.2", "h = 0.1"}
    assert volume.depth_table(found)["layers"].nunique() == 5
    assert len(volume.spread_figure(found).axes) == 12
    assert len(volume.plain_figure(found).axes) == 1


def counterexample(power: float, by_ε: float = 0.0):
    def entry(work):
        norms = np.linspace(0.01, 1, 100) ** power * 0.3 * work.T**power * work.epsilon**by_ε
        return (
            {f"quarter_{quarter}": norms[25 * quarter - 1] for quarter in range(1, 5)}
            | {"determinant": 1.0, "length": 1.0},
            {"norms": norms},
        )

    return results({"counterexample": entry}, "full")


@pytest.mark.parametrize(
    ("power", "by_ε", "verdict"),
    [
        (1.0, 0.0, REPRODUCED),
        (0.5, 0.0, PARTLY),
        (1.5, 0.0, PARTLY),
        (1.7, 0.0, PARTLY),
        (1.0, 0.5, PARTLY),
        (0.5, 0.5, NOT_REPRODUCED),
    ],
)
def test_linear_growth_is_not_that_of_another_power(power, by_ε, verdict):
    finding = theory.counterexample(counterexample(power, by_ε))
    assert finding.verdict == verdict
    assert ("do not keep gradients from exploding" in finding.note) == (verdict == REPRODUCED)


def test_every_ε_and_every_time_has_an_exponent():
    found = counterexample(1.2)
    assert theory.counterexample_table(found)["exponent from T/2 to T"].tolist() == pytest.approx(
        [1.2] * 6
    )
    assert theory.counterexample(found).note.count("(ε = ") == 4
    assert "1.200 (εT = 20 to 200)" in theory.counterexample(found).note


@pytest.mark.parametrize(
    ("output", "gradient", "skew", "verdict"),
    [
        (1e-15, 1e-14, 1e-16, REPRODUCED),
        (1e-15, 1e-3, 1e-16, PARTLY),
        (1e-15, 1e-14, 1.0, PARTLY),
        (1e-3, 1e-3, 1e-16, NOT_REPRODUCED),
    ],
)
def test_one_equation_gives_outputs_and_gradients_of_all(output, gradient, skew, verdict):
    found = results(
        {"general": lambda work: {"output": output, "gradient": gradient, "skew": skew}}
    )
    assert theory.framed(found).verdict == verdict


def deep(accuracy: float = 0.99, smallest: float = 1.0, grows: bool = False, seeds: int = 3):
    curve = {
        "steps": np.array([0, 8]),
        "loss": np.array([0.7, 0.01]),
        "train_loss": np.array([0.5, 0.02]),
        "depths": np.array([0, 1, 2, 4]),
        "state_gradients": np.array([[smallest, 2, 1, 1]] * 2),
        "reconstruction_error": np.array([1e-7]),
    }
    return results(
        {
            "deep": lambda work: ({"test_accuracy": accuracy}, curve),
            "memory": lambda work: {
                "bytes": 2000.0 * (work.layers if grows or work.backward != "reverse" else 1)
            },
        },
        "full",
        seeds,
    )


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({}, REPRODUCED),
        ({"smallest": 1e-3}, PARTLY),
        ({"accuracy": 0.5}, PARTLY),
        ({"grows": True}, PARTLY),
        ({"accuracy": 0.5, "smallest": 1e-3}, NOT_REPRODUCED),
    ],
)
def test_a_deep_net_is_to_train_with_gradients_and_at_flat_memory(found, verdict):
    assert depth.trained_deep(deep(**found)).verdict == verdict


@pytest.mark.parametrize(("seeds", "words"), [(3, "median of 3 seeds"), (1, "one seed")])
def test_a_deep_net_is_reported_with_its_loss_and_its_statistic(seeds, words):
    finding = depth.trained_deep(deep(seeds=seeds))
    assert f"training loss 0.5 to 0.02 ({words})" in finding.ours
    assert "Adam" in finding.note
    loss, gradients, _ = depth.deep_figure(deep(seeds=seeds)).axes
    assert len(loss.lines) == seeds
    assert gradients.get_xscale() == "symlog"


def test_the_place_of_symplecticity_is_not_the_lower_bound():
    claims = {claim.id: claim for claim in PAPER.claims}
    assert "Theorem 1" not in claims["1"].place
