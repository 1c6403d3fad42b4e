"""Gauss-Newton steps against oracles: dense algebra, an independent solver, and what the
mathematics promises.
"""

from itertools import pairwise

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from small_objective import examples, network, objective
from torch import nn

from experiments.haber2017.optimisers.block_descent import (
    estimate_mean_curvature,
    smoothness_inverse,
)
from experiments.haber2017.optimisers.newton import (
    Limits,
    flatten_tensors,
    gauss_newton_map,
    hessian_map,
    newton_step,
    split_like,
)
from experiments.haber2017.optimisers.pcg import pcg
from stablenets.nets import FAMILIES, Network
from stablenets.training.losses import cross_entropy, squared_error

EXACT = Limits(iterations=200, tolerance=1e-12)
SMOOTH = sorted(
    name for name, family in FAMILIES.items() if family().capabilities.order is not None
)
CONV = ("antisymmetric", "hamiltonian")


def definite(n: int) -> torch.Tensor:
    root = torch.randn(n, n, dtype=torch.float64)
    return root @ root.T + torch.eye(n, dtype=torch.float64)


def dense(A, n: int) -> torch.Tensor:
    """The matrix of a linear map, a column at a time."""
    return torch.stack([A(unit) for unit in torch.eye(n, dtype=torch.float64)], 1)


# conjugate gradients


def test_pcg_solves_a_dense_system_in_as_many_iterations_as_it_has_unknowns():
    A, b = definite(12), torch.randn(12, dtype=torch.float64)
    found = pcg(A.mv, b, iterations=30, tolerance=1e-12)
    assert found.iterations <= 14
    assert found.residual <= 1e-12
    assert torch.allclose(found.x, torch.linalg.solve(A, b), rtol=1e-9)


def test_a_preconditioner_that_is_the_inverse_needs_one_iteration():
    A, b = definite(12), torch.randn(12, dtype=torch.float64)
    found = pcg(A.mv, b, iterations=30, tolerance=1e-9, M_inverse=torch.linalg.inv(A).mv)
    assert found.iterations == 1
    assert torch.allclose(found.x, torch.linalg.solve(A, b), rtol=1e-8)


def test_pcg_keeps_its_limit_and_descends_all_the_same():
    """½ x.A x - b.x falls with every iteration."""
    A, b = definite(20), torch.randn(20, dtype=torch.float64)
    iterates = [pcg(A.mv, b, iterations=count, tolerance=1e-12) for count in range(1, 8)]
    energies = [0.0] + [float(found.x @ A @ found.x / 2 - b @ found.x) for found in iterates]
    assert [found.iterations for found in iterates] == list(range(1, 8))
    assert all(after < before for before, after in pairwise(energies))


def test_pcg_of_a_singular_matrix_gives_the_least_solution_or_stops():
    root = torch.randn(6, 3, dtype=torch.float64)
    A, inside = root @ root.T, root @ torch.randn(3, dtype=torch.float64)
    assert torch.allclose(
        pcg(A.mv, inside, iterations=50, tolerance=1e-10).x,
        torch.linalg.pinv(A) @ inside,
        rtol=1e-6,
    )
    assert (
        pcg(A.mv, torch.randn(6, dtype=torch.float64), iterations=50, tolerance=1e-10)
        .x.isfinite()
        .all()
    )
    assert pcg(torch.zeros(3, 3).mv, torch.ones(3), iterations=5, tolerance=0.1).x.tolist() == [
        0,
        0,
        0,
    ]
    assert (
        pcg(A.mv, torch.zeros(6, dtype=torch.float64), iterations=5, tolerance=0.1).iterations == 0
    )


# the operator


def jacobian(net: Network, weights: list[torch.Tensor], x: torch.Tensor) -> torch.Tensor:
    """d outputs / d weights (B·outputs, n), a row at a time."""
    rows = [
        flatten_tensors(
            torch.autograd.grad(value, weights, retain_graph=True, materialize_grads=True)
        )
        for value in net(x).flatten()
    ]
    return torch.stack(rows)


