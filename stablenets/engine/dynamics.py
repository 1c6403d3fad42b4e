"""The interface of a family: one step from a state to the next with one layer's weights.

A family is a frozen dataclass. Its fields are its options, its class attributes name its tensors
and what it can do, its methods are its equations. It knows neither depth nor storage, nor whether
its operators are dense or convolutional: `flow.Flow` owns the stacked weights and runs the steps.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
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

    A family defines `updates`, or `step` where a layer is more than sums of σ(K y + b).
    `operators`, `biases` and `norms` name the learned tensors of one layer.
    """

    activation: str = option(
        "tanh", "σ, smooth or piecewise smooth and non-decreasing", choices=tuple(ACTIVATIONS)
    )
    bias: str = option(
        "feature",
        "one bias a feature, or one scalar a layer as in Haber & Ruthotto 2017",
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
        """Return what the next part of the network reads, as wide as x; `output(start(x)) = x`."""
        return torch.cat(state, 1) if self.capabilities.split else state[0]

    def fixed(self, width: int, depth: int) -> dict[str, Tensor]:
        """Return the tensors that are never trained, by name.

        Each is (depth, ...), or (1, ...) where all layers share it.
        """
        return {}

    def initial(self, name: str, K: Operator) -> Operator:
        """Return the initial operator `name` of all layers, from independent random kernels K."""
        return K

    def prepare(self, *_: Any, **tensors: Any) -> dict[str, Any]:
        """Return what `step` reads, from the learned and fixed tensors of all layers.

        Called once a forward, so that K - K.T is not computed again in every layer.
        """
        return tensors

    @property
    def supports_dropout(self) -> bool:
        """Whether dropout can act on the updates of the state.

        Without a word of the family it cannot, if its class defines `step` and no updates.
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
        if self.capabilities.supports_fusing and not self.defines("updates", "fused"):
            return (
                "states supports_fusing=True, which needs the method updates or fused; define one,"
                " or leave supports_fusing out"
            )
        return ""

    def updates(self, w: Weights, h: float) -> Iterable[ResidualUpdate]:
        """Return the residual updates of one layer in order, or of all layers if `w` is stacked."""
        raise TypeError(f"{type(self).__name__} is not defined by residual updates")

    def step(self, state: State, w: Weights, h: float) -> State:
        """Return the state after one layer."""
        return self.swap_parts(apply_updates(self.updates(w, h), state, self.σ, w.drop))

    def swap_parts(self, parts: Sequence[Tensor]) -> State:
        """Swap the two parts of a two-step scheme; the swap is its own inverse."""
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

        The tap sees the states between the first and the last; the first has the index `first`.
        """
        made_of = list(self.updates(SimpleNamespace(**prepared), h))
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

        The layout `strided_first_block` uses it.
        """
        raise TypeError(f"{type(self).__name__} has no strided block")


# Adds to this part of the state a function of all parts that does not read that part.
CouplingUpdate = tuple[int, Callable[..., Tensor]]


@dataclass(frozen=True)
class ReversibleDynamics(Dynamics):
    """Base of the families whose step can be inverted exactly.

    A step is a sequence of coupling updates: each adds to one part of the state a function of the
    other parts. Subtracting the same function inverts it, so volume is conserved. Reverse mode uses
    one evaluation of that function for both the inverse and the gradient. Before its updates a
    layer may multiply each part by a constant, see `scale_parts`.
    """

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(reversible=True)

    def scale_parts(self, parts: State) -> State:
        """Return the parts, each times its constant; the same map takes gradients back."""
        return parts

    def unscale_parts(self, parts: State) -> State:
        """Return the parts, each divided by its constant."""
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
        """Return the coupling updates with this forward's dropout applied."""
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
