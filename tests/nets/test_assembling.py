"""`Network`: openings, units with pooling and padding, heads, taps, initial weights."""

import math

import pytest
import torch
from conftest import NARROW

from stablenets.engine.operators import OPERATORS
from stablenets.errors import BadInput
from stablenets.nets import DEPTH_FAMILIES, FAMILIES, Antisymmetric, Flow, Network, ResNet
from stablenets.nets.assembling import divide_layers
from stablenets.nets.boundaries import Halve
from stablenets.nets.ends import HEADS, OPENINGS, Pad, make_head, make_opening
from stablenets.probes import singular_values
from stablenets.training.network import build_network

DIGITS, POINT = (1, 8, 8), (2,)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def dense(shape=POINT, family="resnet", width=6, opening_kind="linear", **more) -> Network:
    return Network(
        FAMILIES[family](**NARROW.get(family, {})),
        shape=shape,
        outputs=3,
        widths=[width],
        h=0.1,
        operator="dense",
        opening_kind=opening_kind,
        head_kind="linear",
        **{"depth": 4} | more,
    )


def conv(family="resnet", widths=(4, 8), opening_kind="conv", head_kind="mean", **more) -> Network:
    return Network(
        FAMILIES[family](**NARROW.get(family, {})),
        shape=DIGITS,
        outputs=10,
        widths=list(widths),
        h=0.1,
        operator="conv",
        opening_kind=opening_kind,
        head_kind=head_kind,
        **{"depth": 5} | more,
    )


@pytest.mark.parametrize("family", DEPTH_FAMILIES)
@pytest.mark.parametrize("mode", ["store", "checkpoint"])
def test_every_family_takes_points_flat_images_and_images(family, mode):
    points, flat, images = torch.randn(7, *POINT), torch.randn(7, *DIGITS), torch.randn(7, *DIGITS)
    assert dense(family=family, backward=mode)(points).shape == (7, 3)
    assert dense(DIGITS, family=family, backward=mode)(flat).shape == (7, 3)
    if FAMILIES[family]().capabilities.dense_only:
        return
    net = conv(family=family, backward=mode)
    net(images).sum().backward()
    assert net(images).shape == (7, 10)
    assert all(parameter.grad.isfinite().all() for parameter in net.parameters())


def test_pad_appends_zeros_to_the_features():
    x = torch.randn(3, 2, 5, 5)
    assert torch.equal(Pad(4)(x)[:, :2], x)
    assert not Pad(4)(x)[:, 2:].any()
    assert Pad(4)(x).shape == (3, 6, 5, 5)
    assert torch.equal(Pad(0)(x), x)


@pytest.mark.parametrize(
    ("kind", "shape", "width", "expected", "learned"),
    [
        ("linear", DIGITS, 6, (6,), 6 * 64 + 6),
        ("pad", POINT, 6, (6,), 0),
        ("pad", DIGITS, 64, (64,), 0),
        ("conv", (3, 8, 8), 6, (6, 8, 8), 6 * 3 * 9 + 6),
        ("pad_channels", (3, 8, 8), 6, (6, 8, 8), 0),
    ],
)
def test_opening_brings_an_example_to_the_width(kind, shape, width, expected, learned):
    layer = make_opening(kind, shape, width)
    assert layer(torch.randn(2, *shape)).shape == (2, *expected)
    assert sum(parameter.numel() for parameter in layer.parameters()) == learned


def test_padded_opening_keeps_the_example():
    x = torch.randn(2, *DIGITS)
    assert torch.equal(make_opening("pad", DIGITS, 70)(x)[:, :64], x.flatten(1))
    assert torch.equal(make_opening("pad_channels", DIGITS, 4)(x)[:, :1], x)


@pytest.mark.parametrize(
    ("kind", "size"), [("linear", (6,)), ("flatten", (6, 4, 4)), ("mean", (6, 4, 4))]
)
def test_head_is_affine_in_the_last_state(kind, size):
    layer, x, y = make_head(kind, size, 5), torch.randn(2, *size), torch.randn(2, *size)
    assert layer(x).shape == (2, 5)
    assert torch.allclose(layer((x + y) / 2), (layer(x) + layer(y)) / 2, atol=1e-6)


