"""Checks before a measurement, and one-line messages for what autograd cannot differentiate."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel

from stablenets.errors import BadInput
from stablenets.probes.maps import Map, layer_states
from stablenets.probes.memory import saved_storages

# Entries of a matrix. Below this size no memory is estimated: the estimate would take longer than
# the measurement.
SMALL = 2**20
# A change of one example's output that is larger than this is not rounding. It is relative to the
# largest entry of the output.
MIXED = 1e-3

IN_PLACE = (
    "the net changes a tensor in place that its derivative needs; build its modules with"
    " inplace=False"
)
CUT = (
    "the output does not depend on the input through differentiable operations; take out detach,"
    " no_grad, argmax and rounding"
)
TWICE = (
    "an operation of the net cannot be differentiated twice, which the product J v needs; use"
    " backward='checkpoint' for a Flow, full_jacobian for other nets"
)
SCALAR = "the loss is not one number; end it with .sum() or .mean()"
REMEDIES = {  # a part of autograd's message -> what to do
    "modified by an inplace operation": IN_PLACE,
    "is being modified inplace": IN_PLACE,
    "used in an in-place operation": IN_PLACE,
    "does not require grad": CUT,
    "differentiate twice": TWICE,
    "has no second derivative": TWICE,
    "is not implemented": TWICE,
    "only for scalar outputs": SCALAR,
}


class NotFinite(BadInput):
    """Raised when the derivative of a net is not finite at the given point.

    A subclass of `stablenets.errors.BadInput`. Typical causes are a square root or a norm at 0,
    and an overflow in the forward pass.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> try:
        ...     probes.singular_values(torch.sqrt, torch.zeros(3))
        ... except probes.NotFinite as error:
        ...     print(str(error).split(";")[0])
        net: its derivative is not finite at this point (a root or norm at 0, or an overflow)
    """


@contextlib.contextmanager
def differentiation(unused: str = CUT) -> Iterator[None]:
    """Enable gradients, and turn the errors of autograd into a `BadInput` with a remedy.

    `unused` is the remedy where no path leads from the output to the input. Attention runs as
    plain matrix products, because its fused kernels can be differentiated only once.
    """
    try:
        with torch.enable_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    except RuntimeError as error:
        for part, remedy in (REMEDIES | {"not have been used in the graph": unused}).items():
            if part in str(error):
                raise BadInput(f"net: {remedy}") from error
        raise


def check_finite(derivative: Tensor) -> None:
    """Raise `NotFinite` if a derivative has an entry that is not finite."""
    if not derivative.isfinite().all():
        raise NotFinite(
            "net: its derivative is not finite at this point (a root or norm at 0, or an overflow);"
            " move the point a little, lower depth or h, or use .double()"
        )


def free_bytes(device: torch.device) -> int:
    """Return the bytes that can still be allocated on a device."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    meminfo = Path("/proc/meminfo")
    if meminfo.exists():
        lines = dict(line.split(":") for line in meminfo.read_text().splitlines())
        return int(lines["MemAvailable"].split()[0]) * 1024
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def check_memory(needed: int, device: torch.device, what: str, remedy: str) -> None:
    """Raise `BadInput` if more bytes are needed than are free."""
    if needed > (free := free_bytes(device)):
        raise BadInput(
            f"{what}: takes {needed / 2**30:.3g} GiB and {free / 2**30:.3g} are free; {remedy}"
        )


def saved_bytes_per_example(f: Map, example: Tensor) -> int:
    """Return the bytes that each further example (*in) adds to what autograd saves.

    This is the difference between two examples and one, so that weights are not counted.
    """

    def saved_bytes(count: int) -> int:
        batch = example.detach().expand(count, *example.shape).clone().requires_grad_()
        return sum(storage.nbytes() for storage in saved_storages(f, batch.clone()).values())

    with differentiation():
        return max(saved_bytes(2) - saved_bytes(1), 0)


def output_sizes(maps: Sequence[Map], batch: Tensor) -> list[int]:
    """Return the entries of one example before the first map and after each map.

    Refuses a net whose output for one example depends on the other examples or on chance: the
    Jacobian of an example would not be defined.
    """
    check_tensor("x", batch)
    if not len(batch):
        raise BadInput("x: no examples; give at least one")
    example = batch[:1].detach()
    # The first example must not change with the second one.
    twins = layer_states(maps, torch.cat([example, example]))
    others = layer_states(maps, torch.cat([example, 2 * example + 1]))
    for twin, other in zip(twins[1:], others[1:], strict=True):
        check_tensor("net: its output", twin)
        if (
            not twin.dim()
            or len(twin) != 2
            or ((twin - other)[0].abs() > MIXED * twin[0].abs().max()).any()
        ):
            raise BadInput(
                "net: it mixes its examples or is random; use .eval(), and batch_first=True for"
                " sequences"
            )
    return [state[0].numel() for state in twins]


def check_tensor(name: str, value: object) -> None:
    """Raise `BadInput` if a value is not a tensor."""
    if not torch.is_tensor(value):
        raise BadInput(
            f"{name} is a {type(value).__name__}; give one tensor, as lambda x: net(x)[0] does"
        )
    dtype = str(value.dtype).removeprefix("torch.")
    if not (value.is_floating_point() or value.is_complex()):
        raise BadInput(
            f"{name} is {dtype}, which has no derivative; differentiate from the embeddings on:"
            " x = embedding(ids).double(), and the part of the net that takes embeddings"
        )
    if value.dtype not in (torch.float32, torch.float64):
        raise BadInput(
            f"{name} is {dtype}; probes take float32 or float64: use .double() on net and data,"
            " real and imaginary parts as features, no autocast"
        )
