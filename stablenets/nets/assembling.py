"""`Network`: opening, units of layers with boundaries between them, head.

A unit is a `Flow`, whose layers have one width and one resolution. Dense networks have one unit.
They take points in the plane or flattened images. Convolutional networks take images. Each further
unit has half the resolution and may have more channels. The new channels are zero. Half of them
come before the old channels and half after them; a split state gets them in each half (the layout
of the authors' code, docs/papers/chang2018.md#layout).

A boundary passes on only the output of a unit. If a state has a second part, such as a velocity,
each unit starts its own, as in the authors' Meganet. The paper does not say this.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import reduce
from itertools import pairwise
from operator import add
from typing import cast

from torch import Tensor, nn

from stablenets.engine.dynamics import Dynamics
from stablenets.engine.family import check_choice, check_instance
from stablenets.engine.flow import Flow
from stablenets.engine.types import Tap
from stablenets.errors import BadInput
from stablenets.nets.boundaries import Halve
from stablenets.nets.ends import HEADS, OPENINGS, make_head, make_opening

Map = Callable[[Tensor], Tensor]  # (B, ...) -> (B, ...)
# A map whose Jacobian is measured, or the two maps of which it is composed; and the state of one
# example at which it is measured.
MapAndStart = tuple[Map | tuple[Map, Map], Tensor]

# Where the boundary before a unit is.
# "before_first_block": before the first block of the unit.
# "after_first_block": after it, so that this block still has the width and the resolution of the
# unit before. With n blocks in each of three units, the three widths have n + 1, n and n - 1 layers
# (the authors' code of Chang et al. 2018).
# "strided_first_block": the first block of the unit is itself the boundary.
TRANSITIONS = ("before_first_block", "after_first_block", "strided_first_block")


def divide_layers(depth: int, units: int) -> list[int]:
    """Return the number of layers of each unit: equal, or one more in the first units."""
    return [depth // units + (unit < depth % units) for unit in range(units)]


def layers_at_widths(blocks: list[int], transition: str) -> list[int]:
    """Return the number of layers at each width, from the blocks of each unit."""
    layers = list(blocks)
    for unit in range(1, len(blocks)):
        if transition != "before_first_block":
            layers[unit] -= 1
        if transition == "after_first_block":
            layers[unit - 1] += 1
    return layers


class Network(nn.Module):
    """opening -> unit -> boundary -> unit ... -> head; each unit is a `Flow`.

    (B, *shape) -> (B, outputs).

    Args:
        dynamics: The family of all units.
        shape: Shape of one example.
        outputs: Number of outputs.
        widths: Features or channels of each unit.
        depth: Layers of all units together, divided equally unless `blocks` is given.
        h: Step size of every layer; a family without one ignores it.
        operator: "dense" or "conv".
        opening_kind: See `make_opening`.
        head_kind: See `make_head`.
        head_hidden: Width of a hidden layer in the head; 0 for none.
        backward: See `Flow`.
        gain: See `Flow`.
        transition: Where the boundaries between units are, one of `TRANSITIONS`.
        blocks: Number of blocks of each unit. A strided block is a boundary, so it is not counted
            as a layer.

    Raises:
        TypeError, BadInput: In the same cases as `Flow`.

    Examples:
        >>> net = Network(
        ...     Hamiltonian(activation="relu"), shape=(3, 32, 32), outputs=10, widths=[32, 64],
        ...     depth=12, h=0.1, operator="conv", opening_kind="conv_bn_relu", head_kind="mean",
        ... )
        >>> net(torch.randn(8, 3, 32, 32)).shape
        torch.Size([8, 10])
    """

    def __init__(
        self,
        dynamics: Dynamics,
        *,
        shape: tuple[int, ...],
        outputs: int,
        widths: list[int],
        depth: int,
        h: float | None,
        operator: str,
        opening_kind: str,
        head_kind: str,
        head_hidden: int = 0,
        backward: str = "store",
        gain: float = 1.0,
        transition: str = "before_first_block",
        blocks: list[int] | None = None,
    ) -> None:
        super().__init__()
        check_instance(dynamics, Dynamics, "Network")
        check_choice("operator", operator, OPENINGS)
        check_choice("opening_kind", opening_kind, OPENINGS[operator])
        check_choice("head_kind", head_kind, HEADS[operator])
        check_choice("transition", transition, TRANSITIONS)
        if operator == "dense" and len(widths) > 1:
            raise BadInput(f"widths={widths}: a dense network has one unit; give one width")
        h = dynamics.capabilities.step_size(h)
        layers = layers_at_widths(blocks or divide_layers(depth, len(widths)), transition)
        is_strided = transition == "strided_first_block"
        self.opening = make_opening(opening_kind, shape, widths[0])
        flows = [
            Flow(dynamics, width, count, h=h, operator=operator, backward=backward, gain=gain)
            for width, count in zip(widths, layers, strict=True)
        ]
        # torch's stubs know the items of a ModuleList as modules only.
        self.units = cast(Sequence[Flow], nn.ModuleList(flows))
        self.boundaries = nn.ModuleList(
            dynamics.strided(narrow, wide, gain)
            if is_strided
            else Halve(wide, parts=1 + dynamics.capabilities.split)
            for narrow, wide in pairwise(widths)
        )
        sizes = [
            image_size(shape, unit) if operator == "conv" else () for unit in range(len(widths))
        ]
        self.head = make_head(head_kind, (widths[-1], *sizes[-1]), outputs, head_hidden)
        self.depth = sum(layers)
        # A state that enters a unit has the channels of the unit before, at half its resolution;
        # the other channels are zero. The rank of the Jacobian of `features` is at most the size of
        # the smallest of these states.
        entering = widths if is_strided else [widths[0], *widths[:-1]]
        self.rank = min(
            width * math.prod(size) for width, size in zip(entering, sizes, strict=True)
        )

    def forward(self, x: Tensor, tap: Tap | None = None) -> Tensor:
        """Return the outputs for examples (B, *shape); the tap is that of `features`."""
        return self.head(self.features(self.opening(x), tap))

    def features(self, y: Tensor, tap: Tap | None = None) -> Tensor:
        """Return the last state for the state y after the opening.

        Layers are counted across units. At a boundary the tap is called twice with the same index:
        with the state before the boundary and with the state after it.
        """
        # under autocast the opening returns bfloat16, in which small steps of the state are lost
        y = y.to(next(self.units[0].parameters()).dtype)
        before = 0
        for index, unit in enumerate(self.units):
            if index:
                y = self.boundaries[index - 1](y)
            y = unit(y, tap, before)
            before += unit.depth
        return y

    def jacobian_maps(self, examples: Tensor) -> list[MapAndStart]:
        """Return for each example the map whose Jacobian is measured, and the state where it is.

        The map leads from the state after the opening to the last state. If there are boundaries,
        it is given as two maps. The first one ends after the last boundary, and limits the rank of
        the Jacobian of the whole.
        """
        whole = len(self.units) == 1
        through = self.features if whole else (self.features_before_last_unit, self.units[-1])
        return [(through, start) for start in self.opening(examples)]

    def features_before_last_unit(self, y: Tensor) -> Tensor:
        """Return the state that enters the last unit."""
        for unit, boundary in zip(self.units[:-1], self.boundaries, strict=True):
            y = boundary(unit(y))
        return y

    def variation(self) -> Tensor:
        """Return the smoothness in time, summed over the units; see `Flow.variation`."""
        return reduce(add, (unit.variation() for unit in self.units))


def image_size(shape: tuple[int, ...], unit: int) -> tuple[int, ...]:
    """Return height and width in a unit."""
    return tuple(size // 2**unit for size in shape[1:])
