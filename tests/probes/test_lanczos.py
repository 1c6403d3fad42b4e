"""Singular values by Golub-Kahan bidiagonalisation, and densities: both ends of the spectrum, each
value within its bound.
"""

import pytest
import torch
from conftest import NARROW
from known_maps import linear, with_spectrum

from stablenets.nets import DEPTH_FAMILIES, Flow, ResNet
from stablenets.probes import (
    composed,
    density,
    full_jacobian,
    golub_kahan,
    golub_kahans,
    inverse_maps,
)

CONV = (4, 8, 8)
# The last value to 1e-3 after 40 steps: not where the spectrum is wide. 40 steps resolve about a
# fortieth of the squared spectrum's width, and a net without a skip, or with batch norms before a
# ReLU, has its lower end below the rounding of the upper one.
WIDE = {"plain", "resnet_bn", "revnet"}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def within(found, exact: torch.Tensor) -> None:
    """Every value is within its bound of a singular value, and none lies outside the spectrum by
    more than rounding.
    """
    values, bounds = found
    assert torch.equal(values, values.sort(descending=True).values)
    nearest = (values[:, None] - exact).abs().min(1).values
    assert (nearest <= bounds).all(), float((nearest / bounds).max())
    rounding = 1e-12 * exact[0]
    assert exact[-1] - rounding <= values[-1]
    assert values[0] <= exact[0] + rounding


@pytest.mark.parametrize("operator", ["dense", "conv"])
@pytest.mark.parametrize("name", DEPTH_FAMILIES)
def test_golub_kahan_finds_both_ends_of_every_family(name, operator):
    family = DEPTH_FAMILIES[name](**NARROW.get(name, {}))
    if operator == "conv" and family.capabilities.dense_only:
        return
    shape = {"dense": (256,), "conv": CONV}[operator]
    net = (
        Flow(
            family,
            shape[0],
            8,
            h=family.capabilities.step_size(0.1),
            operator=operator,
            backward="plain",
        )
        .double()
        .eval()
    )
    x = torch.randn(shape, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(full_jacobian(net, x)), golub_kahan(net, x, steps=40)
    within(found, exact)
    assert found.values[0].item() == pytest.approx(exact[0].item(), rel=1e-3)
    assert (found.values[-1].item() == pytest.approx(exact[-1].item(), rel=1e-3)) == (
        name not in WIDE
    )
    assert (found.bounds[-1] > 0.1 * found.values[-1]) == (name in WIDE), (
        "what is not known is not said to be"
    )
    if name == "revnet":
        back, last = inverse_maps(net, x[None])
        assert 1 / golub_kahan(composed(back), last[0], steps=40).values[0].item() == pytest.approx(
            exact[-1].item(), rel=1e-3
        )


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["dense", "conv"])
@pytest.mark.parametrize("name", [name for name in DEPTH_FAMILIES if name not in WIDE])
def test_two_starts_find_both_ends_at_1024_dimensions(name, operator):
    family = DEPTH_FAMILIES[name]()
    if operator == "conv" and family.capabilities.dense_only:
        return
    shape = {"dense": (1024,), "conv": (16, 8, 8)}[operator]
    net = (
        Flow(
            family,
            shape[0],
            8,
            h=family.capabilities.step_size(0.1),
            operator=operator,
            backward="plain",
        )
        .double()
        .requires_grad_(False)
    )
    x = torch.randn(shape, dtype=torch.float64)
    exact, found = (
        torch.linalg.svdvals(full_jacobian(net, x)),
        golub_kahans(net, torch.stack([x, x]), steps=40),
    )
    for values, bounds in zip(*found, strict=True):
        within((values, bounds), exact)
    assert found.values.max().item() == pytest.approx(exact[0].item(), rel=1e-3)
    assert found.values.min().item() == pytest.approx(exact[-1].item(), rel=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_golub_kahan_stays_within_its_bounds(seed):
    """Random sizes, spectra (flat, wide, with gaps, with multiples, without full rank) and
    steps.
    """
    generator = torch.Generator().manual_seed(seed)
    rows, columns, steps = (
        int(torch.randint(low, 90, (), generator=generator)) for low in (20, 20, 3)
    )
    size = min(rows, columns)
    kinds = [
        torch.rand(size, generator=generator) + 0.5,
        10 ** -torch.linspace(0, 8, size),
        torch.tensor([9.0] * 3 + [1.0] * (size - 3)),
        torch.rand(5, generator=generator),
    ]
    matrix = with_spectrum(kinds[seed % 4].double().tolist(), rows, columns)
    found = golub_kahan(linear(matrix), torch.zeros(columns, dtype=torch.float64), steps, seed=seed)
    within(found, torch.linalg.svdvals(matrix))


@pytest.mark.parametrize(("rows", "columns"), [(30, 30), (30, 90), (90, 30)])
def test_golub_kahan_run_to_the_end_has_the_whole_spectrum(rows, columns):
    matrix = torch.randn(rows, columns, dtype=torch.float64)
    found = golub_kahan(linear(matrix), torch.zeros(columns, dtype=torch.float64))
    assert torch.allclose(found.values, torch.linalg.svdvals(matrix), rtol=1e-9)
    assert (found.bounds < 1e-11 * found.values[0]).all()


@pytest.mark.parametrize(("rows", "columns"), [(60, 60), (60, 200), (200, 60)])
def test_golub_kahan_goes_on_until_both_ends_are_known(rows, columns):
    """Also of a wide matrix, whose null space is no singular value."""
    matrix, x = (
        torch.randn(rows, columns, dtype=torch.float64),
        torch.zeros(columns, dtype=torch.float64),
    )
    exact, found = torch.linalg.svdvals(matrix), golub_kahan(linear(matrix), x, 60, until=1e-3)
    within(found, exact)
    assert found.values[[0, -1]].tolist() == pytest.approx(exact[[0, -1]].tolist(), rel=1e-3)
    assert len(found.values) < 60 or rows == columns
    assert torch.equal(golub_kahan(linear(matrix), x, len(found.values)).values, found.values)


@pytest.mark.parametrize(
    ("dtype", "size"), [(torch.float32, 1e-25), (torch.float64, 1e-200), (torch.float64, 1e160)]
)
def test_golub_kahan_far_outside_the_range_of_squares(dtype, size):
    """Vanishing and exploding Jacobians are what it is for: 1e-200 is not 0."""
    matrix = (size * torch.randn(30, 30, dtype=torch.float64)).to(dtype)
    exact, found = (
        torch.linalg.svdvals(matrix.double()),
        golub_kahan(linear(matrix), torch.zeros(30, dtype=dtype)),
    )
    assert found.values[0].item() == pytest.approx(exact[0].item(), rel=1e-5, abs=0)
    assert ((found.values[:, None] - exact).abs().min(1).values <= found.bounds).all()
    assert found.bounds[0] < 1e-3 * found.values[0]


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_golub_kahan_on_a_multiple_of_the_identity(scale):
    """One step spans an invariant subspace; going on with what rounding left once gave values of 4
    for the identity.
    """
    found = golub_kahan(lambda x: scale * x, torch.zeros(3, 5, 5, dtype=torch.float64))
    assert found.values.tolist() == pytest.approx([scale] * 40, rel=1e-12, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(50, 50), (50, 80), (80, 50)])
