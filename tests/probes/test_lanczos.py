"""Golub-Kahan bidiagonalisation of matrices whose singular values are known."""

import pytest
import torch
from known_maps import assert_within_bounds, linear_map, matrix_with_singular_values

from stablenets.nets import Flow, ResNet
from stablenets.probes import Spectrum, estimate_batch_singular_values, estimate_singular_values


def estimate(matrix: torch.Tensor, *arguments, **options) -> Spectrum:
    x = torch.zeros(matrix.shape[1], dtype=matrix.dtype)
    return estimate_singular_values(linear_map(matrix), x, *arguments, **options)


@pytest.mark.parametrize("seed", range(12))
def test_values_stay_within_their_bounds(seed):
    """For random sizes and steps; spectra that are flat, wide, with equal values, of low rank."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns, steps = (
        int(torch.randint(low, 90, (), generator=generator)) for low in (20, 20, 3)
    )
    size = min(rows, columns)
    spectra = [
        torch.rand(size, generator=generator) + 0.5,
        10 ** -torch.linspace(0, 8, size),
        torch.tensor([9.0] * 3 + [1.0] * (size - 3)),
        torch.rand(5, generator=generator),
    ]
    matrix = matrix_with_singular_values(spectra[seed % 4].double().tolist(), rows, columns)
    found = estimate(matrix, steps, seed=seed)
    assert_within_bounds(found, torch.linalg.svdvals(matrix))


@pytest.mark.parametrize(("rows", "columns"), [(30, 30), (30, 90), (90, 30)])
def test_enough_steps_find_the_whole_spectrum(rows, columns):
    matrix = torch.randn(rows, columns, dtype=torch.float64)
    found = estimate(matrix)
    assert torch.allclose(found.values, torch.linalg.svdvals(matrix), rtol=1e-9)
    assert (found.bounds < 1e-11 * found.values[0]).all()


@pytest.mark.parametrize(("rows", "columns"), [(60, 60), (60, 200), (200, 60)])
def test_a_tolerance_stops_once_both_ends_are_known(rows, columns):
    """Also for a wide matrix: the zeros of its null space are not singular values."""
    matrix = torch.randn(rows, columns, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(matrix), estimate(matrix, 60, tolerance=1e-3)
    assert_within_bounds(found, exact)
    assert found.values[[0, -1]].tolist() == pytest.approx(exact[[0, -1]].tolist(), rel=1e-3)
    assert len(found.values) < 60 or rows == columns
    assert torch.equal(estimate(matrix, len(found.values)).values, found.values)


@pytest.mark.parametrize(
    ("dtype", "size"), [(torch.float32, 1e-25), (torch.float64, 1e-200), (torch.float64, 1e160)]
)
def test_values_whose_squares_underflow_or_overflow_are_found(dtype, size):
    """Vanishing and exploding Jacobians are the purpose of the probe: 1e-200 is not 0."""
    matrix = (size * torch.randn(30, 30, dtype=torch.float64)).to(dtype)
    exact, found = torch.linalg.svdvals(matrix.double()), estimate(matrix)
    assert found.values[0].item() == pytest.approx(exact[0].item(), rel=1e-5, abs=0)
    assert ((found.values[:, None] - exact).abs().min(1).values <= found.bounds).all()
    assert found.bounds[0] < 1e-3 * found.values[0]


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_a_multiple_of_the_identity_has_equal_values(scale):
    """One step spans an invariant subspace. Continuing with rounding errors gave values of 4."""
    found = estimate_singular_values(lambda x: scale * x, torch.zeros(3, 5, 5, dtype=torch.float64))
    assert found.values.tolist() == pytest.approx([scale] * 40, rel=1e-12, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(50, 50), (50, 80), (80, 50)])
def test_a_matrix_of_low_rank_has_zeros_and_its_double_value_twice(rows, columns):
    values = [3.0, 2.0, 2.0, 0.5]
    found = estimate(matrix_with_singular_values(values, rows, columns)).values
    assert found.shape == (40,)
    assert found[:4].tolist() == pytest.approx(values, rel=1e-9)
    assert found[4:].max() < 1e-9


def test_the_zero_matrix_has_zeros_only():
    assert estimate(torch.zeros(30, 30, dtype=torch.float64)).values.tolist() == [0.0] * 30


def test_two_maps_leave_out_the_zeros_of_their_bottleneck():
    """Both spaces have a null space. The plain recurrence enters it after some 20 steps."""
    generator = torch.Generator().manual_seed(0)
    flat = 1 + 0.02 * torch.rand(48, generator=generator)  # near an isometry, α/β is large
    narrow = matrix_with_singular_values(flat.tolist(), 48, 90)
    wide = matrix_with_singular_values([1.0] * 48, 80, 48)
    x, exact = torch.zeros(90, dtype=torch.float64), torch.linalg.svdvals(wide @ narrow)[:48]
    maps = linear_map(narrow), linear_map(wide)
    for steps in (10, 40, 60):
        assert_within_bounds(estimate_singular_values(maps, x, steps), exact)
    found = estimate_singular_values(maps, x, 60)
    assert torch.allclose(found.values, exact, rtol=1e-9)  # 48 values and no more
    assert estimate(wide @ narrow, 60).values[-1] < 1e-6


def test_the_seed_decides_the_start_and_the_global_generator_is_untouched():
    net = Flow(ResNet(), 4, 5, h=0.3, operator="conv").double()
    x = torch.randn(4, 5, 6, dtype=torch.float64)
    before = torch.get_rng_state()
    values = [estimate_singular_values(net, x, 10, seed=seed).values for seed in (0, 0, 1)]
    assert torch.equal(values[0], values[1])
    assert not torch.equal(values[0], values[2])
    assert torch.equal(torch.get_rng_state(), before)


def test_two_starts_find_a_direction_that_one_start_lacks():
    """The direction of the value 0.5 is orthogonal to the first start, so no bound shows it."""
    start = torch.randn(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    vectors = torch.cat([start[:, None], torch.randn(60, 59, dtype=torch.float64)], 1)
    *seen, missed = torch.linalg.qr(vectors)[0].T
    rotation = torch.linalg.qr(torch.randn(59, 59, dtype=torch.float64))[0]
    rotated = rotation @ torch.stack(seen)  # the start has a part in each of these rows
    values = torch.linspace(1, 2, 59, dtype=torch.float64)
    matrix = torch.cat([values[:, None] * rotated, 0.5 * missed[None]])
    assert estimate(matrix, 20).values[-1] > 0.9
    twice = torch.zeros(2, 60, dtype=torch.float64)
    found = estimate_batch_singular_values(linear_map(matrix), twice, 20)
    assert found.values[:, -1].min().item() == pytest.approx(0.5, rel=1e-6)
