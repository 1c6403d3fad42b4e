"""The tensors of a flow, its smoothness in time, its text, and the errors for wrong options."""

import pytest
import torch
from every_family import (  # noqa: F401 - pytest reads the hook here
    CAPABILITIES,
    OPTIONS,
    WIDTH,
    flow,
    pytest_generate_tests,
    states,
)

from stablenets.engine.flow import Flow
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, Network, Recurrence, ResNet, SequenceNetwork


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_state_dict_keys_are_the_papers_names(name, operator):
    net = flow(name, operator, 3)
    norms = {
        f"{part}_{norm}"
        for norm in net.dynamics.norms
        for part in ("gamma", "beta", "mean", "variance")
    }
    assert set(net.state_dict()) == {
        *net.dynamics.operators,
        *net.dynamics.biases,
        *net.dynamics.fixed(WIDTH, 3),
        *norms,
    }


def test_state_dict_shapes_have_depth_in_front(operator):
    net = Flow(ResNet(), WIDTH, 6, h=0.1, operator=operator)
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == {
        "K": (6, WIDTH, WIDTH) if operator == "dense" else (6, WIDTH, WIDTH, 3, 3),
        "b": (6, WIDTH),
    }
    assert Flow(ResNet(bias="scalar"), WIDTH, 6, h=0.1, operator=operator).b.shape == (6, 1)


def test_output_has_the_shape_of_the_input_with_either_bias(name, operator):
    for bias in ("feature", "scalar"):
        x = states(operator)
        assert flow(name, operator, 3, bias=bias)(x).shape == x.shape


def test_scalar_bias_is_a_feature_bias_of_equal_entries(name, operator):
    scalar, feature, x = (
        flow(name, operator, 3, bias="scalar"),
        flow(name, operator, 3, bias="feature"),
        states(operator),
    )
    with torch.no_grad():
        for key, value in (
            *scalar.named_parameters(),
            *scalar.named_buffers(),
        ):  # a random filter is drawn anew in each
            if key in scalar.dynamics.biases:
                value.normal_()
            getattr(feature, key).copy_(value)
    assert torch.allclose(scalar(x), feature(x), rtol=0, atol=1e-14)


@pytest.mark.parametrize("key", ["K", "b"])
def test_variation_is_half_the_squared_differences_over_h(key, operator):
    net = flow("resnet", operator, 5)
    with torch.no_grad():
        for parameter in net.parameters():
            parameter.zero_()
        θ = getattr(net, key).normal_()
        expected = sum(float((θ[j + 1] - θ[j]).square().sum()) for j in range(4)) / (2 * 0.2)
    assert net.variation().item() == pytest.approx(expected, rel=1e-12)


def test_variation_takes_all_learned_tensors_together(name, operator):
    net = flow(name, operator, 5)
    with torch.no_grad():
        parts = []
        for parameter in net.parameters():
            parameter.normal_()
            parts.append(parameter.diff(dim=0).square().sum() / (2 * net.h))
    assert net.variation().item() == pytest.approx(float(sum(parts)), rel=1e-12)


def test_variation_does_not_change_when_time_is_refined(name, operator):
    """Weights linear in time at N nodes and h, then at 2N - 1 nodes and h / 2: the same function,
    the same seminorm.
    """
    coarse, N = flow(name, operator, 6), 6
    dynamics = FAMILIES[name](**OPTIONS.get(name, {}))
    h = CAPABILITIES[name].step_size(0.1)
    fine = Flow(dynamics, WIDTH, 2 * N - 1, h=h, operator=operator).double()
    fine.h = coarse.h / 2
    with torch.no_grad():
        for few, many in zip(coarse.parameters(), fine.parameters(), strict=True):
            start, slope = torch.randn_like(few[0]), torch.randn_like(few[0])
            for net, parameter in ((coarse, few), (fine, many)):
                for j in range(net.depth):
                    parameter[j] = start + j * net.h * slope
    assert fine.variation().item() == pytest.approx(coarse.variation().item(), rel=1e-12)


def test_variation_of_a_single_layer_is_zero(name):
    assert flow(name, "dense", 1).variation().item() == 0


