"""Backward sensitivity matrices against autograd, and the symplectic defect of known matrices."""

import pytest
import torch

from stablenets.errors import BadInput
from stablenets.nets import Flow, ResNet, SemiImplicit
from stablenets.nets.hdnn import canonical
from stablenets.probes import (
    compose_maps,
    flow_maps,
    plot_sensitivity_norms,
    sensitivity_matrices,
    sensitivity_norms,
    symplectic_defect,
)


def flow(family, width: int = 6, depth: int = 5, h: float = 0.3, **options) -> Flow:
    return Flow(family(**options), width, depth, h=h).double()


def batch(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, dtype=torch.float64)


@pytest.mark.parametrize("family", [ResNet, SemiImplicit])
def test_sensitivity_matrices_carry_the_gradient_back(family):
    net, x = flow(family), batch(3, 6)
    maps, start = flow_maps(net, x)
    leaf = start.clone().requires_grad_()
    last = compose_maps(maps)(leaf)
    direction = torch.randn_like(last)
    (gradient,) = torch.autograd.grad(last, leaf, direction)
    found = sensitivity_matrices(maps, start)
    assert len(found) == 6
    assert torch.allclose((found[0] @ direction[:, :, None])[:, :, 0], gradient, rtol=0, atol=1e-12)
    assert torch.equal(found[-1], torch.eye(6, dtype=torch.float64).expand(3, 6, 6))


def test_sensitivity_matrices_of_semi_implicit_layers_are_symplectic():
    """B.T J B = J for any X. For the Jacobian B.T in place of B, X must be orthogonal."""
    net = flow(SemiImplicit, coupling="random")
    X, O = net.X[0].double(), torch.zeros(3, 3, dtype=torch.float64)
    J = torch.cat([torch.cat([O, -X.T], 1), torch.cat([X, O], 1)])
    found = sensitivity_matrices(*flow_maps(net, batch(2, 6)))
    assert all((symplectic_defect(B, J) < 1e-12).all() for B in found)
    assert (symplectic_defect(found[0].mT, J) > 1e-3).all()
    norms = sensitivity_norms(*flow_maps(net, batch(2, 6)))
    assert norms.shape == (6, 2)
    assert (norms >= 1 - 1e-12).all()


def test_a_rotation_has_no_defect_for_the_canonical_j():
    rotation = torch.linalg.matrix_exp(0.3 * canonical(4).double())
    assert symplectic_defect(rotation) < 1e-14
    assert symplectic_defect(2 * rotation).item() == pytest.approx(3, rel=1e-12)
    with pytest.raises(BadInput, match=r"J=None: .*there are 3; give J"):
        symplectic_defect(torch.eye(3))


def test_the_figure_has_one_line_per_example():
    norms = sensitivity_norms(*flow_maps(flow(SemiImplicit), batch(2, 6)))
    (axes,) = plot_sensitivity_norms(norms).axes
    assert [len(line.get_xdata()) for line in axes.lines[:2]] == [6, 6]
