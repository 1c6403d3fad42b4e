"""Maps from one state to the next, which the probes of Jacobians measure.

A map treats each example of a batch on its own and can be differentiated. A module is a map if it
is in `eval()` mode, so that batch norms do not mix examples and dropout is off.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor

from stablenets.engine.autocast import check_dtype
from stablenets.engine.dynamics import ReversibleDynamics, State, Weights
from stablenets.engine.flow import Flow
from stablenets.engine.norms import ForwardContext
from stablenets.errors import BadInput

Map = Callable[[Tensor], Tensor]  # (B, *in) -> (B, *out)


def compose_maps(maps: Sequence[Map]) -> Map:
    """Return one map that applies the given maps one after the other.

    Each map gets a copy of its input, so that a map may change its input in place.

    Args:
        maps: Maps or modules; the output of each is the input of the next.

    Returns:
        A map (B, *in) -> (B, *out).

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.compose_maps([lambda x: 2 * x, lambda x: x + 1])(torch.ones(1, 2))
        tensor([[3., 3.]])
    """

    def run(x: Tensor) -> Tensor:
        for f in maps:
            x = f(x.clone())
        return x

    return run


def layer_states(maps: Sequence[Map], x: Tensor) -> list[Tensor]:
    """Return the states Y_0 = x, Y_1, ..., Y_L that a batch passes through, without a graph.

    Args:
        maps: The L layers, in order of execution.
        x: Batch (B, *in).

    Returns:
        L + 1 tensors; the l-th is the output of the l-th map.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> [state.item() for state in probes.layer_states([torch.exp, torch.log], torch.zeros(1))]
        [0.0, 1.0, 0.0]
    """
    with torch.no_grad():
        states = [x.detach()]
        for f in maps:
            states.append(f(states[-1].clone()))
    return states


def flow_maps(flow: Flow, x: Tensor) -> tuple[list[Map], Tensor]:
    """Return the layers of a `Flow` as maps, and the state before the first layer.

    The maps use the weights that the flow has now. All parts of a state are joined in dimension 1.
    So a layer is one map, even if its state has two parts.

    Args:
        flow: A `Flow` with at least one layer.
        x: Batch (B, width, ...).

    Returns:
        L maps, each (B, parts * width, ...) -> (B, parts * width, ...), and Y_0 for the batch.

    Raises:
        BadInput: If the flow has no layers.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> from stablenets.nets import Flow, Verlet
        >>> flow = Flow(Verlet(), width=3, depth=5, h=1.0)
        >>> maps, start = probes.flow_maps(flow, torch.randn(2, 3))
        >>> len(maps), tuple(start.shape)  # a Verlet state has two parts, Y and Z
        (5, (2, 6))
    """
    layers, start = layers_and_start(flow, x)
    step = partial(joined_step, flow.dynamics.step, flow.h, len(start))
    return [partial(step, weights) for weights in layers], torch.cat(start, 1)


def inverse_maps(flow: Flow, x: Tensor) -> tuple[list[Map], Tensor]:
    """Return the inverses of `flow_maps` from the last layer to the first, and the last state.

    The largest singular value of the inverse is 1 divided by the smallest one of the flow.
    `estimate_singular_values` finds a largest value in few steps, even if the values differ by many
    orders of magnitude.

    Args:
        flow: A reversible `Flow` with at least one layer.
        x: Batch (B, width, ...), the input of the flow.

    Returns:
        L maps, from Y_L to Y_{L-1} and so on to Y_0, and Y_L for the batch.

    Raises:
        BadInput: If the family is not reversible, or the flow has no layers.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> from stablenets.nets import Flow, Hamiltonian
        >>> flow, x = Flow(Hamiltonian(), width=4, depth=5, h=1.0), torch.randn(2, 4)
        >>> back, last = probes.inverse_maps(flow, x)
        >>> torch.allclose(probes.compose_maps(back)(last), x, atol=1e-5)
        True
    """
    check_is_flow(flow)
    dynamics = flow.dynamics
    if not (isinstance(dynamics, ReversibleDynamics) and dynamics.capabilities.reversible):
        raise BadInput(
            f"flow: {type(dynamics).__name__} has no inverse; take a reversible family, as"
            " Hamiltonian"
        )
    layers, start = layers_and_start(flow, x)
    last = layer_states(*flow_maps(flow, x))[-1]
    unstep = partial(joined_step, dynamics.unstep, flow.h, len(start))
    return [partial(unstep, weights) for weights in reversed(layers)], last


def check_is_flow(flow: object) -> None:
    """Raise `BadInput` if a module is not a `Flow`."""
    if not isinstance(flow, Flow):
        raise BadInput(
            f"flow: a {type(flow).__name__}; this probe reads the layers of a Flow. For other"
            " modules: gradient_norms, full_jacobian, singular_values"
        )


def layers_and_start(flow: Flow, x: Tensor) -> tuple[list[Weights], State]:
    """Return the weights of each layer, detached, and the parts of the first state."""
    check_is_flow(flow)
    if not flow.depth:
        raise BadInput("flow: depth=0, so it has no layers to measure; give one of depth>=1")
    layers = flow.layers(
        [tensor.detach() for tensor in flow.weights()],
        ForwardContext(counting=False, training=flow.training),
    )
    x = flow.flattened(x.detach())
    check_dtype(x, getattr(flow, flow.names[0]).dtype)
    with torch.no_grad():
        return layers, flow.dynamics.start(x, layers[0], flow.h)


def joined_step(
    step: Callable[[State, Weights, float], State],
    h: float,
    parts: int,
    weights: Weights,
    state: Tensor,
) -> Tensor:
    """Apply a step of a dynamics to a state whose parts are joined in dimension 1."""
    return torch.cat(step(state.chunk(parts, 1), weights, h), 1)
