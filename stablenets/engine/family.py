"""What all families of networks have in common: a record of what each can do, and its checks."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import Field, dataclass
from numbers import Integral
from typing import ClassVar, Self

from stablenets.errors import BadInput
from stablenets.schema import check_ranges, suggest

ENGINE = f"{__package__}."


@dataclass(frozen=True)
class Capabilities:
    """Properties of a family. The engine, the probes and the training decide by them, not by name.

    M is the Jacobian of the state after some layers with respect to the state before them.

    Attributes:
        order: Order of accuracy: the error of the scheme is O(h^order). None if the family has no
            step size. 0 if the scheme has no limit for h -> 0.
        reversible: Has an exact inverse step, which a `ReversibleDynamics` defines. Then
            |det M| = 1 for any weights, so volume is conserved, unless `contracts_volume` is set.
        contracts_volume: |det M| < 1 for any weights, although the step has an inverse.
        symplectic: M conserves the canonical form: M.T J M = J, J = [[0, I], [-I, 0]].
        split: The state is two halves of the features, and each operator acts on one half.
        two_step: The two parts are successive states. They swap places after every layer. At the
            start, one part is the input, and the first layer's weights give the other one.
        has_strided_block: Has a block that halves the resolution: `Dynamics.strided`.
        dense_only: Has no convolutional form.
        keeps_weight_dtype: Runs in the dtype of its weights, also under autocast.
        supports_dropout: Adds updates to the state, so that dropout can act on them. None: true,
            unless the class defines its layer by `step` alone.
        supports_fusing: Has a method `fused` that computes many dense layers or time steps at once.
        exposes_states: `fused` calls a tap with the states between the first and the last one.
    """

    order: int | None = None
    reversible: bool = False
    contracts_volume: bool = False
    symplectic: bool = False
    split: bool = False
    two_step: bool = False
    has_strided_block: bool = False
    dense_only: bool = False
    keeps_weight_dtype: bool = False
    supports_dropout: bool | None = None
    supports_fusing: bool = False
    exposes_states: bool = True

    def step_size(self, h: float | None) -> float | None:
        """Return h, or None for a family without a step size."""
        return None if self.order is None else h


@dataclass(frozen=True)
class Family:
    """Base of all families. The fields of a subclass are its options; each is checked on creation.

    A family sets `capabilities` as a class attribute, or as a property if it depends on options.
    """

    paper: ClassVar[str] = ""  # handle of the paper that the family comes from, or "baseline"
    run_by: ClassVar[str]  # the module that runs the family

    @property
    def capabilities(self) -> Capabilities:
        """What the family can do."""
        return Capabilities()

    def __post_init__(self) -> None:
        cls = type(self)
        if any(isinstance(value, Field) for value in vars(cls).values()):
            raise TypeError(f"{cls.__name__}: put @dataclass(frozen=True) above the class")
        check_ranges(self)

    @property
    def unused_options(self) -> dict[str, str]:
        """Options that have no effect on this family, each with the reason.

        The reason continues a sentence that begins with the family's name: "ResNetBN has no step
        size". Options that all families share are included.
        """
        unused = {}
        if self.capabilities.order is None:
            unused["T"] = "has no step size"
        if self.capabilities.dense_only:
            unused |= {"operator": "has no convolutional form", "transition": "has one unit"}
        return unused

    def at_depth(self, depth: int) -> Self:
        """Return the family with its constants for `depth` layers or time steps.

        Raises:
            BadInput: If its options do not allow this depth.
        """
        return self

    def width_problem(self, width: int) -> str:
        """Return why the family cannot have this width, and what to do; '' if it can.

        The text continues a sentence that begins with the family's name: "RevNet splits ...".
        """
        odd = self.capabilities.split and width % 2
        return "splits the state in two halves; use an even width" if odd else ""

    def defines(self, *methods: str) -> bool:
        """Return whether the family, not a base class of the engine, defines one of the methods."""
        own = [cls for cls in type(self).__mro__ if not cls.__module__.startswith(ENGINE)]
        return any(method in vars(cls) for cls in own for method in methods)

    @property
    def missing_method(self) -> str:
        """Which method the family still has to define, and why; '' if none.

        The text continues a sentence that begins with the family's name.
        """
        return ""

    def check_supported(
        self,
        *,
        operator: str = "dense",
        backward: str = "store",
        widths: Iterable[int] = (),
        name: str = "",
        prefix: str = "",
    ) -> None:
        """Check that the family can be built and trained in this way.

        Args:
            operator: "dense" or "conv".
            backward: How gradients are computed; see `Flow`.
            widths: Numbers of features that it should have.
            name: Name of the family in messages; by default its class name.
            prefix: Prefix of the option's key in messages, such as "net.".

        Raises:
            BadInput: If it cannot, or if its class is incomplete; the message names the option,
                its value and the remedy.
        """
        name, can = name or type(self).__name__, self.capabilities
        if self.missing_method:
            raise BadInput(f"{name} {self.missing_method}")
        if backward == "reverse" and not can.reversible:
            raise BadInput(
                f"backward=reverse: {name} has no inverse step; use backward=store or"
                " backward=checkpoint"
            )
        if operator != "dense" and can.dense_only:
            raise BadInput(
                f"{prefix}operator={operator}: {name} has no convolutional form; use"
                f" {prefix}operator=dense"
            )
        for width in widths:
            if problem := self.width_problem(width):
                raise BadInput(f"width={width}: {name} {problem}")


def check_choice(key: str, value: str, choices: Iterable[str]) -> None:
    """Raise `BadInput` with the nearest choice if `value` is none of them."""
    if value not in choices:
        raise BadInput(f"{key}={value}: {suggest(value, choices, 'one of')}")


def check_count(key: str, value: object, low: int, meaning: str) -> None:
    """Raise `BadInput` if `value` is no whole number from `low` on."""
    if not isinstance(value, Integral) or isinstance(value, bool) or int(value) < low:
        raise BadInput(f"{key}={value!r}: {meaning}; give a whole number, {low} or more")


def check_finite(key: str, value: float) -> None:
    """Raise `BadInput` if `value` is infinite or NaN."""
    if not math.isfinite(value):
        raise BadInput(f"{key}={value}: must be finite")


def check_instance(dynamics: object, base: type, user: str) -> None:
    """Raise TypeError unless `dynamics` is an instance of `base`, which `user` requires."""
    if isinstance(dynamics, type):
        name = dynamics.__name__
        raise TypeError(f"dynamics={name}: a class; give an instance, {name}()")
    if isinstance(dynamics, Family) and not isinstance(dynamics, base):
        name, runner = type(dynamics).__name__, dynamics.run_by
        raise TypeError(f"dynamics={name}(): {user} cannot run it; use {runner}({name}(), ...)")
    if not isinstance(dynamics, base):
        raise TypeError(f"dynamics={dynamics!r}: {user} takes a family that is a {base.__name__}")
