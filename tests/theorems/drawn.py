"""Random networks for the tests of theorems, in float64.

Hypothesis draws family, size, depth, step size and a seed; the seed decides the weights.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from hypothesis import Phase, settings
from hypothesis import strategies as st
from torch import Tensor

from stablenets.engine.dynamics import ACTIVATIONS, Dynamics
from stablenets.nets import Flow

# Fixed draws, so that a failure can be repeated. No shrinking: an example is only a seed and a few
# sizes.
settings.register_profile(
    "theorems",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=25,
    phases=[Phase.explicit, Phase.generate],
    report_multiple_bugs=False,
)
settings.load_profile("theorems")

SPACE = {"dense": (), "conv": (2, 3)}
ACTIVATION = st.sampled_from(list(ACTIVATIONS))
SEED = st.integers(0, 2**32 - 1)
DEPTH = st.integers(1, 12)
STEP = st.floats(0.02, 1.0)
SCALE = st.sampled_from((0.1, 1.0, 3.0))  # of the weights: small, as initialised, saturating


@contextmanager
def float64() -> Iterator[None]:
    """Create tensors in float64 inside a `with` block.

    A filter or an X that is created in float32 is orthogonal to seven digits only, also after its
    conversion.
    """
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@st.composite
def flows(
    draw,
    dynamics: st.SearchStrategy[Dynamics],
    depth: st.SearchStrategy[int] = DEPTH,
    h: st.SearchStrategy[float] = STEP,
    scale: st.SearchStrategy[float] = SCALE,
    operators: tuple[str, ...] = ("dense",),
    widths: tuple[int, int] = (2, 8),
) -> Flow:
    """A flow with random weights and biases.

    It sets the seed of torch's generator, so `inputs` and `normal` depend on the draw too.
    """
    family, operator = draw(dynamics), draw(st.sampled_from(operators))
    fitting = [w for w in range(widths[0], widths[1] + 1) if not family.width_problem(w)]
    width = draw(st.sampled_from(fitting if operator == "dense" else fitting[:2]))
    torch.manual_seed(draw(SEED))
    gain = draw(scale)
    with float64():
        depth, step = draw(depth), family.capabilities.step_size(draw(h))
        net = Flow(family, width, depth, h=step, operator=operator, gain=gain)
    for name in family.biases:
        torch.nn.init.normal_(getattr(net, name), std=gain)
    return net.requires_grad_(False)


def inputs(net: Flow, batch: int = 1) -> Tensor:
    """Random inputs (batch, n), or (batch, n, 2, 3) for a convolutional net."""
    space = SPACE["dense" if net.operator.feature_dims == 1 else "conv"]
    return torch.randn(batch, net.width, *space, dtype=torch.float64)


def normal(*shape: int) -> Tensor:
    return torch.randn(*shape, dtype=torch.float64)


def repeated(dynamics: Dynamics, K: Tensor, depth: int, h: float) -> Flow:
    """A flow with the same kernel K (n, n) in every layer and no bias."""
    with float64():
        net = Flow(dynamics, len(K), depth, h=h).requires_grad_(False)
    net.K.copy_(K.expand_as(net.K))
    return net
