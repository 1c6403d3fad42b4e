"""Small flows of every family over depth, with every operator, in every mode it supports, in
float64.

The tests that use them are the contract that each family in `FAMILIES` must keep, also a new one.
"""

import torch

from stablenets.engine.flow import BACKWARD_MODES, Flow
from stablenets.engine.operators import OPERATORS
from stablenets.nets import DEPTH_FAMILIES

WIDTH = 4
SPACE = {"dense": (), "conv": (5, 6)}
OPTIONS = {
    "distributed": {"nodes": 2},  # the default number of nodes does not fit WIDTH
    "momentum": {"gamma": 0.95},  # its inverse multiplies rounding errors by gamma^-L
    "revnet": {"activation": "tanh"},  # a kink would break finite differences
    "resnet_bn": {"activation": "tanh"},
}
CAPABILITIES = {name: family().capabilities for name, family in DEPTH_FAMILIES.items()}
PAIRS = [
    (name, operator)
    for name, can in CAPABILITIES.items()
    for operator in OPERATORS
    if operator == "dense" or not can.dense_only
]
FITTING = [
    (*pair, mode)
    for pair in PAIRS
    for mode in BACKWARD_MODES
    if mode != "reverse" or CAPABILITIES[pair[0]].reversible
]


def pytest_generate_tests(metafunc):
    """Run a test for each combination of its arguments `name`, `operator` and `mode`."""
    wanted = [key for key in ("name", "operator", "mode") if key in metafunc.fixturenames]
    cases = {
        ("name", "operator", "mode"): FITTING,
        ("name", "operator"): PAIRS,
        ("name", "mode"): [(name, mode) for name in DEPTH_FAMILIES for mode in BACKWARD_MODES],
        ("name",): DEPTH_FAMILIES,
        ("operator",): OPERATORS,
    }
    if wanted:
        metafunc.parametrize(wanted if len(wanted) > 1 else wanted[0], cases[tuple(wanted)])


def flow(name: str, operator: str, depth: int, mode: str = "store", **options) -> Flow:
    return Flow(
        DEPTH_FAMILIES[name](**OPTIONS.get(name, {}) | options),
        WIDTH,
        depth,
        h=CAPABILITIES[name].step_size(0.2),
        operator=operator,
        backward=mode,
    ).double()


def states(operator: str, batch: int = 3, **options) -> torch.Tensor:
    return torch.randn(batch, WIDTH, *SPACE[operator], dtype=torch.float64, **options)
