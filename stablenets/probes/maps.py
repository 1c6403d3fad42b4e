"""What the probes ask of a network: maps from one state to the next that treat each example on its
own and can be differentiated.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from stablenets.engine.dynamics import ReversibleDynamics, State, Weights
from stablenets.engine.flow import Flow
from stablenets.engine.norms import ForwardContext
from stablenets.errors import BadInput

SMALL = (
    2**20
)  # numbers; below it no memory is estimated, because the estimate would take longer than the probe
Map = Callable[
    [Tensor], Tensor
]  # (B, *in) -> (B, *out), each example on its own: batch norms in eval(), no dropout

IN_PLACE = (
    "the net changes a tensor in place that its derivative needs; build its modules with"
    " inplace=False"
)
CUT = (
    "the output does not depend on the input through differentiable operations; take out detach,"
    " no_grad, argmax and rounding"
)
TWICE = (
    "an operation of the net cannot be differentiated twice, as J v is; use backward='checkpoint'"
    " for our flows, full_jacobian for others"
)
SCALAR = "the loss is not one number; end it with .sum() or .mean()"
COMPLAINTS = {  # a part of what autograd says, and what to do
    "modified by an inplace operation": IN_PLACE,
    "is being modified inplace": IN_PLACE,
    "used in an in-place operation": IN_PLACE,
    "does not require grad": CUT,
    "differentiate twice": TWICE,
    "has no second derivative": TWICE,
    "is not implemented": TWICE,
    "only for scalar outputs": SCALAR,
}


MIXED = 1e-3  # of the largest output: a change by more is no rounding
PRECISE = (torch.float32, torch.float64)


class NotFinite(BadInput):
    """A net has no derivative at the point asked for."""


@contextlib.contextmanager
def differentiating(unused: str = CUT) -> Iterator[None]:
    """What autograd complains of, in one line with its remedy; `unused`: what it means that there
    is no path from output to input. Attention runs as plain products: its fused kernels
    differentiate once.
    """
    try:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    except RuntimeError as error:
        for part, remedy in (COMPLAINTS | {"not have been used in the graph": unused}).items():
            if part in str(error):
                raise BadInput(f"net: {remedy}") from error
        raise


def check_finite(derivative: Tensor) -> None:
    if not derivative.isfinite().all():
        raise NotFinite(
            "net: its derivative is not finite at this point (a root or norm at 0, or an overflow);"
            " move the point a little, lower depth or h, or use .double()"
        )


def room(device: torch.device) -> int:
    """Bytes that can still be had on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_room(wanted: int, device: torch.device, what: str, remedy: str) -> None:
    if wanted > (free := room(device)):
        raise BadInput(
            f"{what}: takes {wanted / 2**30:.3g} GiB and {free / 2**30:.3g} are free; {remedy}"
        )


def kept_for_backward(f: Map, example: Tensor) -> int:
    """Bytes that each further example (*in) adds to what autograd keeps: the difference of two to
    one, which leaves out the weights.
    """

    def kept(count: int) -> int:
        storages: dict[int, int] = {}

        def keep(tensor: Tensor) -> Tensor:
            storages[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            values = f(
                example.detach().expand(count, *example.shape).clone().requires_grad_().clone()
            )  # held until all is counted
            return sum(storages.values()) + 0 * values.numel()

    with differentiating():
        return max(kept(2) - kept(1), 0)


def output_sizes(maps: Sequence[Map], batch: Tensor) -> list[int]:
    """Of an example of a batch (B, *in) the numbers before the first map and after each; refused
    before any work where its Jacobian would be none, because an example's output depends on what
    stands beside it or on chance.
    """
    check_tensor("x", batch)
    if not len(batch):
        raise BadInput("x: no examples; give at least one")
    example = batch[:1].detach()
    twins, strangers = (
        states(maps, torch.cat([example, other])) for other in (example, 2 * example + 1)
    )
    for twin, stranger in zip(twins[1:], strangers[1:], strict=True):
        check_tensor("net: its output", twin)
        if (
            not twin.dim()
            or len(twin) != 2
            or ((twin - stranger)[0].abs() > MIXED * twin[0].abs().max()).any()
        ):
            raise BadInput(
                "net: it mixes its examples or is random; use .eval(), and batch_first=True for"
                " sequences"
            )
    return [state[0].numel() for state in twins]


def check_tensor(name: str, value: object) -> None:
    if not torch.is_tensor(value):
        raise BadInput(
            f"{name} is a {type(value).__name__}; give one tensor, as lambda x: net(x)[0] does"
        )
    if value.dtype not in PRECISE:
        raise BadInput(
            f"{name} is {str(value.dtype).removeprefix('torch.')}; probes take float32 or float64:"
            " use .double() on net and data, real and imaginary parts as features, no autocast"
        )


def composed(maps: Sequence[Map]) -> Map:
    """One map after the other; each is given a tensor of its own, which it may change in place."""

    def run(x: Tensor) -> Tensor:
        for f in maps:
            x = f(x.clone())
        return x

    return run


def states(maps: Sequence[Map], x: Tensor) -> list[Tensor]:
    """The states Y_0 = x, Y_1, ..., Y_L of a batch x (B, *in), without a graph."""
    with torch.no_grad():
        found = [x.detach()]
        for f in maps:
            found.append(f(found[-1].clone()))
    return found


def flow_maps(flow: Flow, x: Tensor) -> tuple[list[Map], Tensor]:
    """The layers of a flow as maps, and the state before the first for a batch x (B, width, ...);
    at the weights of now.

    The parts of a state stand side by side in dimension 1, (B, parts·width, ...), so that a
    two-step scheme is a map too.
    """
    layers, start = layers_and_start(flow, x)
    return [
        partial(joined_step, flow.dynamics.step, w, flow.h, len(start)) for w in layers
    ], torch.cat(start, 1)


def inverse_maps(flow: Flow, x: Tensor) -> tuple[list[Map], Tensor]:
    """The way back of `flow_maps`: maps from Y_L to Y_{L-1} and so on to Y_0, and Y_L for a batch x
    (B, width, ...).

    The largest singular value of the way back is one over the smallest of the way there, and
    Golub-Kahan finds it within few steps however wide the spectrum is.
    """
    if not isinstance(flow.dynamics, ReversibleDynamics):
        raise BadInput(
            f"flow: {type(flow.dynamics).__name__} has no inverse; take a reversible family, as"
            " Hamiltonian"
        )
    layers, start = layers_and_start(flow, x)
    maps, joined = flow_maps(flow, x)
    back = [
        partial(joined_step, flow.dynamics.unstep, w, flow.h, len(start)) for w in reversed(layers)
    ]
    return back, states(maps, joined)[-1]


def layers_and_start(flow: Flow, x: Tensor) -> tuple[list[Weights], State]:
    if not flow.depth:
        raise BadInput(
            "flow: depth=0, so it has no layers to be taken one by one; give one of depth>=1"
        )
    layers = flow.layers(
        [tensor.detach() for tensor in flow.weights()],
        ForwardContext(counting=False, training=flow.training),
    )
    with torch.no_grad():
        return layers, flow.dynamics.start(x.detach(), layers[0], flow.h)


def joined_step(
    step: Callable[[State, Weights, float], State], w: Weights, h: float, parts: int, state: Tensor
) -> Tensor:
    return torch.cat(step(state.chunk(parts, 1), w, h), 1)
