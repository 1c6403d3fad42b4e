"""The seam that every family comes through: a dynamics is a step from one state to the next with one layer's weights.

A family is a frozen dataclass. Its fields are its options; its class attributes are its facts; its methods are its equations.
It knows neither depth, nor storage, nor whether its operator is dense or convolutional. `flow.Flow` owns the weights of all
layers, stacked with depth in front, and runs the dynamics over them.
"""
from __future__ import annotations

from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any, ClassVar

import torch
from torch import Tensor

from stablenets.schema import option

State = tuple[Tensor, ...]  # one tensor for a first-order ODE, two for a split or two-step scheme; each (B, ...)
Weights = SimpleNamespace  # one layer's operators and biases, by name

ACTIVATIONS = {"tanh": torch.tanh, "relu": torch.relu, "identity": lambda x: x}
BIASES = ("feature", "scalar")


@dataclass(frozen=True)
class Dynamics:
    """Base of the families. Learned tensors of one layer: operators (named in `operators`) and biases (named in `biases`)."""

    activation: str = option("tanh", "σ, smooth or piecewise smooth and non-decreasing", choices=tuple(ACTIVATIONS))
    bias: str = option("feature", "one bias a feature, or one scalar a layer as in Haber & Ruthotto 2017", choices=BIASES)

    paper: ClassVar[str] = ""  # handle of the paper that the family comes from
    operators: ClassVar[tuple[str, ...]] = ("K",)
    biases: ClassVar[tuple[str, ...]] = ("b",)
    order: ClassVar[int | None] = None  # order of accuracy in h; None: not an integrator, has no step size
    reversible: ClassVar[bool] = False  # has an exact inverse step
    split: ClassVar[bool] = False  # the state is two halves of the features; operators act on a half

    def σ(self, x: Tensor) -> Tensor:
        return ACTIVATIONS[self.activation](x)

    def start(self, x: Tensor) -> State:
        """The state before the first layer."""
        return (x,)

    def prepare(self, **learned: Any) -> dict[str, Any]:
        """From the learned tensors of all layers to what `step` uses, made once a forward and not once a layer."""
        return learned

    def step(self, state: State, w: Weights, h: float) -> State:
        """The state after one layer."""
        raise TypeError(f"{type(self).__name__} has no step")

    def output(self, state: State) -> Tensor:
        """What the next part of the network sees of the last state."""
        return state[0]
