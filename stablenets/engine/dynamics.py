"""The seam that every family comes through: a dynamics is a step from one state to the next with
one layer's weights.

A family is a frozen dataclass. Its fields are its options; its class attributes are its facts; its
methods are its equations. It knows neither depth, nor storage, nor whether its operator is dense or
convolutional. `flow.Flow` owns the weights of all layers, stacked with depth in front, and runs the
dynamics over them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Self

from torch import Tensor, nn

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.native import added
from stablenets.engine.operators import Operator
from stablenets.engine.updates import ResidualUpdate, apply_updates, fused_layers
from stablenets.schema import check_ranges, option

if TYPE_CHECKING:
    from stablenets.engine.flow import Tap
    from stablenets.engine.norms import BatchNorm

State = tuple[
    Tensor, ...
]  # one tensor for a first-order ODE, two for a split or two-step scheme; each (B, ...)
Weights = SimpleNamespace  # one layer's operators and biases, by name

BIASES = ("feature", "scalar")
CONSERVED = {
    "volume": "|det| of the Jacobian of the state is 1",
    "form": (
        "the Jacobian M of the state, two halves, is symplectic: M.T J M = J with J = [[0, I],"
        " [-I, 0]]"
    ),
}


@dataclass(frozen=True)
class Dynamics:
    """Base of the families. Learned tensors of one layer: operators, biases and batch norms, each
    kind by name.

    Facts are read of an instance: an option may decide them.
    """

    activation: str = option(
        "tanh", "σ, smooth or piecewise smooth and non-decreasing", choices=tuple(ACTIVATIONS)
    )
    bias: str = option(
        "feature",
        "one bias a feature, or one scalar a layer as in Haber & Ruthotto 2017",
        choices=BIASES,
    )

    paper: ClassVar[str] = ""  # handle of the paper that the family comes from
    operators: ClassVar[tuple[str, ...]] = ("K",)
    biases: ClassVar[tuple[str, ...]] = ("b",)
    norms: ClassVar[tuple[str, ...]] = ()
    order: ClassVar[int | None] = (
        None  # order of accuracy in h; None: not an integrator, has no step size
    )
    conserves: ClassVar[
        tuple[str, ...]
    ] = ()  # of the state, over any number of layers with any weights: keys of CONSERVED
    reversible: ClassVar[bool] = False  # has an exact inverse step: is a `ReversibleDynamics`
    has_strided: ClassVar[bool] = False  # overrides `strided`
    dense_only: ClassVar[bool] = False  # has no convolutional form
    keeps_weight_dtype: ClassVar[bool] = (
        False  # runs in the precision of its weights, under autocast too
    )
    split: ClassVar[bool] = (
        False  # the state is two halves of the features; operators act on a half
    )
    two_step: ClassVar[bool] = (
        False  # the parts are successive states, which change places after a layer
    )
    supports_dropout: ClassVar[bool] = (
        # `step` is the one below, or that of `ReversibleDynamics`, which can drop parts of a change
        True
    )
    supports_fusing: ClassVar[bool] = (
        False  # has a faster way than one dense layer after the other: `fused`
    )

    def __post_init__(self) -> None:
        check_ranges(self)

    def σ(self, x: Tensor, N: BatchNorm | None = None) -> Tensor:
        """σ(x), or σ(N x) in the one pass that does both."""
        return ACTIVATIONS[self.activation](x) if N is None else N(x, self.activation)

    def start(self, x: Tensor, w: Weights | None, h: float) -> State:
        """The state before the first layer, whose weights a two-step scheme is given to find its
        second state.
        """
        return (x,)

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        """Tensors that belong to the family and are never trained, by name: (depth, ...), or (1,
        ...) where all layers share one.
        """
        return {}

    def at_depth(self, depth: int) -> Self:
        """The family as it is over `depth` layers, where its constants depend on them."""
        return self

    def refuses(self, width: int) -> str:
        """Why the family cannot have this width, to be read after its name, with the remedy; ''
        where it can.
        """
        return (
            "splits the state in two halves; use an even width" if self.split and width % 2 else ""
        )

    def initial(self, name: str, K: Operator) -> Operator:
        """The operator `name` of all layers as training starts, from K whose kernels are drawn
        independently.
        """
        return K

    def prepare(self, **learned: Any) -> dict[str, Any]:
        """From the learned tensors of all layers to what `step` uses, made once a forward and not
        once a layer.
        """
        return learned

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        """What a layer consists of, in order, where it is made of moves; of all layers, where `w`
        are stacks.
        """
        raise TypeError(f"{type(self).__name__} has no moves")

    def step(self, state: State, w: Weights, h: float) -> State:
        """The state after one layer."""
        return self.swap_parts(apply_updates(self.updates(w, h), state, self.σ, w.drop))

    def swap_parts(self, parts: Sequence[Tensor]) -> State:
        """The two parts of a two-step scheme change places; its own inverse."""
        return tuple(reversed(parts)) if self.two_step else tuple(parts)

    def fused(self, state: State, h: float, tap: Tap | None, first: int, **prepared: Any) -> State:
        """All layers of a stack at once; the tap is shown what stands between the first and the
        last state, counted from `first` on.
        """
        made_of = list(self.updates(SimpleNamespace(**prepared), h))
        return fused_layers(
            made_of,
            state,
            activation=self.activation,
            swaps_parts=self.two_step,
            tap=tap,
            first=first,
        )

    def strided(self, narrow: int, wide: int, gain: float) -> nn.Module:
        """A block of its own kind that halves the resolution and widens the features, for the
        layout `strided_first_block`.
        """
        raise TypeError(f"{type(self).__name__} has no strided block")

    def output(self, state: State) -> Tensor:
        """What the next part of the network sees of the last state."""
        return state[0]


CouplingUpdate = tuple[
    int, Callable[..., Tensor]
]  # add to this part of the state a function of the state that does not read that part


@dataclass(frozen=True)
class ReversibleDynamics(Dynamics):
    """A step made of kicks: each adds to one part of the state a function of the other parts.

    A kick is undone by subtracting the same function, so that the step has an exact inverse, volume
    is kept, and one evaluation serves both the inverse and the gradient: this is what
    `flow.reverse` lives on.
    """

    reversible = True
    conserves = ("volume",)

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        """In the order in which they are made."""
        for move in self.updates(w, h):
            yield move.part, lambda *parts, move=move: move.by * move.change(self.σ, parts[move.of])

    def active_updates(self, w: Weights, h: float) -> list[CouplingUpdate]:
        """The kicks as they are made, with what is dropped left out."""
        kicks = list(self.coupling_updates(w, h))
        if w.drop is None:
            return kicks
        return [
            (part, lambda *parts, index=index, kick=kick: w.drop(kick(*parts), index))
            for index, (part, kick) in enumerate(kicks)
        ]

    def step(self, state: State, w: Weights, h: float) -> State:
        parts = list(state)
        for part, kick in self.active_updates(w, h):
            parts[part] = added(parts[part], kick(*parts))
        return self.swap_parts(parts)

    def unstep(self, state: State, w: Weights, h: float) -> State:
        """The state before the layer, from the state after it."""
        parts = list(self.swap_parts(state))
        for part, kick in reversed(self.active_updates(w, h)):
            parts[part] = parts[part] - kick(*parts)
        return tuple(parts)
