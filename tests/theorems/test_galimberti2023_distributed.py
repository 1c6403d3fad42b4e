"""Galimberti et al. 2023, distributed networks: which nodes communicate, forward and backward.

If X is in blkSparse(T) and K in blkSparse(R), the update has the block pattern T R.T R and the
backward pass its transpose (docs/papers/galimberti2023.md#distributed).
"""

import pytest
import torch
from drawn import flows, inputs
from hypothesis import given
from hypothesis import strategies as st
from jacobians import field_jacobian, layer_jacobians
from torch import Tensor

from stablenets.nets import Distributed, Flow


@st.composite
def networks(draw, nodes: int, width: int, depth: int, coupling: str) -> Flow:
    """A distributed network on a ring.

    Its stored kernels are dense, so all zeros in the Jacobians come from the graph.
    """
    net = draw(
        flows(
            st.just(Distributed(nodes=nodes, coupling=coupling)),
            depth=st.just(depth),
            h=st.just(0.5),
            scale=st.just(1.0),
            widths=(width, width),
        )
    )
    for name in net.dynamics.operators:
        getattr(net, name).normal_()
    return net


@st.composite
def graphs(draw) -> tuple[Flow, Tensor, Tensor]:
    """One layer with random patterns, and the patterns R of K and T of X on the features of a half.

    Both are directed graphs in which each node has an edge to itself.
    """
    nodes, features = draw(st.integers(2, 5)), draw(st.integers(1, 2))
    net = draw(networks(nodes, 2 * nodes * features, 1, "random"))
    R, T = ((torch.rand(nodes, nodes) < 0.3) | torch.eye(nodes, dtype=torch.bool) for _ in range(2))
    R, T = (
        torch.kron(pattern.double(), torch.ones(features, features, dtype=torch.float64))
        for pattern in (R, T)
    )
    net.R.copy_(R)
    net.X.copy_(torch.randn_like(T) * T)
    return net, R, T


def blocks(J: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Masks of the nonzero entries of ∂p+/∂p, ∂p+/∂q, ∂q+/∂p and ∂q+/∂q."""
    return tuple(half != 0 for rows in J.chunk(2) for half in rows.chunk(2, 1))


@given(graphs())
def test_half_steps_and_layer_have_the_pattern_t_rt_r(drawn):
    net, R, T = drawn
    x = inputs(net)
    into_p, into_q = (T.T @ R.T @ R != 0), (T @ R.T @ R != 0)
    one = torch.eye(len(R)) != 0
    p_p, p_q, q_p, q_q = blocks(field_jacobian(net, x.chunk(2, 1)))
    assert not (p_p | q_q).any()
    assert torch.equal(p_q, into_p)
    assert torch.equal(q_p, into_q)
    p_p, p_q, q_p, q_q = blocks(layer_jacobians(net, x)[0])
    assert torch.equal(p_p, one)
    assert torch.equal(p_q, into_p)
    assert torch.equal(q_p, into_q)
    # p is updated first, so q+ depends on all that the new p depends on
    assert torch.equal(q_q, one | (into_q.double() @ into_p.double() != 0))


@pytest.mark.parametrize("mode", ["store", "reverse"])
@given(graphs(), st.data())
def test_backward_has_the_transposed_pattern(mode, drawn, data):
    """The gradient of feature i of the new p.

    It is nonzero for p_i only among p, for q in column i of R.T R T, and for the rows of Kq within
    reach of i.
    """
    net, R, T = drawn
    net.backward = mode
    i = data.draw(st.integers(0, len(R) - 1))
    leaves = [inputs(net).requires_grad_(), net.Kp.requires_grad_(), net.Kq.requires_grad_()]
    x, Kp, Kq = torch.autograd.grad(
        net(leaves[0])[0, i], leaves, allow_unused=True, materialize_grads=True
    )
    p, q = x[0].chunk(2)
    assert torch.equal(p != 0, torch.arange(len(R)) == i)
    assert torch.equal(q != 0, (R.T @ R @ T)[:, i] != 0)
    assert not Kp.any()
    assert torch.equal(Kq[0] != 0, (R != 0) & ((R @ T)[:, i, None] != 0))


# A ring with node i = (p_i, q_i), as in the authors' example; width 32 has two features for each of
# p_i and q_i.
NODES = 8


def hops(limit: int, size: int) -> Tensor:
    """Mask of the pairs of features in one half whose nodes are at most `limit` apart."""
    node = torch.arange(size) * NODES // size
    apart = (node[:, None] - node).abs()
    return torch.minimum(apart, NODES - apart) <= limit


@pytest.mark.parametrize("coupling", ["identity", "random"])
@pytest.mark.parametrize("width", [16, 32])
@given(st.data())
def test_on_the_ring_a_half_step_reads_two_hops_and_a_layer_all_nodes(width, coupling, data):
    net, m = data.draw(networks(NODES, width, 2, coupling)), width // 2
    first, second = layer_jacobians(net, inputs(net))
    p_p, p_q, q_p, q_q = blocks(first)
    assert torch.equal(p_p, torch.eye(m) != 0)
    assert torch.equal(p_q, hops(2, m))
    assert torch.equal(q_p, hops(2, m))
    assert q_q.all()  # four hops reach all eight nodes
    if width == 16:
        assert float((first != 0).double().mean()) == pytest.approx(0.59, abs=0.005)
    assert (second @ first != 0).all()
