"""Jacobians and their singular values against torch's own, against each other, and within their bounds."""
import pytest
import torch
from conftest import NARROW

from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, Antisymmetric, Flow, Hamiltonian, Network, ResNet, RoaMLP
from stablenets.probes import (
    NotFinite,
    composed,
    density,
    flow_maps,
    full_jacobian,
    full_jacobians,
    golub_kahan,
    golub_kahans,
    inverse_maps,
    layer_jacobians,
    prefixes,
    singular_values,
    suffixes,
)
from stablenets.probes import jacobian as jacobian_module
from stablenets.probes import lanczos as lanczos_module
from stablenets.probes import maps as maps_module

SHAPES = {"dense": (6,), "conv": (4, 5, 6)}


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(name: str, operator: str, depth: int = 5) -> Flow:
    return Flow(FAMILIES[name](**NARROW.get(name, {})), SHAPES[operator][0], depth, h=0.3, operator=operator).double()


def linear(matrix: torch.Tensor):
    return lambda x: x @ matrix.T


def with_spectrum(values: list[float], rows: int, columns: int) -> torch.Tensor:
    """A matrix with random singular vectors and these singular values, the others 0."""
    left, right = (torch.linalg.qr(torch.randn(size, size, dtype=torch.float64))[0] for size in (rows, columns))
    count = len(values)
    return left[:, :count] @ torch.diag(torch.tensor(values, dtype=torch.float64)) @ right[:count]


@pytest.mark.parametrize("chunk", [7, 128])
@pytest.mark.parametrize("operator", SHAPES)
def test_full_jacobian_is_jacrevs(operator, chunk, monkeypatch):
    monkeypatch.setattr(jacobian_module, "CHUNK", chunk)
    net, x = flow("antisymmetric", operator), torch.randn(SHAPES[operator], dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(x.numel(), x.numel())
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_full_jacobian_of_any_module():
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(24, 5), torch.nn.Tanh()).double()
    x = torch.randn(2, 3, 4, dtype=torch.float64)
    expected = torch.func.jacrev(lambda x: net(x[None])[0])(x).reshape(5, 24)
    assert torch.allclose(full_jacobian(net, x), expected, rtol=0, atol=1e-12)


def test_jacobian_of_a_linear_net_is_its_product():
    """Rows are outputs: with K stored as the papers print it, three ResNet layers are (I + h K.T)³."""
    net = Flow(ResNet(activation="identity"), 6, 3, h=0.3).double()
    expected = torch.eye(6, dtype=torch.float64)
    for K in net.K.detach():
        expected = (torch.eye(6) + 0.3 * K.T) @ expected
    assert torch.allclose(full_jacobian(net, torch.zeros(6, dtype=torch.float64)), expected, rtol=0, atol=1e-12)


def test_singular_values_of_a_known_map():
    values = [5.0, 2.0, 1.0, 1e-6]
    found = singular_values(linear(with_spectrum(values, 4, 4)), torch.zeros(4, dtype=torch.float64))
    assert found.tolist() == pytest.approx(values, rel=1e-9)


def test_large_maps_go_through_golub_kahan(monkeypatch):
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    assert len(singular_values(linear(torch.randn(60, 60, dtype=torch.float64)), torch.zeros(60, dtype=torch.float64))) == 40


def within(found, exact: torch.Tensor) -> None:
    """Every value is within its bound of a singular value, and none lies outside the spectrum by more than rounding."""
    values, bounds = found
    assert torch.equal(values, values.sort(descending=True).values)
    nearest = (values[:, None] - exact).abs().min(1).values
    assert (nearest <= bounds).all(), float((nearest / bounds).max())
    rounding = 1e-12 * exact[0]
    assert exact[-1] - rounding <= values[-1]
    assert values[0] <= exact[0] + rounding


