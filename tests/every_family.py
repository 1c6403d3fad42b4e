"""Every family with every operator, in every mode that it has: small flows in float64, their
states, and the tests' parameters.
"""

import torch

from stablenets.engine.flow import BACKWARD_MODES, Flow
from stablenets.engine.operators import OPERATORS
from stablenets.nets import FAMILIES

WIDTH = 4
SPACE = {"dense": (), "conv": (5, 6)}
OPTIONS = {
    "distributed": {"nodes": 2},  # where the default does not go with WIDTH
    "revnet": {"activation": "tanh"},
    "resnet_bn": {"activation": "tanh"},
}  # a kink would break finite differences
PAIRS = [
    (name, operator)
    for name, family in FAMILIES.items()
    for operator in OPERATORS
    if operator == "dense" or not family.dense_only
]
FITTING = [
    (*pair, mode)
    for pair in PAIRS
    for mode in BACKWARD_MODES
    if mode != "reverse" or FAMILIES[pair[0]].reversible
]


def pytest_generate_tests(metafunc):
    """A test that asks for a name, an operator and a mode gets each fitting combination."""
    wanted = [key for key in ("name", "operator", "mode") if key in metafunc.fixturenames]
    cases = {
        ("name", "operator", "mode"): FITTING,
        ("name", "operator"): PAIRS,
        ("name",): FAMILIES,
        ("operator",): OPERATORS,
    }
    if wanted:
        metafunc.parametrize(wanted if len(wanted) > 1 else wanted[0], cases[tuple(wanted)])


def flow(name: str, operator: str, depth: int, mode: str = "store", **options) -> Flow:
    return Flow(
        FAMILIES[name](**OPTIONS.get(name, {}) | options),
        WIDTH,
        depth,
        h=0.2,
        operator=operator,
        backward=mode,
    ).double()


def states(operator: str, batch: int = 3, **options) -> torch.Tensor:
    return torch.randn(batch, WIDTH, *SPACE[operator], dtype=torch.float64, **options)
