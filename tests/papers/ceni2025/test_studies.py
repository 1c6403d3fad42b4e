"""Ceni 2025: spectra, trained networks, weight gradients, time and memory, and sizes of networks.

The spectra are those of docs/papers/ceni2025.md.
"""

import math

import pytest
import torch
from conftest import measured

from experiments.ceni2025 import PAPER
from experiments.ceni2025.parameters import count_parameters, matched_width
from experiments.ceni2025.search_space import SPACE, LogUniform, draw_setting
from experiments.ceni2025.studies.peak import PeakMemory
from experiments.ceni2025.studies.spectra import (
    CASES,
    PLAIN,
    TIED,
    JacobianSpectrum,
    SpectrumBySize,
    layer_steps,
    measure_spectrum,
    time_steps,
)
from experiments.ceni2025.studies.step_time import StepTime
from experiments.ceni2025.studies.trained import TrainedSpectrum
from experiments.ceni2025.studies.weight_gradients import GRADIENT_CASES, WeightGradients
from experiments.ceni2025.trainings import DEEP, deep_run, memory_run, pixel_run, with_changes
from stablenets.engine.flow import Flow
from stablenets.nets import RECURRENT_FAMILIES, Recurrence, RoaMLP, RoaRNN, SequenceNetwork
from stablenets.probes import full_jacobian


def check_metrics(found, values, σ):
    expected = {"smallest": σ[-1], "median": σ.median(), "largest": σ[0]}
    logs = {name: math.log10(value) for name, value in expected.items()}
    # filters are float32, and measured as the orthogonal matrix nearest to them
    assert {name: found[name] for name in expected} == pytest.approx(logs, abs=1e-6)
    assert torch.allclose(values, σ.log10(), atol=1e-6)


@pytest.mark.parametrize(
    "options",
    [{}, {"activation": "relu"}, {"alpha": 1.0, "beta": 3.0}, {"filter": "identity"}, PLAIN],
)
def test_the_spectrum_is_that_of_the_jacobian_by_autograd(options):
    torch.manual_seed(0)
    flow, x = Flow(RoaMLP(**options), 6, 5).double(), torch.randn(1, 6, dtype=torch.float64)
    found, values = measure_spectrum(flow, layer_steps(flow, x))
    check_metrics(found, values, torch.linalg.svdvals(full_jacobian(flow, x[0])))
    norms = torch.linalg.matrix_norm(flow.W.detach(), 2)
    assert found["norm_W"] == pytest.approx(float(norms.mean()))


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"activation": "relu", "alpha": 1.0, "beta": 3.0, "bias_init": 0.1},
        {"filter": "haar_fixed_axis"},
    ],
)
def test_the_spectrum_through_time_is_that_of_the_jacobian_by_autograd(options):
    torch.manual_seed(0)
    unit = Recurrence(RoaRNN(**options), 2, 6, 9).double()
    u = torch.randn(9, 2, dtype=torch.float64)

    def last(h):
        return unit.run_sequences(u.expand(len(h), -1, -1), (h,))[1][0]

    found, values = measure_spectrum(unit, time_steps(unit, u))
    start = torch.zeros(6, dtype=torch.float64)
    check_metrics(found, values, torch.linalg.svdvals(full_jacobian(last, start)))
    assert found["inside"] >= -1e-12
    assert found["low"] <= found["smallest"] <= found["largest"] <= found["high"]


def test_a_product_beyond_float64_keeps_its_size_and_leaves_out_what_is_not_known():
    found = measured(JacobianSpectrum("no filter", 1500, 16))
    assert found["largest"] < -40
    assert "smallest" not in found
    fixed = measured(JacobianSpectrum("β = 0.01", 1500, 16))
    assert fixed["median"] == pytest.approx(1500 * math.log10(0.99), rel=0.02)