def test_text_of_a_flow_names_what_it_runs(name):
    text = repr(flow(name, "dense", 3, "checkpoint"))
    assert ("h=0.2" in text) == (CAPABILITIES[name].order is not None)
    assert all(
        part in text
        for part in (
            FAMILIES[name].__name__,
            "width=4",
            "depth=3",
            "Dense",
            "backward=checkpoint",
        )
    )


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"backward": "revers"}, "backward=revers: did you mean reverse"),
        ({"operator": "con"}, "operator=con: did you mean conv"),
        ({"backward": "reverse"}, "backward=reverse: ResNet has no inverse step; use"),
        ({"depth": -1}, "depth=-1: the number of"),
        ({"h": None}, "h: missing; .* ResNet; give a number"),
        ({"dynamics": FAMILIES["plain"]()}, "h=0.1: Plain has no step size; leave h out"),
        ({"dynamics": FAMILIES["hamiltonian"](), "width": 3}, "width=3: Hamiltonian .* even width"),
        ({"dynamics": FAMILIES["distributed"](), "width": 24}, "width=24: Distributed .* of 16"),
        (
            {"dynamics": FAMILIES["roamlp"](), "h": None, "operator": "conv"},
            "operator=conv: RoaMLP has no convolutional form; use operator=dense",
        ),
        (
            {"dynamics": FAMILIES["roamlp"](), "h": None, "depth": 0},
            "beta_scaling=depth: .* give depth>=1",
        ),
    ],
)
def test_a_wrong_option_of_a_flow_is_one_line_with_the_remedy(options, says):
    with pytest.raises(ValueError, match=says) as error:
        Flow(**{"dynamics": ResNet(), "width": 4, "depth": 3, "h": 0.1} | options)
    assert "\n" not in str(error.value)


def test_a_wrong_option_of_a_family_is_one_line_with_the_remedy():
    for options in ({"activation": "tahn"}, {"bias": "scaler"}):
        with pytest.raises(BadInput, match="did you mean"):
            ResNet(**options)
    with pytest.raises(BadInput, match="gamma=-1: must be >= 0"):
        FAMILIES["antisymmetric"](gamma=-1)


@pytest.mark.parametrize("module", [Flow, Network, Recurrence, SequenceNetwork])
def test_a_class_or_a_family_of_another_kind_is_a_type_error(module):
    options = {
        Flow: {"width": 4, "depth": 3, "h": 0.1},
        Recurrence: {"inputs": 1, "width": 4, "depth": 3},
        SequenceNetwork: {"shape": (5, 1), "outputs": 2, "width": 4},
        Network: {
            "shape": (2,),
            "outputs": 2,
            "widths": [4],
            "depth": 3,
            "h": 0.1,
            "operator": "dense",
            "opening_kind": "pad",
            "head_kind": "linear",
        },
    }[module]
    own, other = (
        ("rnn", "resnet")
        if "Sequence" in module.__name__ or module is Recurrence
        else (
            "resnet",
            "rnn",
        )
    )
    with pytest.raises(TypeError, match=r"give an instance"):
        module(FAMILIES[own], **options)
    with pytest.raises(TypeError, match=rf"use {FAMILIES[other].run_by}\("):
        module(FAMILIES[other](), **options)
    with pytest.raises(TypeError, match=r"takes a family that is a"):
        module("resnet", **options)
    module(FAMILIES[own](), **options)


@pytest.mark.parametrize(
    ("kind", "shape", "says"),
    [
        ("dense", (3, 5), r"x \(3, 5\): .*width=4 take \(..., 4\)"),
        ("dense", (), r"x \(\): "),
        ("conv", (3, 4), r"x \(3, 4\): .*\(B, 4, H, W\)"),
        ("conv", (3, 5, 8, 8), r"x \(3, 5, 8, 8\): "),
    ],
)
def test_an_input_of_the_wrong_shape_is_one_line_with_the_right_one(kind, shape, says):
    with pytest.raises(ValueError, match=says):
        Flow(ResNet(), 4, 3, h=0.1, operator=kind)(torch.zeros(shape))


def test_sequences_of_the_wrong_shape_are_one_line_with_the_right_one():
    for shape in ((3, 5), (3, 7, 5)):
        with pytest.raises(ValueError, match=r"takes sequences \(B, T, 2\)"):
            Recurrence(FAMILIES["rnn"](), 2, 4, 7)(torch.zeros(shape))