def test_golub_kahan_of_a_rank_deficient_map(rows, columns):
    values = [3.0, 2.0, 2.0, 0.5]
    found = golub_kahan(
        linear(with_spectrum(values, rows, columns)), torch.zeros(columns, dtype=torch.float64)
    ).values
    assert found.shape == (40,)
    assert found[:4].tolist() == pytest.approx(values, rel=1e-9)  # the double one twice
    assert found[4:].max() < 1e-9


def test_golub_kahan_of_the_zero_map():
    assert (
        golub_kahan(lambda x: 0 * x, torch.zeros(30, dtype=torch.float64)).values.tolist()
        == [0.0] * 30
    )


def test_what_a_bottleneck_makes_zero_is_no_singular_value():
    """Both spaces have a null space; the plain recurrence is drawn into it after some 20 steps."""
    generator = torch.Generator().manual_seed(0)
    narrow = with_spectrum(
        (1 + 0.02 * torch.rand(48, generator=generator)).tolist(), 48, 90
    )  # near an isometry α/β is large
    wide = with_spectrum([1.0] * 48, 80, 48)
    x, exact = torch.zeros(90, dtype=torch.float64), torch.linalg.svdvals(wide @ narrow)[:48]
    for steps in (10, 40, 60):
        within(golub_kahan((linear(narrow), linear(wide)), x, steps), exact)
    found = golub_kahan((linear(narrow), linear(wide)), x, 60)
    assert torch.allclose(found.values, exact, rtol=1e-9)  # 48 and no more
    assert golub_kahan(linear(wide @ narrow), x, 60).values[-1] < 1e-6


def test_golub_kahan_is_a_function_of_its_seed():
    net, x = (
        Flow(ResNet(), 4, 5, h=0.3, operator="conv").double(),
        torch.randn(4, 5, 6, dtype=torch.float64),
    )
    before = torch.get_rng_state()
    assert torch.equal(golub_kahan(net, x, 10).values, golub_kahan(net, x, 10).values)
    assert not torch.equal(golub_kahan(net, x, 10).values, golub_kahan(net, x, 10, seed=1).values)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_starts_find_what_one_may_miss():
    """The last direction has no part in the first start: nothing that comes of it can see the value
    0.5, and no bound says so.
    """
    start = torch.randn(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    *seen, missed = torch.linalg.qr(
        torch.cat([start[:, None], torch.randn(60, 59, dtype=torch.float64)], 1)
    )[0].T
    turned = torch.linalg.qr(torch.randn(59, 59, dtype=torch.float64))[0] @ torch.stack(
        seen
    )  # the start has a part in each of these
    matrix = torch.cat(
        [torch.linspace(1, 2, 59, dtype=torch.float64)[:, None] * turned, 0.5 * missed[None]]
    )
    x = torch.zeros(60, dtype=torch.float64)
    assert golub_kahan(linear(matrix), x, 20).values[-1] > 0.9
    assert golub_kahans(linear(matrix), x.expand(2, 60), 20).values[
        :, -1
    ].min().item() == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("values", [[1.0] * 30 + [3.0] * 10, [2.0, 1.0]])
def test_density_is_that_of_the_spectrum(values):
    found = density(
        linear(with_spectrum(values, 40, 60)), torch.zeros(60, dtype=torch.float64), starts=200
    )
    assert found.weights.sum().item() == pytest.approx(1, abs=1e-12)
    exact = torch.tensor(values + [0.0] * (40 - len(values)), dtype=torch.float64)
    levels = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)
    expected = [float((exact <= level).double().mean()) for level in levels]
    assert found.below(levels).tolist() == pytest.approx(expected, abs=0.03)