# n = 64, computed with another program; ours has width 32, whose spectra are as wide
@pytest.mark.parametrize(
    ("case", "smallest", "median", "largest"),
    [("random", 0.328, 0.368, 0.408), ("relu", 0.328, 0.368, 0.408), ("α = 1", 0.9, 1.0, 1.1)],
)
def test_spectra_at_100_layers_are_near_the_documented_ones(case, smallest, median, largest):
    found = measured(JacobianSpectrum(case, 100, 64))
    values = [10 ** found[name] for name in ("smallest", "median", "largest")]
    assert values == pytest.approx([smallest, median, largest], rel=0.05)


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_within_its_bounds(case):
    found = measured(JacobianSpectrum(case, 60, 16, seed=1))
    assert found["inside"] >= -1e-12
    assert found["low"] <= found.get("smallest", math.inf)
    assert found["largest"] <= found["high"]
    if CASES[case].get("beta_scaling") != "fixed":
        assert found["limit_low"] < found["smallest"] <= found["largest"] < found["limit_high"]


@pytest.mark.parametrize(("case", "is_tied"), [("random", False), (f"random{TIED}", True)])
def test_both_studies_of_random_weights_find_the_same_spectrum(case, is_tied):
    one, other = JacobianSpectrum(case, 60, 16, 1), SpectrumBySize("haar", 1.0, 16, 60, is_tied, 1)
    found, by_size = measured(one), measured(other)
    for name in ("smallest", "median", "largest"):
        assert by_size[name] == pytest.approx(found[name], abs=1e-12)


def test_with_one_w_beta_is_divided_by_all_layers():
    """c = 2 is too large for a single layer of the convex form, and not for 50."""
    found = measured(SpectrumBySize("haar", 2.0, 16, 50, is_tied=True))
    assert found["median"] == pytest.approx(-2 * math.log10(math.e), abs=0.1)


def test_with_one_w_the_identity_has_a_wide_spectrum():
    wide = {}
    for case in ("identity", f"identity{TIED}", f"random{TIED}"):
        found = measured(JacobianSpectrum(case, 300))
        wide[case] = found["largest"] - found["smallest"]
    assert wide[f"identity{TIED}"] > 4 * wide["identity"]
    assert wide[f"identity{TIED}"] > 2 * wide[f"random{TIED}"]


@pytest.mark.parametrize("case", GRADIENT_CASES)
def test_weight_gradients_are_within_their_bound(case):
    for seed in (0, 1):
        found = measured(WeightGradients(case, 40, 16, seed=seed))
        assert -4 < found["over_bound"] <= 0
        assert abs(found["first"]) <= found["ratio"]


def test_weight_gradients_keep_their_size_if_beta_falls_with_depth():
    def ratio(case, layers):
        return measured(WeightGradients(case, layers))["ratio"]

    assert max(ratio("β = 1/L", layers) for layers in (10, 1000)) < math.log10(3)
    assert ratio("β = 0.01", 1000) > 2
    assert ratio("plain MLP", 100) > 2


def test_kept_norms_are_of_the_first_and_the_last_layer_too():
    metrics, arrays = WeightGradients("β = 1/L", 64, 8).measure(None)
    assert arrays["layers"][0] == 0
    assert arrays["layers"][-1] == 63
    assert metrics["first"] == pytest.approx(arrays["norms"][0] - arrays["norms"][-1])
    assert metrics["largest"] >= arrays["norms"].max()


def test_trained_networks_and_filters_are_measured(place):
    plan = PAPER.plan("smoke", 1)
    studies = [*plan["trained_deep"], *plan["trained_recurrent"]]
    (angle, *_) = plan["filter_angles"]
    assert [study.dataset for study in studies] == [
        *("digits", "psdigits", "psdigits", "adding", "copy")
    ]
    for study in (*studies, angle):
        assert study.training.run(place).status == "done"
    for study in studies:
        metrics, arrays = TrainedSpectrum(study.training, 2).measure(place)
        for when in ("_before", ""):
            assert metrics[f"low{when}"] - 1e-9 <= metrics.get(f"smallest{when}", math.inf)
            assert metrics[f"largest{when}"] <= metrics[f"high{when}"] + 1e-9
            assert metrics[f"least{when}"] <= metrics[f"first{when}"] <= metrics[f"most{when}"]
            assert len(arrays[f"gradients{when}"]) == len(arrays["depths"])
        assert metrics["norm_W"] != metrics["norm_W_before"]
        assert ("moved_W" in metrics) == (metrics["norm_W_before"] > 0)
    assert 0 <= angle.measure(place)[0]["angle"] <= math.pi


@pytest.mark.slow
def test_the_peak_is_of_a_process_of_its_own():
    found = measured(PeakMemory(200, 8, 4))
    assert 0.05 < found["peak_gib"] < 4
    assert found["step_s"] > 0