def hessian_of(loss, z: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    return torch.autograd.functional.hessian(lambda z: loss(z, y), z).view(z.numel(), z.numel())


@pytest.mark.parametrize(
    ("family", "operator"), [(name, "dense") for name in SMOOTH] + [(name, "conv") for name in CONV]
)
@pytest.mark.parametrize("loss", [cross_entropy, squared_error])
def test_gauss_newton_is_jthj(family, operator, loss):
    """The dense product, symmetric, and with no negative eigenvalue."""
    net = network(family, operator, width=4 if operator == "dense" else 2)
    weights = objective(net).weights
    x, y = examples(5, *((2,) if operator == "dense" else (1, 4, 4)))
    y = y if loss is cross_entropy else torch.randn(5, 3, dtype=torch.float64)
    z = net(x)
    J, H = jacobian(net, weights, x), hessian_of(loss, z.detach(), y)
    found = dense(gauss_newton_map(weights, z, y, loss), J.shape[1])
    assert torch.allclose(found, J.T @ H @ J, rtol=1e-9, atol=1e-13)
    assert torch.allclose(found, found.T, rtol=0, atol=1e-13)
    assert torch.linalg.eigvalsh(found).min() > -1e-13


def test_for_the_classifier_gauss_newton_is_newton():
    linear = nn.Linear(4, 3).double()
    weights, (Y, y) = list(linear.parameters()), examples(6, 4)
    start = flatten_tensors(weights).detach()

    def loss_at(θ: torch.Tensor) -> torch.Tensor:
        W, mu = split_like(θ, weights)
        return cross_entropy(Y @ W.mT + mu, y)

    exact = torch.autograd.functional.hessian(loss_at, start)
    assert torch.allclose(
        dense(gauss_newton_map(weights, linear(Y), y, cross_entropy), len(start)),
        exact,
        rtol=1e-10,
        atol=1e-14,
    )


def test_second_derivative_of_the_smoothness_term():
    """α/h D.T D on each entry's course through the layers, nothing on the opening."""
    net = network("resnet", depth=5)
    goal = objective(net, alpha=0.3)
    weights, D = goal.weights, torch.eye(5, dtype=torch.float64).diff(dim=0)
    v = torch.randn(sum(weight.numel() for weight in weights), dtype=torch.float64)
    parts = split_like(v, weights)
    found = split_like(hessian_map(weights, goal.smoothness)(v), weights)
    stacks = {id(parameter) for parameter in net.units.parameters()}
    for weight, part, product in zip(weights, parts, found, strict=True):
        expected = (
            (0.3 / 0.5 * D.T @ D @ part.view(5, -1)).view_as(part)
            if id(weight) in stacks
            else torch.zeros_like(part)
        )
        assert torch.allclose(product, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("depth", [1, 2, 7])
def test_smooth_preconditioner_is_the_inverse_of_smoothness_and_shift(depth):
    goal = objective(network(depth=depth), alpha=0.3)
    n = sum(weight.numel() for weight in goal.weights)
    R = dense(hessian_map(goal.weights, goal.smoothness), n)
    found = dense(smoothness_inverse(goal, 0.7), n)
    assert torch.allclose(
        found @ (R + 0.7 * torch.eye(n, dtype=torch.float64)),
        torch.eye(n, dtype=torch.float64),
        atol=1e-12,
    )


def test_mean_curvature_is_the_mean_eigenvalue_on_average():
    A, weights = definite(30), [torch.zeros(30, dtype=torch.float64)]
    estimates = [
        estimate_mean_curvature(A.mv, weights, torch.Generator().manual_seed(seed))
        for seed in range(200)
    ]
    assert np.mean(estimates) == pytest.approx(float(A.trace()) / 30, rel=0.05)


# steps


def test_newton_finds_the_optimum_of_the_classifier():
    """As scikit-learn's logistic regression does, with mu as the weight of a feature that is 1."""
    Y, y = examples(80, 4)
    linear, alpha = nn.Linear(4, 3).double(), 0.02
    weights = list(linear.parameters())

    def tikhonov() -> torch.Tensor:
        return alpha / 2 * sum(weight.square().sum() for weight in weights)

    steps = [
        newton_step(
            weights, linear, (Y, y), (Y, y), loss=cross_entropy, term=tikhonov, limits=EXACT
        )
        for _ in range(8)
    ]
    assert [step.length for step in steps[:4]] == [1] * 4
    oracle = LogisticRegression(
        C=1 / (len(y) * alpha), fit_intercept=False, tol=1e-12, max_iter=10_000
    )
    oracle.fit(np.hstack([Y.numpy(), np.ones((len(y), 1))]), y.numpy())
    found = torch.cat([linear.weight, linear.bias[:, None]], 1).detach().numpy()
    assert found == pytest.approx(oracle.coef_, abs=1e-6)
    errors = [step.before - steps[-1].after for step in steps[:5]]
    assert errors[4] < 1e-3 * errors[2]  # quadratic in the end


def test_gauss_newton_solves_a_linear_least_squares_problem_at_once():
    linear, x, y = (
        nn.Linear(4, 2).double(),
        torch.randn(30, 4, dtype=torch.float64),
        torch.randn(30, 2, dtype=torch.float64),
    )
    weights = list(linear.parameters())
    step = newton_step(
        weights,
        linear,
        (x, y),
        (x, y),
        loss=squared_error,
        term=lambda: 0 * linear.weight.sum(),
        limits=EXACT,
    )
    expected = torch.linalg.lstsq(torch.cat([x, torch.ones(30, 1)], 1), y).solution.T
    assert torch.allclose(torch.cat([linear.weight, linear.bias[:, None]], 1), expected, rtol=1e-8)
    assert step.after < step.before


def test_a_step_that_finds_no_descent_leaves_the_weights():
    """Targets that depend on nothing, and weights that are where they should be already."""
    linear, x = nn.Linear(4, 2).double(), torch.randn(30, 4, dtype=torch.float64)
    start, y = [weight.detach().clone() for weight in linear.parameters()], linear(x).detach()
    step = newton_step(
        list(linear.parameters()),
        linear,
        (x, y),
        (x, y),
        loss=squared_error,
        term=lambda: 0 * linear.weight.sum(),
        limits=EXACT,
    )
    assert (step.length, step.after) == (0, step.before)
    assert all(
        torch.equal(weight, before)
        for weight, before in zip(linear.parameters(), start, strict=True)
    )


def test_line_search_passes_over_what_is_no_number():
    """A full step leads to where the loss is infinite: half steps are tried until it is not."""
    weight = torch.ones(1, dtype=torch.float64, requires_grad=True)

    def barrier(outputs: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        return torch.where(outputs > 0.3, outputs, torch.inf).sum() + 0.05 * (outputs**2).sum()

    step = newton_step(
        [weight],
        lambda x: weight * x,
        (torch.ones(1), torch.ones(1)),
        (torch.ones(1), torch.ones(1)),
        loss=barrier,
        term=lambda: 0 * weight.sum(),
        limits=Limits(trials=10),
    )
    assert 0 < step.length < 1
    assert 0.3 < weight.item() < 1