@pytest.mark.parametrize(
    ("net", "dataset", "features"),
    [("antisymmetric", "digits", 4), ("resnet_conv", "digits", 4), ("roarnn", "psdigits", 4)],
)
def test_hidden_layer_stands_between_the_last_state_and_the_affine_map(
    resolved, net, dataset, features
):
    run = resolved(
        f"net={net}", f"dataset={dataset}", "depth=null", "net.widths=[4]", "net.head_hidden=7"
    )
    made = build_network(run, run.dataset.facts)
    affine = [module for module in made.head.modules() if isinstance(module, torch.nn.Linear)]
    assert [(module.in_features, module.out_features) for module in affine] == [
        (features, 7),
        (7, 10),
    ]
    x = torch.randn(2, *run.dataset.facts.shape)
    state = made.units[0](x if net == "roarnn" else made.opening(x))
    read = state.mean((2, 3)) if net == "resnet_conv" else state
    torch.testing.assert_close(made(x), affine[1](affine[0](read).relu()))


def test_mean_head_reads_channel_means():
    layer, x = make_head("mean", (6, 4, 4), 5), torch.randn(2, 6, 4, 4)
    assert torch.allclose(layer(x), layer[1](x.mean((2, 3))))


def test_every_opening_and_head_kind_makes_a_network():
    for kind in OPENINGS["dense"]:
        assert dense(opening_kind=kind)(torch.randn(2, *POINT)).shape == (2, 3)
    for kind in OPENINGS["conv"]:
        for last in HEADS["conv"]:
            assert conv(opening_kind=kind, head_kind=last)(torch.randn(2, *DIGITS)).shape == (2, 10)


@pytest.mark.parametrize(
    ("depth", "units", "layers"),
    [(6, 3, [2, 2, 2]), (7, 3, [3, 2, 2]), (8, 3, [3, 3, 2]), (1, 1, [1])],
)
def test_depth_is_divided_and_the_first_units_take_the_rest(depth, units, layers):
    assert divide_layers(depth, units) == layers


@pytest.mark.parametrize(
    ("channels", "width", "before"), [(4, 8, 2), (4, 7, 1), (4, 5, 0), (4, 4, 0)]
)
def test_halving_pools_and_pads_half_before_and_half_after(channels, width, before):
    y = torch.randn(2, channels, 6, 6)
    out = Halve(width)(y)
    assert out.shape == (2, width, 3, 3)
    pooled = (y[:, :, ::2, ::2] + y[:, :, 1::2, ::2] + y[:, :, ::2, 1::2] + y[:, :, 1::2, 1::2]) / 4
    assert torch.allclose(out[:, before : before + channels], pooled, atol=1e-6)
    assert not out[:, :before].any()
    assert not out[:, before + channels :].any()  # what is left over of an odd number goes after


def test_units_see_half_the_resolution_each():
    net, seen = conv(widths=(4, 8, 9), head_kind="flatten"), {}
    net(
        torch.randn(2, *DIGITS),
        lambda index, state: seen.setdefault(index, []).append(tuple(state[0].shape[1:])),
    )
    assert [unit.depth for unit in net.units] == [2, 2, 1]
    assert seen == {
        0: [(4, 8, 8)],
        1: [(4, 8, 8)],
        2: [(4, 8, 8), (8, 4, 4)],
        3: [(8, 4, 4)],
        4: [(8, 4, 4), (9, 2, 2)],
        5: [(9, 2, 2)],
    }


@pytest.mark.parametrize("mode", ["store", "checkpoint"])
def test_tap_counts_layers_across_units_and_sees_boundaries_twice(mode):
    net, seen = conv(backward=mode), []
    net(torch.randn(2, *DIGITS), lambda index, state: seen.append(index))
    assert seen == [0, 1, 2, 3, 3, 4, 5]


@pytest.mark.parametrize("mode", ["store", "checkpoint"])
@pytest.mark.parametrize("build", [dense, conv])
def test_a_function_as_tap_sees_states_that_get_a_gradient(build, mode):
    """Fused layers give their states no gradient; they need a tap with a method `gradient`."""
    net, reached = build(backward=mode), set()

    def tap(index, state):
        for part in state:
            part.register_hook(lambda gradient: reached.add(index))

    net(torch.randn(2, *(POINT if build is dense else DIGITS)), tap).sum().backward()
    assert reached == set(range(net.depth + 1))


