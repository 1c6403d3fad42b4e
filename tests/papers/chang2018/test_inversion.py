"""Chang et al. 2018: what inversion loses, saves and costs, measured and judged."""

from functools import partial

import numpy as np
import pytest
from conftest import made_up, measured

from experiments.chang2018 import PAPER, inverting, saving, studies
from experiments.chang2018.look import block_axis
from experiments.chang2018.settings import small
from experiments.chang2018.studies import (
    OVERFLOW,
    REVERSIBLE,
    Cost,
    Gradients,
    Inverse,
    Kept,
    Overhead,
    Peak,
    TrainedInverse,
)
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED, UNDECIDED
from stablenets.claims.work import RunContext
from stablenets.plotting.figures import new_figure

results = partial(made_up, PAPER)


@pytest.mark.parametrize("net", REVERSIBLE)
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("float64", 1e-14)])
def test_a_unit_inverts_to_rounding(net, dtype, error):
    assert measured(Inverse(net, 18, 0.1, dtype))["first"] < error


def test_an_inverse_that_overflows_is_a_number():
    found = measured(Inverse("midpoint", 400, 1.0, "float32"))
    assert found["first"] == found["growth"] == OVERFLOW


@pytest.mark.parametrize(
    ("net", "block_norm"),
    [
        ("hamiltonian", "none"),
        ("hamiltonian", "batch"),
        ("midpoint", "none"),
        ("leapfrog", "batch"),
        ("revnet", ""),
    ],
)
def test_gradients_by_inversion_are_the_stored_ones(net, block_norm):
    assert measured(Gradients(net, block_norm, blocks=2))["difference"] < saving.EQUAL
    assert (
        saving.EQUAL
        < measured(Gradients(net, block_norm, blocks=2, dtype="float32"))["difference"]
        < 1e-3
    )


def test_what_overflows_is_called_so_and_ticks_do_not_touch():
    assert (inverting.grown(12.0), inverting.grown(OVERFLOW)) == ("12", "overflow")
    _, (axes,) = new_figure(1)
    block_axis(axes, [6, 18, 54, 100, 300])
    assert list(axes.get_xticks()) == [6, 18, 54, 300]


def test_a_peak_that_cannot_be_measured_says_why(monkeypatch):
    monkeypatch.setattr(studies, "deep", lambda blocks, mode: {"dataset": {"name": "digits"}})
    says = r"(?s)chang2018.peak .* ended with 1.*BadInput: net: missing"
    with pytest.raises(RuntimeError, match=says):
        Peak("reverse", 2, 1).measure(None)


@pytest.mark.parametrize(("backward", "flat"), [("store", False), ("reverse", True)])
def test_memory_is_flat_in_depth_by_inversion_alone(backward, flat):
    few_blocks, many = (measured(Kept(backward, blocks, 2))["bytes"] for blocks in (2, 8))
    assert (many < saving.FLAT * few_blocks) == flat


def test_peak_and_time_are_measured():
    peak = measured(Peak("reverse", 2, 2))
    assert peak["peak"] >= peak["start"] > peak["weights"] > 0
    for study, name in (
        (Overhead(1, 2), "reverse"),
        (Cost("digits", 1, 2), "resnet_bn"),
        (Cost("cifar10", 1, 2), "hamiltonian"),
    ):
        metrics, arrays = study.measure(None)
        assert min(metrics.values()) > 0
        assert len(arrays[name]) == 2


@pytest.mark.parametrize(
    ("kept", "step", "verdict"),
    [(1.0, 1.0, REPRODUCED), (1.0, 1.2, PARTLY), (1.2, 1.2, NOT_REPRODUCED)],
)
def test_memory_is_judged_on_what_is_kept_and_on_the_peak(kept, step, verdict):
    def bytes_kept(work):
        return {
            "bytes": (
                1e6 * (kept ** (work.blocks > 2) if work.backward == "reverse" else work.blocks)
            ),
            "machine": 1e9,
        }

    def at_peak(work):
        needs = 1e6 * step ** (work.blocks > 6) if work.backward == "reverse" else 1e6 * work.blocks
        return {
            "peak": needs + 1e6 + work.blocks,
            "start": 1e6 + work.blocks,
            "weights": 10.0 * work.blocks,
        }

    found = results({"memory": bytes_kept, "peak": at_peak})
    assert saving.memory(found).verdict == verdict
    assert saving.holds(found) == pytest.approx(1e9 / 1e6 - 1, abs=2)
    rows = saving.peak_table(found).set_index("mode").loc["reverse"]
    assert {"at the peak", "before the steps, reckoned", "what a step needs beside that"} <= set(
        rows.columns
    )
    assert list(saving.memory_table(found).columns) == [
        "blocks a unit",
        "store",
        "checkpoint",
        "reverse",
    ]


