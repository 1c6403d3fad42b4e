"""What a flow is made of: its tensors' names and shapes, either bias, smoothness in time; its text,
and what it refuses.
"""

import pytest
import torch
from every_family import (  # noqa: F401 - pytest reads the hook here
    OPTIONS,
    WIDTH,
    flow,
    pytest_generate_tests,
    states,
)

from stablenets.engine.flow import Flow
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, ResNet


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
    net = Flow(ResNet(), WIDTH, 6, operator=operator)
    assert {key: tuple(value.shape) for key, value in net.state_dict().items()} == {
        "K": (6, WIDTH, WIDTH) if operator == "dense" else (6, WIDTH, WIDTH, 3, 3),
        "b": (6, WIDTH),
    }
    assert Flow(ResNet(bias="scalar"), WIDTH, 6, operator=operator).b.shape == (6, 1)


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
            parts.append(parameter.diff(dim=0).square().sum() / 0.4)
    assert net.variation().item() == pytest.approx(float(sum(parts)), rel=1e-12)


def test_variation_does_not_change_when_time_is_refined(name, operator):
    """Weights linear in time at N nodes and h, then at 2N - 1 nodes and h / 2: the same function,
    the same seminorm.
    """
    coarse, N = flow(name, operator, 6), 6
    fine = Flow(
        FAMILIES[name](**OPTIONS.get(name, {})), WIDTH, 2 * N - 1, h=coarse.h / 2, operator=operator
    ).double()
    with torch.no_grad():
        for few, many in zip(coarse.parameters(), fine.parameters(), strict=True):
            start, slope = torch.randn_like(few[0]), torch.randn_like(few[0])
            for net, parameter in ((coarse, few), (fine, many)):
                for j in range(net.depth):
                    parameter[j] = start + j * net.h * slope
    assert fine.variation().item() == pytest.approx(coarse.variation().item(), rel=1e-12)


def test_variation_of_a_single_layer_is_nought(name):
    assert flow(name, "dense", 1).variation().item() == 0


def test_text_of_a_flow_names_what_it_runs(name):
    text = repr(flow(name, "dense", 3, "checkpoint"))
    assert all(
        part in text
        for part in (
            FAMILIES[name].__name__,
            "width=4",
            "depth=3",
            "h=0.2",
            "Dense",
            "backward=checkpoint",
        )
    )


def test_what_a_flow_refuses():
    for options, says in [
        ({"backward": "revers"}, "backward=revers: did you mean reverse"),
        ({"operator": "con"}, "operator=con: did you mean conv"),
        (
            {"backward": "reverse"},
            "backward=reverse: ResNet has no inverse step; use backward=checkpoint",
        ),
        ({"depth": -1}, "depth=-1: the number of"),
    ]:
        with pytest.raises(ValueError, match=says):
            Flow(ResNet(), **{"width": 4, "depth": 3} | options)
    for options in ({"activation": "tahn"}, {"bias": "scaler"}):
        with pytest.raises(BadInput, match="did you mean"):
            ResNet(**options)
    with pytest.raises(BadInput, match="gamma=-1: must be >= 0"):
        FAMILIES["antisymmetric"](gamma=-1)