def test_features_are_what_the_head_sees():
    net, x = conv(), torch.randn(2, *DIGITS)
    assert torch.equal(net(x), net.head(net.features(net.opening(x))))


@pytest.mark.parametrize(
    "net",
    [
        dense(),
        conv(widths=(3,)),
        conv(widths=(2, 4)),
        conv(widths=(2, 9)),
        conv(widths=(2, 20, 20)),
    ],
)
def test_rank_is_that_of_the_jacobian_of_the_features(net):
    """Singular values that pooling makes zero are left out of the spectrum."""
    x = torch.randn(
        net.units[0].width,
        *(() if len(net.units[0].K.shape) == 3 else DIGITS[1:]),
        dtype=torch.float64,
    )
    values = singular_values(net.double().features, x)
    assert values[net.rank - 1] > 1e-6 * values[0]
    assert not (values[net.rank :] > 1e-12 * values[0]).any()


def test_variation_sums_over_units():
    net = conv()
    assert net.variation().item() == pytest.approx(
        sum(unit.variation().item() for unit in net.units)
    )


def test_state_dict_keys_are_pinned():
    """Saved weights are read by these names."""
    assert list(conv().state_dict()) == [
        "opening.weight",
        "opening.bias",
        "units.0.K",
        "units.0.b",
        "units.1.K",
        "units.1.b",
        "head.1.weight",
        "head.1.bias",
    ]
    assert list(dense().state_dict()) == [
        "opening.1.weight",
        "opening.1.bias",
        "units.0.K",
        "units.0.b",
        "head.1.weight",
        "head.1.bias",
    ]


@pytest.mark.parametrize("gain", [1.0, 0.5])
@pytest.mark.parametrize("operator", OPERATORS)
def test_initial_kernels_have_deviation_gain_over_root_fan_in(operator, gain):
    net = Flow(ResNet(), 12, 40, h=0.1, operator=operator, gain=gain)
    expected, count = gain / math.sqrt(12 if operator == "dense" else 12 * 9), net.K.numel()
    assert net.K.std().item() == pytest.approx(
        expected, rel=5 / math.sqrt(2 * count)
    )  # five standard errors
    assert abs(net.K.mean().item()) < 5 * expected / math.sqrt(count)
    assert abs((net.K[1:] * net.K[:-1]).mean().item()) < 5 * expected**2 / math.sqrt(
        count
    )  # layers are drawn independently
    assert not net.b.any()


def test_bfloat16_keeps_the_state_in_float32():
    """Products may be in bfloat16, the state may not: a thousand small steps would be lost."""
    torch.manual_seed(0)
    net = Network(
        Antisymmetric(),
        shape=(2,),
        outputs=3,
        widths=[16],
        depth=1024,
        h=5 / 1024,
        operator="dense",
        opening_kind="linear",
        head_kind="linear",
    )
    x = torch.randn(8, 2)
    start = net.opening(x)
    exact = net.features(start)
    with torch.autocast("cpu", torch.bfloat16):
        mixed = net.features(net.opening(x))
    assert mixed.dtype == torch.float32
    assert (mixed - exact).norm() < 0.05 * (exact - start).norm()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"opening_kind": "linaer"}, "opening_kind=linaer: did you mean linear"),
        ({"head_kind": "mean"}, "head_kind=mean"),
        ({"transition": "foo"}, "transition=foo"),
        ({"operator": "convolution"}, "operator=convolution"),
        ({"widths": [4, 8]}, r"widths=\[4, 8\]: a dense network has one unit"),
    ],
)
def test_a_network_with_an_unknown_part_is_refused(changed, says):
    given = {
        "shape": (3,),
        "outputs": 2,
        "widths": [4],
        "depth": 2,
        "h": 0.1,
        "operator": "dense",
        "opening_kind": "linear",
        "head_kind": "linear",
    }
    with pytest.raises(BadInput, match=says):
        Network(ResNet(), **(given | changed))