CONV = (4, 8, 8)
# The last value to 1e-3 after 40 steps: not where the spectrum is wide. 40 steps resolve about a fortieth of the squared spectrum's width,
# and a net without a skip, or with batch norms before a ReLU, has its lower end below the rounding of the upper one.
WIDE = {"plain", "resnet_bn", "revnet"}


@pytest.mark.parametrize("operator", ["dense", "conv"])
@pytest.mark.parametrize("name", FAMILIES)
def test_golub_kahan_finds_both_ends_of_every_family(name, operator):
    family = FAMILIES[name]
    if operator == "conv" and family.dense_only:
        return
    shape = {"dense": (256,), "conv": CONV}[operator]
    net = Flow(family(**NARROW.get(name, {})), shape[0], 8, h=0.1 if family.order else 1.0, operator=operator, mode="plain").double().eval()
    x = torch.randn(shape, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(full_jacobian(net, x)), golub_kahan(net, x, steps=40)
    within(found, exact)
    assert found.values[0].item() == pytest.approx(exact[0].item(), rel=1e-3)
    assert (found.values[-1].item() == pytest.approx(exact[-1].item(), rel=1e-3)) == (name not in WIDE)
    assert (found.bounds[-1] > 0.1 * found.values[-1]) == (name in WIDE), "what is not known is not said to be"
    if name == "revnet":
        back, last = inverse_maps(net, x[None])
        assert 1 / golub_kahan(composed(back), last[0], steps=40).values[0].item() == pytest.approx(exact[-1].item(), rel=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("operator", ["dense", "conv"])
@pytest.mark.parametrize("name", [name for name in FAMILIES if name not in WIDE])
def test_two_starts_find_both_ends_at_1024_dimensions(name, operator):
    family = FAMILIES[name]
    if operator == "conv" and family.dense_only:
        return
    shape = {"dense": (1024,), "conv": (16, 8, 8)}[operator]
    net = Flow(family(), shape[0], 8, h=0.1 if family.order else 1.0, operator=operator, mode="plain").double().requires_grad_(False)
    x = torch.randn(shape, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(full_jacobian(net, x)), golub_kahans(net, torch.stack([x, x]), steps=40)
    for values, bounds in zip(*found, strict=True):
        within((values, bounds), exact)
    assert found.values.max().item() == pytest.approx(exact[0].item(), rel=1e-3)
    assert found.values.min().item() == pytest.approx(exact[-1].item(), rel=1e-3)


@pytest.mark.parametrize("seed", range(12))
def test_golub_kahan_stays_within_its_bounds(seed):
    """Random sizes, spectra (flat, wide, with gaps, with multiples, without full rank) and steps."""
    generator = torch.Generator().manual_seed(seed)
    rows, columns, steps = (int(torch.randint(low, 90, (), generator=generator)) for low in (20, 20, 3))
    size = min(rows, columns)
    kinds = [torch.rand(size, generator=generator) + 0.5, 10 ** -torch.linspace(0, 8, size), torch.tensor([9.0] * 3 + [1.0] * (size - 3)),
             torch.rand(5, generator=generator)]
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
    matrix, x = torch.randn(rows, columns, dtype=torch.float64), torch.zeros(columns, dtype=torch.float64)
    exact, found = torch.linalg.svdvals(matrix), golub_kahan(linear(matrix), x, 60, until=1e-3)
    within(found, exact)
    assert found.values[[0, -1]].tolist() == pytest.approx(exact[[0, -1]].tolist(), rel=1e-3)
    assert len(found.values) < 60 or rows == columns
    assert torch.equal(golub_kahan(linear(matrix), x, len(found.values)).values, found.values)


@pytest.mark.parametrize(("dtype", "size"), [(torch.float32, 1e-25), (torch.float64, 1e-200), (torch.float64, 1e160)])
def test_golub_kahan_far_outside_the_range_of_squares(dtype, size):
    """Vanishing and exploding Jacobians are what it is for: 1e-200 is not 0."""
    matrix = (size * torch.randn(30, 30, dtype=torch.float64)).to(dtype)
    exact, found = torch.linalg.svdvals(matrix.double()), golub_kahan(linear(matrix), torch.zeros(30, dtype=dtype))
    assert found.values[0].item() == pytest.approx(exact[0].item(), rel=1e-5, abs=0)
    assert ((found.values[:, None] - exact).abs().min(1).values <= found.bounds).all()
    assert found.bounds[0] < 1e-3 * found.values[0]


@pytest.mark.parametrize("scale", [1.0, 1e-9])
def test_golub_kahan_on_a_multiple_of_the_identity(scale):
    """One step spans an invariant subspace; going on with what rounding left once gave values of 4 for the identity."""
    found = golub_kahan(lambda x: scale * x, torch.zeros(3, 5, 5, dtype=torch.float64))
    assert found.values.tolist() == pytest.approx([scale] * 40, rel=1e-12, abs=0)


@pytest.mark.parametrize(("rows", "columns"), [(50, 50), (50, 80), (80, 50)])
def test_golub_kahan_of_a_rank_deficient_map(rows, columns):
    values = [3.0, 2.0, 2.0, 0.5]
    found = golub_kahan(linear(with_spectrum(values, rows, columns)), torch.zeros(columns, dtype=torch.float64)).values
    assert found.shape == (40,)
    assert found[:4].tolist() == pytest.approx(values, rel=1e-9)  # the double one twice
    assert found[4:].max() < 1e-9


def test_golub_kahan_of_the_zero_map():
    assert golub_kahan(lambda x: 0 * x, torch.zeros(30, dtype=torch.float64)).values.tolist() == [0.0] * 30


def test_what_a_bottleneck_makes_zero_is_no_singular_value():
    """Both spaces have a null space; the plain recurrence is drawn into it after some 20 steps."""
    generator = torch.Generator().manual_seed(0)
    narrow = with_spectrum((1 + 0.02 * torch.rand(48, generator=generator)).tolist(), 48, 90)  # near an isometry α/β is large
    wide = with_spectrum([1.0] * 48, 80, 48)
    x, exact = torch.zeros(90, dtype=torch.float64), torch.linalg.svdvals(wide @ narrow)[:48]
    for steps in (10, 40, 60):
        within(golub_kahan((linear(narrow), linear(wide)), x, steps), exact)
    found = golub_kahan((linear(narrow), linear(wide)), x, 60)
    assert torch.allclose(found.values, exact, rtol=1e-9)  # 48 and no more
    assert golub_kahan(linear(wide @ narrow), x, 60).values[-1] < 1e-6


def test_what_pooling_makes_zero_is_no_singular_value(monkeypatch):
    net = Network(Antisymmetric(gamma=0.1), shape=(1, 8, 8), outputs=3, widths=[4, 8], depth=6, h=0.3, operator="conv",
                  opening_kind="conv", head_kind="mean").double()
    ((through, start),) = net.passages(torch.randn(1, 1, 8, 8, dtype=torch.float64))
    start = start.detach()
    exact = torch.linalg.svdvals(full_jacobian(net.features, start))
    assert net.rank == 64
    assert exact[net.rank] < 1e-12 * exact[0] < exact[net.rank - 1]
    assert torch.equal(singular_values(through, start, net.rank), exact[:net.rank])
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    found = singular_values(through, start, net.rank)
    assert found[[0, -1]].tolist() == pytest.approx(exact[[0, net.rank - 1]].tolist(), rel=1e-3)


@pytest.mark.slow
def test_a_convolutional_net_of_218_layers():
    """Chang et al. 2018's deepest for CIFAR-10 but one, 32,768 dimensions and rank 4,096: a minute on a core."""
    net = Network(Hamiltonian(activation="relu"), shape=(3, 32, 32), outputs=10, widths=[32, 64, 128], depth=54, h=0.1, operator="conv",
                  opening_kind="conv-bn-relu", head_kind="bn-relu-mean", gain=2**0.5, layout="old-width-first", blocks=[18, 18, 18],
                  mode="plain").double().requires_grad_(False).eval()
    ((through, start),) = net.passages(torch.randn(1, 3, 32, 32, dtype=torch.float64))
    values, bounds = golub_kahan(through, start)
    assert (net.rank, start.numel()) == (4096, 32768)
    assert bounds[0] < 1e-6 * values[0]
    assert 0 < values[-1] < 1.1 * values[-2]
    assert bounds[-1] > 0.1 * values[-1], "known to no more than that in 40 steps, and said so"
    assert singular_values(through, start, net.rank)[-1].isnan()


def test_an_end_that_is_not_known_is_nan(monkeypatch):
    monkeypatch.setattr(jacobian_module, "FULL_UP_TO", 10)
    found = singular_values(linear(torch.randn(400, 400, dtype=torch.float64)), torch.zeros(400, dtype=torch.float64))
    assert found[:5].isfinite().all()
    assert found[-1].isnan()


def test_golub_kahan_is_a_function_of_its_seed():
    net, x = flow("resnet", "conv"), torch.randn(SHAPES["conv"], dtype=torch.float64)
    before = torch.get_rng_state()
    assert torch.equal(golub_kahan(net, x, 10).values, golub_kahan(net, x, 10).values)
    assert not torch.equal(golub_kahan(net, x, 10).values, golub_kahan(net, x, 10, seed=1).values)
    assert torch.equal(torch.get_rng_state(), before)


def test_two_starts_find_what_one_may_miss():
    """The last direction has no part in the first start: nothing that comes of it can see the value 0.5, and no bound says so."""
    start = torch.randn(60, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    *seen, missed = torch.linalg.qr(torch.cat([start[:, None], torch.randn(60, 59, dtype=torch.float64)], 1))[0].T
    turned = torch.linalg.qr(torch.randn(59, 59, dtype=torch.float64))[0] @ torch.stack(seen)  # the start has a part in each of these
    matrix = torch.cat([torch.linspace(1, 2, 59, dtype=torch.float64)[:, None] * turned, 0.5 * missed[None]])
    x = torch.zeros(60, dtype=torch.float64)
    assert golub_kahan(linear(matrix), x, 20).values[-1] > 0.9
    assert golub_kahans(linear(matrix), x.expand(2, 60), 20).values[:, -1].min().item() == pytest.approx(0.5, rel=1e-6)


@pytest.mark.parametrize("operator", SHAPES)
def test_a_batch_is_its_examples(operator):
    net, batch = flow("antisymmetric", operator), torch.randn(3, *SHAPES[operator], dtype=torch.float64)
    matrices, spectra = full_jacobians(net, batch), golub_kahans(net, batch, 6)
    for example, matrix, values, bounds in zip(batch, matrices, *spectra, strict=True):
        assert torch.allclose(matrix, full_jacobian(net, example), rtol=0, atol=1e-13)
        exact = torch.linalg.svdvals(matrix)
        assert ((values[:, None] - exact).abs().min(1).values <= bounds).all()


@pytest.mark.parametrize("name", ["plain", "leapfrog", "hdnn"])
def test_prefixes_and_suffixes_are_the_jacobians_between_states(name):
    net, x = flow(name, "dense", 4), torch.randn(2, 6, dtype=torch.float64)
    maps, start = flow_maps(net, x)
    layers = layer_jacobians(maps, start)
    middle = composed(maps[:2])(start)
    assert torch.allclose(prefixes(layers)[1], full_jacobians(composed(maps[:2]), start), rtol=0, atol=1e-12)
    assert torch.allclose(suffixes(layers)[2], full_jacobians(composed(maps[2:]), middle), rtol=0, atol=1e-12)
    assert torch.allclose(prefixes(layers)[-1], suffixes(layers)[0], rtol=0, atol=1e-12)
    assert len(prefixes(layers)) == len(suffixes(layers)) == 4
    joined = composed(maps)(start)
    assert torch.allclose(net.dynamics.output(joined.chunk(joined.shape[1] // 6, 1)) if name == "leapfrog" else joined, net(x), atol=1e-12)


@pytest.mark.parametrize("values", [[1.0] * 30 + [3.0] * 10, [2.0, 1.0]])
def test_density_is_that_of_the_spectrum(values):
    found = density(linear(with_spectrum(values, 40, 60)), torch.zeros(60, dtype=torch.float64), starts=200)
    assert found.weights.sum().item() == pytest.approx(1, abs=1e-12)
    exact = torch.tensor(values + [0.0] * (40 - len(values)), dtype=torch.float64)
    levels = torch.tensor([0.5, 1.5, 2.5, 3.5], dtype=torch.float64)
    expected = [float((exact <= level).double().mean()) for level in levels]
    assert found.below(levels).tolist() == pytest.approx(expected, abs=0.03)


# What cannot be measured is said in one line, with what to do.

WIDTH = 12
X = torch.ones(WIDTH, dtype=torch.float64)


class OverwritingWhatIsNeeded(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = x.exp()
        z = y.square()
        y.mul_(2)
        return z


PROBES = {"full_jacobian": full_jacobian, "golub_kahan": golub_kahan, "singular_values": singular_values}


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_map_that_is_not_finite_has_no_spectrum(probe):
    if probe is full_jacobian:
        assert probe(lambda x: x * torch.nan, X).isnan().all()  # the matrix is what it is
        return
    for f in (lambda x: x * torch.nan, lambda x: (x - 1).abs().sqrt()):
        with pytest.raises(NotFinite, match=r"not finite at this point.*lower depth or h"):
            probe(f, X)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_what_is_changed_in_place(probe):
    probe(torch.nn.ReLU(inplace=True), X)  # its input is a copy
    with pytest.raises(BadInput, match="build its modules with inplace=False"):
        probe(OverwritingWhatIsNeeded(), X)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize("cut", [lambda x: x.detach(), lambda x: torch.zeros_like(x)])
def test_map_without_a_derivative(probe, cut):
    with pytest.raises(BadInput, match="take out detach"):
        probe(cut, X)


def test_net_that_cannot_be_differentiated_twice():
    with pytest.raises(BadInput, match="mode='checkpoint'"):
        golub_kahan(Flow(Hamiltonian(), WIDTH, 3, h=0.1, mode="reverse").double(), X)


def test_fused_layers_are_differentiated_twice():
    net = Flow(RoaMLP(), WIDTH, 3).double()
    assert torch.allclose(golub_kahan(net, X).values, torch.linalg.svdvals(full_jacobian(net, X)), rtol=1e-9)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize("net", [
    torch.nn.Sequential(torch.nn.Linear(3, 3), torch.nn.Dropout(0.5)),
    torch.nn.Sequential(torch.nn.BatchNorm1d(4), torch.nn.Tanh()),
    torch.nn.TransformerEncoderLayer(3, 1, 6, dropout=0.0),
    lambda x: x.sum(),
])
def test_map_that_mixes_its_examples_or_is_random(probe, net):
    with pytest.raises(BadInput, match=r"net: it mixes its examples or is random; use .eval\(\), and batch_first=True"):
        probe(net.double() if isinstance(net, torch.nn.Module) else net, torch.randn(4, 3, dtype=torch.float64))


def test_amplified_rounding_is_no_mixture():
    """Float32 through a net that multiplies by 1e8 and saturates: how many examples stand side by side would decide its digits."""
    matrix = 10 * torch.randn(WIDTH, WIDTH)
    net = composed([lambda x: (x @ matrix).tanh()] * 8)
    assert full_jacobian(net, torch.randn(WIDTH)).isfinite().all()


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
@pytest.mark.parametrize(("f", "x", "says"), [
    (lambda x: x, X.to(torch.complex128), "x is complex128; probes take float32 or float64"),
    (lambda x: x, X.half(), "x is float16"),
    (lambda x: x, X.bfloat16(), "x is bfloat16"),
    (torch.nn.Embedding(7, 4), torch.tensor([1, 2]), "x is int64"),
    (lambda x: x.bfloat16(), X, "net: its output is bfloat16"),
    (lambda x: (x, x), X, r"net: its output is a tuple; give one tensor, as lambda x: net\(x\)\[0\]"),
])
def test_what_has_no_derivative_of_this_kind(probe, f, x, says):
    with pytest.raises(BadInput, match=says):
        probe(f, x)


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_one_number_an_example(probe):
    found = probe(lambda x: x.square().sum(1), X)
    assert (found.values if probe is golub_kahan else torch.linalg.vector_norm(found)[None]).tolist() == pytest.approx([2 * WIDTH**0.5])


@pytest.mark.parametrize(("measure", "says"), [
    (lambda: golub_kahan((torch.tanh,) * 3, X), r"f: 3 maps \(.*\); give one, or a tuple of two"),
    (lambda: golub_kahan([torch.tanh], X), r"f: 1 maps \(list\)"),
    (lambda: golub_kahan(torch.tanh, X, 0), "steps=0: nothing to measure"),
    (lambda: full_jacobians(torch.tanh, X[None][:0]), "x: no examples"),
    (lambda: layer_jacobians([], X[None]), r"maps=\[\]: no layers"),
])
def test_nothing_to_measure(measure, says):
    with pytest.raises(BadInput, match=says):
        measure()


def test_room_is_asked_for_what_is_held(monkeypatch):
    """Of one map the vectors of both sides; of two also those between."""
    asked = []
    monkeypatch.setattr(lanczos_module, "SMALL", 10)
    monkeypatch.setattr(lanczos_module, "kept_for_backward", lambda f, example: 0)
    monkeypatch.setattr(lanczos_module, "check_room", lambda wanted, *_: asked.append(wanted))
    wide, narrow = (torch.randn(rows, columns, dtype=torch.float64) for rows, columns in ((3, WIDTH), (5, 3)))
    golub_kahan(linear(wide), X, 2)
    golub_kahan((linear(wide), linear(narrow)), X, 2)
    assert asked == [8 * 2 * (WIDTH + 3), 8 * 2 * (WIDTH + 3 + 5)]


@pytest.mark.parametrize("probe", PROBES.values(), ids=PROBES)
def test_what_does_not_fit_into_memory(probe, monkeypatch):
    monkeypatch.setattr(maps_module, "room", lambda device: 1000)
    for module in (jacobian_module, lanczos_module):
        monkeypatch.setattr(module, "SMALL", 10)
    with pytest.raises(BadInput, match=r"takes .* GiB and .* are free; take fewer examples"):
        probe(Flow(ResNet(), WIDTH, 3, h=0.1).double(), X)


def test_as_many_copies_as_fit(monkeypatch):
    """Of a net that keeps 4 tensors of 12 numbers for each example, beside a matrix of 144."""
    sizes = []

    def net(x: torch.Tensor) -> torch.Tensor:
        sizes.append(len(x))
        return x.tanh().tanh().tanh().tanh()
    exact = full_jacobian(net, X)
    monkeypatch.setattr(maps_module, "room", lambda device: 8 * 144 + 8 * 12 * 4 * 5)
    monkeypatch.setattr(jacobian_module, "room", maps_module.room)
    monkeypatch.setattr(jacobian_module, "SMALL", 10)
    sizes.clear()
    assert torch.equal(full_jacobian(net, X), exact)
    assert sizes[-1] == 4  # three chunks of four