@pytest.mark.parametrize(
    ("profile", "grown", "verdict"),
    [
        ("full", 1.0, REPRODUCED),
        ("full", 1e4, NOT_REPRODUCED),
        ("quick", 1.0, NOT_RUN),
        ("quick", 1e4, NOT_REPRODUCED),
    ],
)
def test_the_whole_peak_is_said_apart_and_is_flat_over_hundreds_of_blocks_alone(
    profile, grown, verdict
):
    def at_peak(work):
        return {"peak": 2e6 + grown * work.blocks, "start": 1e6, "weights": 10.0 * work.blocks}

    assert saving.whole_peak(results({"peak": at_peak}, profile)).verdict == verdict


@pytest.mark.parametrize(
    ("ratios", "verdict"),
    [
        ([1.3] * 7, REPRODUCED),
        ([1.3, 1.3, 1.3, 1.3, 1.3, 1.5, 1.5], UNDECIDED),
        ([1.5] * 7, NOT_REPRODUCED),
        ([1.3, 1.3, 1.3], UNDECIDED),
    ],
)
def test_noise_does_not_make_inversion_cheap(ratios, verdict):
    rounds = {
        "store": np.ones(len(ratios)),
        "checkpoint": np.ones(len(ratios)),
        "reverse": np.array(ratios),
    }
    assert (
        saving.overhead(results({"overhead": lambda work: ({"reverse": 1.3}, rounds)})).verdict
        == verdict
    )


@pytest.mark.parametrize(("error", "verdict"), [(1e-15, REPRODUCED), (1.0, NOT_REPRODUCED)])
def test_inversion_is_judged_on_every_bound(error, verdict):
    found = results(
        {
            "inverse": lambda work: {"first": error, "growth": 1.0},
            "trained": lambda work: {"float64": error, "float32": error, "before": error},
        }
    )
    assert inverting.inverts(found).verdict == verdict
    assert "of 6 to 9 blocks in all" in inverting.inverts(found).note


@pytest.mark.parametrize(("deeper", "verdict"), [(18, NOT_REPRODUCED), (100, REPRODUCED)])
def test_gradients_are_judged_in_double_precision_to_the_depth_of_the_table(deeper, verdict):
    def difference(work):
        return {"difference": 1e-3 if work.dtype == "float32" or work.blocks == deeper else 1e-13}

    accuracy = {"test_accuracy": 0.8}
    found = results(
        {
            "gradients": difference,
            "hamiltonian_74": lambda work: accuracy,
            "inverted": lambda work: accuracy,
        },
        "full",
    )
    assert saving.gradients(found).verdict == verdict
    assert {"float64, 18 blocks", "float32, 6 blocks"} < set(saving.gradient_table(found).columns)


def test_training_by_inversion_is_compared_seed_by_seed():
    def entry(work):
        return {"test_accuracy": 0.8 + 0.003 * work.seed}

    finding = saving.gradients(
        results(
            {
                "gradients": lambda work: {"difference": 1e-13},
                "hamiltonian_74": entry,
                "inverted": entry,
            }
        )
    )
    assert finding.verdict == REPRODUCED
    assert finding.low == finding.high == 0


def test_trained_nets_are_inverted(tmp_path):
    place = RunContext(tmp_path, "make")
    training = small("hamiltonian", 0, 1, limit=64)
    assert training.run(place).status == "done"
    metrics, _ = TrainedInverse(training).measure(place)
    assert metrics["float64"] < 1e-13 < metrics["float32"] < 1e-4
