"""Operators: exact adjoints, and sums, products and multiples of operators."""

import pytest
import torch
import torch.nn.functional as F

from stablenets.engine.operators import OPERATORS, Operator
from stablenets.nets import Flow, ResNet

WIDTH = 5
SPACE = {"dense": (), "conv": (6, 7)}  # neither square nor even, so that a swapped dimension shows


@pytest.fixture(params=OPERATORS)
def kind(request) -> str:
    return request.param


def operator(kind: str, *stack: int, seed: int = 0) -> Operator:
    shape = (*stack, *OPERATORS[kind].kernel_shape(WIDTH))
    return OPERATORS[kind](
        torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    )


def states(kind: str, seed: int, batch: int = 3) -> torch.Tensor:
    return torch.randn(
        batch,
        WIDTH,
        *SPACE[kind],
        generator=torch.Generator().manual_seed(seed),
        dtype=torch.float64,
    )


def matrix(K: Operator, kind: str) -> torch.Tensor:
    """Return the operator as a matrix on flattened states: column i is K e_i."""
    size = states(kind, 0)[0].numel()
    return K(torch.eye(size, dtype=torch.float64).view(size, WIDTH, *SPACE[kind])).flatten(1).T


def close(a: torch.Tensor, b: torch.Tensor, tolerance: float = 1e-12) -> bool:
    return a.shape == b.shape and torch.allclose(a, b, rtol=0, atol=tolerance)


def test_adjoint_moves_across_the_inner_product(kind):
    K, x, y = operator(kind), states(kind, 1), states(kind, 2)
    assert (K(x) * y).sum().item() == pytest.approx((x * K.T(y)).sum().item(), rel=1e-12)


def test_adjoint_is_the_transposed_matrix(kind):
    K = operator(kind)
    assert torch.equal(matrix(K.T, kind), matrix(K, kind).T)


def test_dense_acts_on_columns():
    K, x = operator("dense"), states("dense", 1)
    assert close(K(x)[0], K.kernel @ x[0])
    assert close(K.T(x)[0], K.kernel.T @ x[0])


def test_conv_and_its_adjoint_equal_those_of_torch_with_the_same_kernel():
    K, x = operator("conv"), states("conv", 1)
    assert close(K(x), F.conv2d(x, K.kernel, padding=1))
    assert close(K.T(x), F.conv_transpose2d(x, K.kernel, padding=1))


def test_adjoint_of_the_adjoint_is_the_operator(kind):
    K = operator(kind)
    assert type(K.T.T) is type(K)
    assert torch.equal(K.T.T.kernel, K.kernel)


def test_sums_and_multiples_act_as_linear_maps(kind):
    K, M, x = operator(kind), operator(kind, seed=3), states(kind, 1)
    assert close(((K.T - K) / 2)(x), (K.T(x) - K(x)) / 2)
    assert close((0.5 * K)(x), K(x) / 2)
    assert close((-K)(x), -K(x))
    assert close((K + M)(x), K(x) + M(x))
    assert close((K * 0.3)(x), 0.3 * K(x))


def test_a_product_applies_one_operator_after_the_other(kind):
    K, M, x = operator(kind), operator(kind, seed=3), states(kind, 1)
    assert close((K @ M)(x), K(M(x)))
    b = torch.randn(WIDTH, *(1 for _ in SPACE[kind]), dtype=torch.float64)
    assert close((K @ M)(x, b), K(M(x)) + b)


def test_product_of_stacked_matrices_is_a_stack_of_matrices():
    K, M = operator("dense", 4), operator("dense", 4, seed=3)
    assert close((K.T @ M).kernel, torch.einsum("lji,ljk->lik", K.kernel, M.kernel))


def test_the_antisymmetric_part_is_orthogonal_to_its_input(kind):
    A, x = operator(kind).T - operator(kind), states(kind, 1)
    assert (A(x) * x).sum().abs() < 1e-12 * x.square().sum()


def test_identity(kind):
    K, x = operator(kind), states(kind, 1)
    assert torch.equal(K.identity()(x), x)
    assert K.identity().kernel.dtype == torch.float64
    assert torch.equal(operator(kind, 4).identity()(x), x)  # of one layer, also from a stack


@pytest.mark.parametrize("features", [1, WIDTH])
def test_bias_is_added(kind, features):
    K, x = operator(kind), states(kind, 1)
    b = torch.randn(features, *(1 for _ in SPACE[kind]), dtype=torch.float64)
    assert close(K(x, b), K(x) + b)


def test_stack_unbinds_to_its_layers(kind):
    K, x = operator(kind, 4), states(kind, 1)
    layers, adjoints = K.unbind(), K.T.unbind()
    assert [type(layer) for layer in layers] == [OPERATORS[kind]] * 4
    for index, (layer, adjoint) in enumerate(zip(layers, adjoints, strict=True)):
        assert torch.equal(layer.kernel, K.kernel[index])
        assert close(adjoint(x), layer.T(x))


def test_the_base_class_names_the_missing_method():
    base = Operator(torch.eye(2))
    with pytest.raises(TypeError, match="does not define"):
        base(torch.zeros(1, 2))
    with pytest.raises(TypeError, match="no adjoint"):
        base.T  # noqa: B018


def test_convolutional_states_in_a_flow_are_channels_last():
    seen = []
    x = torch.randn(2, 4, 5, 6)
    Flow(ResNet(), 4, 3, h=0.1, operator="conv")(x, lambda layer, state: seen.extend(state))
    assert len(seen) == 4
    assert all(state.is_contiguous(memory_format=torch.channels_last) for state in seen)
    assert torch.equal(OPERATORS["conv"].laid_out(x), x)
