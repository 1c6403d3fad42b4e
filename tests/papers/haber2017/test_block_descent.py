"""Block descent on whole nets: it lowers the one objective, from a seed that decides everything;
what it cannot take is refused.
"""

from itertools import pairwise

import pytest
import torch
from small_objective import examples, network, objective

from experiments.haber2017.optimisers.block_descent import BlockDescent, block_descent
from experiments.haber2017.optimisers.newton import flatten_tensors
from stablenets.data.resident import ResidentSplit
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, Network
from stablenets.schema import build


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def split(count: int = 60, *shape: int) -> ResidentSplit:
    x, y = examples(count, *shape or (2,))
    return ResidentSplit(x.float(), y)


def test_descent_is_monotone_on_a_fixed_batch():
    """All examples, none left out: both blocks lower the one objective, and none of their steps is
    refused for long.
    """
    data, goal = split(), objective(network(mode="store"), alpha=1e-3)
    x, y = data.inputs.double(), data.labels
    values = [float(goal(x, y).detach())]
    for heads, step in block_descent(
        goal, data, BlockDescent(iterations=12, batch=60, sample=60), 0
    ):
        assert all(head.after <= head.before for head in heads)
        assert step.after <= step.before
        values.append(float(goal(x, y).detach()))
    assert all(after <= before + 1e-12 for before, after in pairwise(values))
    assert values[-1] < 0.8 * values[0]


@pytest.mark.parametrize(
    ("family", "operator", "head"),
    [
        ("hamiltonian", "conv", "mean"),
        ("antisymmetric", "conv", "flatten"),
        ("roamlp", "dense", "linear"),
        ("plain", "dense", "linear"),
    ],
)
def test_any_network_with_a_linear_head_descends(family, operator, head):
    shape = (1, 4, 4) if operator == "conv" else (2,)
    net = Network(
        FAMILIES[family](),
        shape=shape,
        outputs=3,
        widths=[4],
        depth=3,
        h=0.5,
        operator=operator,
        opening_kind="conv" if operator == "conv" else "linear",
        head_kind=head,
        backward="checkpoint",
    )
    goal, data = objective(net, alpha=1e-3), split(60, *shape)
    before = float(goal(data.inputs, data.labels).detach())
    list(block_descent(goal, data, BlockDescent(iterations=4, batch=60, sample=30), 0))
    assert float(goal(data.inputs, data.labels).detach()) < before
    assert net.units[0].backward == "checkpoint"


def test_seed_decides_everything():
    def end(seed: int) -> torch.Tensor:
        torch.manual_seed(0)
        goal = objective(network())
        list(block_descent(goal, split(), BlockDescent(iterations=3, batch=20, sample=10), seed))
        return flatten_tensors(goal.weights + goal.head).detach()

    assert torch.equal(end(0), end(0))
    assert not torch.equal(end(0), end(1))


def test_nets_with_batch_norms_are_refused():
    for family, options in (("leapfrog", {"block_norm": "batch"}), ("revnet", {})):
        with pytest.raises(ValueError, match="batch norms"):
            objective(network(family, "conv", **options))


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ({"batch": 0}, "descent.batch=0: must be >= 1"),
        ({"preconditioner": "dct"}, "descent.preconditioner=dct: one of: none, smooth"),
        ({"weights": {"tolerance": 1}}, "descent.weights.tolerance=1.0: must be"),
        ({"head": 3}, "descent.head=3: expected a group"),
    ],
)
def test_options_are_checked(values, says):
    with pytest.raises(BadInput, match=f"^{says}"):
        build(BlockDescent, values, "descent")
