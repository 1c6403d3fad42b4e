"""Chang et al. 2018: what inversion loses, saves and costs, and the parameters of the table."""

import pytest
from conftest import measured

from experiments.chang2018.published import TABLE
from experiments.chang2018.runs import RUNS
from experiments.chang2018.studies import memory
from experiments.chang2018.studies.building import REVERSIBLE
from experiments.chang2018.studies.eigenvalues import BlockEigenvalues, TrainedBlockEigenvalues
from experiments.chang2018.studies.inversion import (
    OVERFLOW,
    GradientError,
    InverseError,
    TrainedInverseError,
)
from experiments.chang2018.studies.memory import BackwardMemory, PeakMemory
from experiments.chang2018.studies.step_times import StepCost, StepOverhead
from experiments.chang2018.trainings import small
from stablenets.claims.work import RunContext

UNMATCHED = {"midpoint_26", "midpoint_62", "leapfrog_26", "leapfrog_62"}


@pytest.mark.parametrize("net", REVERSIBLE)
@pytest.mark.parametrize(("dtype", "error"), [("float32", 1e-5), ("float64", 1e-14)])
def test_a_unit_inverts_to_rounding(net, dtype, error):
    assert measured(InverseError(net, 18, 0.1, dtype))["first"] < error


def test_an_inverse_that_overflows_is_a_number():
    found = measured(InverseError("midpoint", 400, 1.0, "float32"))
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
    assert measured(GradientError(net, block_norm, blocks=2))["difference"] < 1e-10
    assert (
        1e-10
        < measured(GradientError(net, block_norm, blocks=2, dtype="float32"))["difference"]
        < 1e-3
    )


def test_a_peak_that_cannot_be_measured_says_why(monkeypatch):
    values = {"dataset": {"name": "digits"}}
    monkeypatch.setattr(memory, "deep_hamiltonian", lambda blocks, backward: values)
    with pytest.raises(RuntimeError, match=r"(?s)peak .* ended with 1.*BadInput: net: missing"):
        PeakMemory("reverse", 2, 1).measure(None)


@pytest.mark.parametrize(("backward", "flat"), [("store", False), ("reverse", True)])
def test_memory_is_flat_in_depth_by_inversion_alone(backward, flat):
    few_blocks, many = (measured(BackwardMemory(backward, blocks, 2))["bytes"] for blocks in (2, 8))
    assert (many < 1.1 * few_blocks) == flat


def test_peak_and_time_are_measured():
    peak = measured(PeakMemory("reverse", 2, 2))
    assert peak["peak"] >= peak["start"] > peak["weights"] > 0
    for study, name in (
        (StepOverhead(1, 2), "reverse"),
        (StepCost("digits", 1, 2), "resnet_bn"),
        (StepCost("cifar10", 1, 2), "hamiltonian"),
    ):
        metrics, arrays = study.measure(None)
        assert min(metrics.values()) > 0
        assert len(arrays[name]) == 2


def test_trained_nets_are_inverted(tmp_path):
    place = RunContext(tmp_path, "make")
    training = small("hamiltonian", 0, 1, limit=64)
    assert training.run(place).status == "done"
    metrics, _ = TrainedInverseError(training).measure(place)
    assert metrics["float64"] < 1e-13 < metrics["float32"] < 1e-4
    metrics, _ = TrainedBlockEigenvalues(training).measure(place)
    assert 0 < metrics["smallest"] <= 1 <= metrics["largest"] < 2


@pytest.mark.parametrize("net", REVERSIBLE)
def test_blocks_with_one_bias_have_their_eigenvalues_on_the_unit_circle(net):
    found = measured(BlockEigenvalues(net, blocks=2))
    assert found["smallest"] == pytest.approx(1, abs=1e-6)
    assert found["largest"] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("net", ["hamiltonian_74", "resnet_32", "midpoint_26", "hamiltonian_1202"])
def test_counts_are_those_of_the_table_where_a_layout_is_known(net):
    def fits(study):
        found = measured(study)
        stated = zip(("cifar10", "cifar100"), TABLE[net].parameters, strict=True)
        return all(
            text is None or f"{found[data] / 1e6:.{len(text.split('.')[1])}f}" == text
            for data, text in stated
        )

    studies = [study for study in RUNS["counts"].works("quick") if study.net == net]
    assert any(fits(study) for study in studies if not study.widths) == (net not in UNMATCHED)
