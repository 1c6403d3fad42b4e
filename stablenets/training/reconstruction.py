"""Checks that the states which backward=reverse reconstructs are those of the forward pass."""

from __future__ import annotations

from torch import Tensor

from stablenets.errors import Irreversible
from stablenets.nets import Network, SequenceNetwork


def reconstruction_errors(net: Network | SequenceNetwork) -> list[Tensor]:
    """The reconstruction error of each unit, after a backward pass.

    It is the largest error in the first state of the first example, relative to the largest entry
    of the first states of all examples.

    Returns:
        One float64 scalar for each unit; empty if no unit runs with backward=reverse.
    """
    errors = [unit.reconstruction_error for unit in net.units]
    return [error.double() for error in errors if error is not None]


def check_reconstruction(errors: list[float], tolerance: float, step: int) -> None:
    """Raise `Irreversible` if an error exceeds `tolerance`, or is NaN.

    Then the gradients would be those at other states than the states of the forward pass.
    """
    for unit, error in enumerate(errors, 1):
        if not error <= tolerance:
            raise Irreversible(
                f"step {step}: backward=reverse reconstructs the first state of unit {unit} with a"
                f" relative error of {error:.1e}, above tolerance={tolerance:g}; lower h or use"
                " backward=checkpoint"
            )