def test_steps_of_all_networks_are_timed():
    seconds = measured(StepTime("psdigits", 8, 2))
    assert {"roarnn_8", "roarnn_8_hidden", "roarnn_16", "roarnn_256"} < seconds.keys()
    assert min(seconds.values()) > 0


@pytest.mark.parametrize("family", RECURRENT_FAMILIES)
def test_trainable_parameters_are_counted_and_matched(family):
    net = SequenceNetwork(RECURRENT_FAMILIES[family](), shape=(5, 3), outputs=7, width=11)
    assert count_parameters(family, 11, 3, 7) == sum(tensor.numel() for tensor in net.parameters())
    for hidden in (0, 512):
        wanted = count_parameters("roarnn", 128, 1, 10, hidden)
        width = matched_width(family, 128, 1, 10, hidden)
        assert count_parameters(family, width, 1, 10, hidden) == pytest.approx(wanted, rel=0.01)
    assert matched_width("roarnn", 128, 1, 10) == 128
    assert count_parameters("roarnn", 256, 1, 10) == 68_618  # docs/papers/ceni2025.md


@pytest.mark.parametrize("family", ["roarnn", "lstm"])
def test_a_hidden_layer_reads_networks_of_the_same_size(family):
    run = pixel_run("psmnist", family, 128, 0, 10, has_hidden_layer=True).resolved
    wanted = count_parameters("roarnn", 128, 1, 10, 512)
    assert count_parameters(family, run.net.widths[0], 1, 10, 512) == pytest.approx(
        wanted, rel=0.01
    )
    assert (run.net.head_hidden, run.config.optim.label_smoothing) == (512, 0.1)


def test_changes_lead_into_groups_and_leave_the_chosen_options_alone():
    values = {"net": {"family": "roarnn", "alpha": 0.9}, "batch": 32}
    assert with_changes(values, {"net.alpha": 1.0, "batch": 64, "dataset.limit": 5}) == {
        "net": {"family": "roarnn", "alpha": 1.0},
        "batch": 64,
        "dataset": {"limit": 5},
    }
    assert values["net"]["alpha"] == 0.9
    run = pixel_run("psdigits", "roarnn", 16, 3, 2, {"net.alpha": 0.5, "optim.lr": 0.1}).resolved
    assert (run.dynamics.alpha, run.config.optim.lr, run.config.seeds.init) == (0.5, 0.1, 3)


def test_roarnn_is_silent_at_unmarked_inputs_of_the_adding_problem():
    dynamics = memory_run("adding", 30, "roarnn", 0, 1, 1).resolved.dynamics
    torch.manual_seed(0)
    U = dynamics.learned(64, 2, 0.0)["U"]
    assert (U[:, 0] + dynamics.bias_init).max() < 0 < (U.sum(1) + dynamics.bias_init).max()


def test_every_kind_of_deep_network_is_what_its_name_says():
    runs = {kind: deep_run({"name": "mnist"}, kind, 4, 0, 1).resolved for kind in DEEP}
    activations = {kind: run.dynamics.activation for kind, run in runs.items() if kind != "none"}
    assert activations == dict.fromkeys(activations, "relu") | {"tanh": "tanh"}
    assert runs["frozen"].config.optim.frozen == ["W", "b"]
    assert runs["none"].config.depth == 0
    assert runs["resnet"].config.h == runs["roamlp"].dynamics.at_depth(4).beta == 0.25


def test_draws_of_the_search_depend_on_their_number_and_stay_in_the_space():
    draws = [draw_setting(number) for number in range(100)]
    assert draws[7] == draw_setting(7) != draw_setting(8)
    for key, values in SPACE.items():
        values = values if isinstance(values, tuple) else (values,)
        found = {draw[key] for draw in draws}
        ranges = [value for value in values if isinstance(value, LogUniform)]
        fixed = set(values) - set(ranges)
        assert fixed <= found
        for ends in ranges:
            shift = (
                [ends.low, ends.high]
                if ends.below is None
                else [ends.below - ends.high, ends.below - ends.low]
            )
            assert shift[0] <= min(found - fixed) < max(found - fixed) <= shift[1]
        assert ranges or found == fixed
