"""The interface of a family: one step from a state to the next with one layer's weights.

A family is a frozen dataclass. Its fields are its options. Its class attributes name its tensors
and state what it can do. Its methods are its equations. A family does not know its depth, nor
whether its operators are dense or convolutional: `flow.Flow` has the stacked weights and runs the
steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.family import Capabilities, Family
from stablenets.engine.fused import fused_layers
from stablenets.engine.native import add_change
from stablenets.engine.norms import BatchNorm, norm_parameters
from stablenets.engine.operators import Operator
from stablenets.engine.types import GradientTap, State, Weights
from stablenets.engine.updates import ResidualUpdate, apply_updates
from stablenets.schema import option

BIASES = ("feature", "scalar")
EQUATIONS = {"step", "updates", "coupling_updates"}  # the methods that define a layer


@dataclass(frozen=True)
class Dynamics(Family):
    """Base of the families with weights of their own in each layer.

    A family defines `updates` if a layer adds terms A σ(K y + b) to the state, and `step`
    otherwise. `operators`, `biases` and `norms` are the names of the learned tensors of a layer.
    """

    activation: str = option(
        "tanh", "σ, smooth or piecewise smooth and non-decreasing", choices=tuple(ACTIVATIONS)
    )
    bias: str = option(
        "feature",
        "feature: one bias per feature; scalar: one number per layer, as in Haber & Ruthotto 2017",
        choices=BIASES,
    )

    run_by = "Flow"
    operators: ClassVar[tuple[str, ...]] = ("K",)

    @property
    def unused_options(self) -> dict[str, str]:
        return super().unused_options | ({} if self.biases else {"bias": "has no biases"})

    @property
    def biases(self) -> tuple[str, ...]:
        """Names of the biases; most families override it by a class attribute."""
        return ("b",)

    @property
    def norms(self) -> tuple[str, ...]:
        """Names of the batch norms; most families override it by a class attribute."""
        return ()

    @property
    def learned_names(self) -> list[str]:
        """Names of the learned tensors: operators, biases, then scales and shifts of norms."""
        norms = [name for norm in self.norms for name in norm_parameters(norm)]
        return [*self.operators, *self.biases, *norms]

    def σ(self, x: Tensor, N: BatchNorm | None = None) -> Tensor:
        """Return the activation of x, or of N x in one pass."""
        return ACTIVATIONS[self.activation](x) if N is None else N(x, self.activation)

    def start(self, x: Tensor, w: Weights, h: float) -> State:
        """Return the state before the first layer: x, or its two halves for a split state.

        `w` holds the first layer's weights for a two-step family; for others it may be empty.
        """
        return x.chunk(2, 1) if self.capabilities.split else (x,)

    def output(self, state: State) -> Tensor:
        """Return the output for a state, of the shape of x: `output(start(x))` is x."""
        return torch.cat(state, 1) if self.capabilities.split else state[0]

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        """Return the tensors that are never trained, by name.

        Each has the shape (depth, ...), or (1, ...) if all layers share it.
        """
        return {}

    def initial(self, name: str, K: Operator) -> Operator:
        """Return the initial values of the operator `name`; K are independent random kernels."""
        return K

    def prepare(self, *_: Any, **tensors: Any) -> dict[str, Any]:
        """Return the tensors that `step` reads, from the learned and fixed tensors of all layers.

        Called once per forward pass, so that K - K.T is not computed again in every layer.
        """
        return tensors

    @property
    def supports_dropout(self) -> bool:
        """Whether dropout can act on the updates of the state.

        If `Capabilities` does not say it: false if the class defines its layer by `step` alone.
        """
        stated = self.capabilities.supports_dropout
        if stated is not None:
            return stated
        own = (EQUATIONS & vars(cls).keys() for cls in type(self).__mro__)
        return next(filter(None, own)) != {"step"}

    @property
    def missing_method(self) -> str:
        if not self.defines(*EQUATIONS):
            return "defines no layer; define step, or updates if a layer adds A σ(K y + b)"
        for name in ("operators", "biases", "norms"):
            if isinstance(given := getattr(self, name), str):
                return f"has {name} = {given!r}, which is a text; write ({given!r},) with a comma"
        if self.capabilities.supports_fusing and not self.defines("updates", "fused"):
            return (
                "states supports_fusing=True, which needs the method updates or fused; define one,"
                " or leave supports_fusing out"
            )
        return ""

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        """Return the residual updates of one layer, in order.

        If `w` holds the stacked weights of all layers, each update is that of all layers.
        """
        raise TypeError(f"{type(self).__name__} is not defined by residual updates")

    def step(self, state: State, w: Weights, h: float) -> State:
        """Return the state after one layer."""
        return self.swap_parts(apply_updates(self.updates(w, h), state, self.σ, w.drop))

    def swap_parts(self, parts: Sequence[Tensor]) -> State:
        """Return the parts, swapped in a two-step scheme; a second swap undoes the first."""
        return tuple(reversed(parts)) if self.capabilities.two_step else tuple(parts)

    def fused(
        self,
        state: State,
        h: float,
        tap: GradientTap | None,
        first: int,
        *_: Any,
        **prepared: Any,
    ) -> State:
        """Return the state after all layers of a stack, computed at once.

        The tap is called with all states except the first and the last one. `first` is the index
        of the first state.
        """
        made_of = list(self.updates(Weights(**prepared), h))
        return fused_layers(
            made_of,
            state,
            activation=self.activation,
            swaps_parts=self.capabilities.two_step,
            tap=tap,
            first=first,
        )

    def strided(self, narrow: int, wide: int, gain: float) -> nn.Module:
        """Return a block that halves the resolution, from `narrow` to `wide` features.

        Used by the layout `strided_first_block`.
        """
        raise TypeError(f"{type(self).__name__} has no strided block")


# (part, change): the update parts[part] += change(*parts), where `change` does not read this part.
CouplingUpdate = tuple[int, Callable[..., Tensor]]


@dataclass(frozen=True)
class ReversibleDynamics(Dynamics):
    """Base of the families whose step can be inverted exactly.

    A step is a sequence of coupling updates. Each adds to one part of the state a function of the
    other parts; subtracting this function inverts the update. So the step conserves volume, unless
    `Capabilities.contracts_volume` is set. Reverse mode evaluates each function once, for both the
    inverse and the gradient. Before its updates, a layer may multiply each part by a constant: see
    `scale_parts`.
    """

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(reversible=True)

    def scale_parts(self, parts: State) -> State:
        """Return each part multiplied by its constant; the backward pass does so with gradients."""
        return parts

    def unscale_parts(self, parts: State) -> State:
        """Return each part divided by its constant."""
        return parts

    def coupling_updates(self, w: Weights, h: float) -> Iterable[CouplingUpdate]:
        """Return the coupling updates of one layer in order."""
        for update in self.updates(w, h):
            yield (
                update.part,
                lambda *parts, update=update: (
                    update.scale * update.compute_change(self.σ, parts[update.source])
                ),
            )

    def active_updates(self, w: Weights, h: float) -> list[CouplingUpdate]:
        """Return the coupling updates with the dropout of this forward pass."""
        updates = list(self.coupling_updates(w, h))
        if w.drop is None:
            return updates
        return [
            (part, lambda *parts, index=index, change=change: w.drop(change(*parts), index))
            for index, (part, change) in enumerate(updates)
        ]

    def step(self, state: State, w: Weights, h: float) -> State:
        parts = list(self.scale_parts(state))
        for part, change in self.active_updates(w, h):
            parts[part] = add_change(parts[part], change(*parts))
        return self.swap_parts(parts)

    def unstep(self, state: State, w: Weights, h: float) -> State:
        """Return the state before a layer from the state after it."""
        parts = list(self.swap_parts(state))
        for part, change in reversed(self.active_updates(w, h)):
            parts[part] = parts[part] - change(*parts)
        return self.unscale_parts(tuple(parts))
