"""Ceni 2025, claims 1 and 8: the spectra of docs/papers/ceni2025.md, spectra through time, and what
earns a verdict.
"""

import math
from functools import partial

import pytest
import torch
from conftest import made_up

from experiments.ceni2025 import PAPER, theory
from experiments.ceni2025.spectra import CASES, PLAIN, TIED, Spectrum, layers, spectrum, time_steps
from stablenets.claims.claim import NOT_REPRODUCED, NOT_RUN, PARTLY, REPRODUCED
from stablenets.engine.flow import Flow
from stablenets.nets import Recurrence, RoaMLP, RoaRNN
from stablenets.probes import full_jacobian

results = partial(made_up, PAPER, seeds=3)


@pytest.mark.parametrize(
    "options",
    [{}, {"activation": "relu"}, {"alpha": 1.0, "beta": 3.0}, {"filter": "identity"}, PLAIN],
)
def test_the_spectrum_is_that_of_the_jacobian_by_autograd(options):
    torch.manual_seed(0)
    flow, x = Flow(RoaMLP(**options), 6, 5).double(), torch.randn(1, 6, dtype=torch.float64)
    (found, values), σ = (
        spectrum(flow, layers(flow, x)),
        torch.linalg.svdvals(full_jacobian(flow, x[0])),
    )
    check_metrics(found, values, σ)
    assert found["norm_W"] == pytest.approx(
        float(torch.linalg.matrix_norm(flow.W.detach(), 2).mean())
    )


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
    unit, u = (
        Recurrence(RoaRNN(**options), 2, 6, 9).double(),
        torch.randn(9, 2, dtype=torch.float64),
    )

    def last(h):
        return unit.run_sequences(u.expand(len(h), -1, -1), (h,))[1][0]

    found, values = spectrum(unit, time_steps(unit, u))
    check_metrics(
        found,
        values,
        torch.linalg.svdvals(full_jacobian(last, torch.zeros(6, dtype=torch.float64))),
    )
    assert found["inside"] >= -1e-12
    assert found["low"] <= found["smallest"] <= found["largest"] <= found["high"]


def check_metrics(found, values, σ):
    expected = {
        name: math.log10(value)
        for name, value in (("smallest", σ[-1]), ("median", σ.median()), ("largest", σ[0]))
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert torch.allclose(
        values, σ.log10(), atol=1e-6
    )  # filters are float32, and taken as the orthogonal matrix next to that


def test_a_product_beyond_float64_keeps_its_size_and_leaves_out_what_is_not_known():
    found = Spectrum("no filter", 1500, 16).measure(None)[0]
    assert found["largest"] < -40
    assert "smallest" not in found
    fixed = Spectrum("β = 0.01", 1500, 16).measure(None)[0]
    assert fixed["median"] == pytest.approx(1500 * math.log10(0.99), rel=0.02)


# n = 64, computed with another program; ours has width 32, whose spectra are as wide
@pytest.mark.parametrize(
    ("case", "least", "median", "most"),
    [("random", 0.328, 0.368, 0.408), ("relu", 0.328, 0.368, 0.408), ("α = 1", 0.9, 1.0, 1.1)],
)
def test_spectra_at_100_layers_are_near_the_documented_ones(case, least, median, most):
    found = Spectrum(case, 100, 64).measure(None)[0]
    assert [10 ** found[name] for name in ("smallest", "median", "largest")] == pytest.approx(
        [least, median, most], rel=0.05
    )


@pytest.mark.parametrize("case", CASES)
def test_every_case_is_within_its_bounds(case):
    found = Spectrum(case, 60, 16, seed=1).measure(None)[0]
    assert found["inside"] >= -1e-12
    assert found["low"] <= found.get("smallest", math.inf)
    assert found["largest"] <= found["high"]
    if case in theory.SCALED:
        assert found["limit_low"] < found["smallest"] <= found["largest"] < found["limit_high"]


def test_one_w_for_all_is_one_w_for_all():
    """At L = 1 the two are the same net; with the identity the spectrum is far wider at many
    layers.
    """
    wide = {
        case: (lambda found: found["largest"] - found["smallest"])(
            Spectrum(case, 300).measure(None)[0]
        )
        for case in ("identity", f"identity{TIED}", f"random{TIED}")
    }
    assert wide[f"identity{TIED}"] > 4 * wide["identity"]
    assert wide[f"identity{TIED}"] > 2 * wide[f"random{TIED}"]


def spectra(smallest: float = -0.4, identity: float = 0.5):
    """Spectra from `smallest` to 0, wider with the identity."""

    def entry(work):
        least = smallest - (identity if work.case.startswith("identity") else 0.0) - 1 / work.layers
        return {
            "smallest": least,
            "median": least / 2,
            "largest": 0.0,
            "inside": 1e-6,
            "low": -9.0,
            "high": 9.0,
            "limit_low": -9.0,
            "limit_high": 9.0,
        }

    return entry


def looked_at(smallest: float):
    return lambda work: {
        f"{name}{when}": value
        for when in ("_before", "")
        for name, value in {
            "smallest": smallest,
            "median": 0.0,
            "largest": 0.1,
            "inside": 1e-6,
            "low": -9.0,
            "high": 9.0,
            "beta_W": 1.0,
            "first": 1.0,
            "least": 1.0,
            "most": 1.0,
        }.items()
    }


@pytest.mark.parametrize(
    ("profile", "random", "after", "verdict"),
    [
        ("quick", -0.4, -0.4, NOT_RUN),
        ("full", -0.4, -0.4, REPRODUCED),
        ("full", -0.4, -3.1, PARTLY),
        ("full", -3.1, -3.1, NOT_REPRODUCED),
    ],
)
def test_bounds_earn_nothing_what_keeps_its_size_does(profile, random, after, verdict):
    made = {"spectra": spectra(random), "trained": looked_at(after)}
    assert theory.bounded(results(made, profile)).verdict == verdict
    with_time = theory.bounded(results(made | {"trained_in_time": looked_at(-9.0)}, profile))
    assert with_time.verdict == (PARTLY if verdict == REPRODUCED else verdict)
    assert "Trained roaRNN: roaRNN, ps" in with_time.note


@pytest.mark.parametrize(
    ("smallest", "identity", "verdict"),
    [(-0.01, 0.5, REPRODUCED), (-0.4, 0.5, PARTLY), (-0.4, 0.0, NOT_REPRODUCED)],
)
def test_isometry_is_judged_alike_with_one_w_and_with_many(smallest, identity, verdict):
    assert theory.isometry(results({"spectra": spectra(smallest, identity)})).verdict == verdict
