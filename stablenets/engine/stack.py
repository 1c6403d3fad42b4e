"""The weights of all layers of one family as stacked tensors, with depth in front.

Parameters are named as in the paper: `K: (L, ...)`, `b: (L, ...)`. Each forward pass splits them
into layers once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from stablenets.engine.dropout import Dropout
from stablenets.engine.dynamics import Dynamics
from stablenets.engine.norms import (
    PARTS,
    STATISTICS,
    BatchNorm,
    ForwardContext,
    norm_parameters,
    norm_statistics,
    uses_native,
)
from stablenets.engine.operators import OPERATORS
from stablenets.engine.types import Weights


class LayerStack(nn.Module):
    """The learned and fixed tensors of `depth` layers, and the weights of single layers.

    The arguments are those of `Flow`, which checks them.
    """

    def __init__(
        self,
        dynamics: Dynamics,
        width: int,
        depth: int,
        h: float,
        *,
        operator: str,
        gain: float,
        dropout: float,
    ) -> None:
        super().__init__()
        self.dynamics, self.width, self.depth, self.h = dynamics.at_depth(depth), width, depth, h
        self.operator, self.dropout = OPERATORS[operator], dropout
        self.reconstruction_error: Tensor | None = None  # of the last backward in mode `reverse`
        # the number of features on which an operator acts
        features = width // 2 if dynamics.capabilities.split else width
        for name in dynamics.operators:
            shape = self.operator.kernel_shape(features)
            kernels = torch.randn(depth, *shape) * (gain / math.sqrt(math.prod(shape[1:])))
            initial = dynamics.initial(name, self.operator(kernels)).kernel
            self.register_parameter(name, nn.Parameter(initial))
        for name in dynamics.biases:
            size = 1 if dynamics.bias == "scalar" else features
            self.register_parameter(name, nn.Parameter(torch.zeros(depth, size)))
        for norm in dynamics.norms:
            for part, start in PARTS.items():
                values = torch.full((depth, features), start)
                self.register_parameter(f"{part}_{norm}", nn.Parameter(values))
            for part, start in STATISTICS.items():
                self.register_buffer(f"{part}_{norm}", torch.full((depth, features), start))
        fixed = dynamics.fixed(width, depth)
        for name, tensor in fixed.items():
            self.register_buffer(name, tensor)
        self.fixed = tuple(fixed)  # names of the tensors that are never trained
        self.names = (*self.dynamics.learned_names, *fixed)  # names of all tensors

    def weights(self) -> list[Tensor]:
        """Return the learned and fixed tensors in the order of `names`, each (L, ...)."""
        return [
            getattr(self, name).expand(self.depth, *getattr(self, name).shape[1:])
            for name in self.names
        ]

    def prepare_weights(self, weights: Sequence[Tensor]) -> dict[str, Any]:
        """Return the tensors that `step` reads, still stacked, from any stack of `weights`."""
        over_space = (1,) * (self.operator.feature_dims - 1)
        tensors: dict[str, Any] = dict(zip(self.names, weights, strict=True))
        norms = {
            name: tensors.pop(name)
            for norm in self.dynamics.norms
            for name in norm_parameters(norm)
        }
        for name in self.dynamics.operators:
            tensors[name] = self.operator(tensors[name])
        for name in self.dynamics.biases:
            tensors[name] = tensors[name].unflatten(-1, (-1, *over_space))
        return self.dynamics.prepare(**tensors) | norms

    @property
    def is_dropping(self) -> bool:
        return self.dropout > 0 and self.training

    def new_context(self) -> ForwardContext:
        """Return the context of a forward pass: norms update statistics, and dropout has a seed."""
        return ForwardContext(
            training=self.training,
            by_native=uses_native.get(),
            seed=int(torch.randint(2**62, ())) if self.is_dropping else None,
        )

    def statistics(self) -> dict[str, Tensor]:
        """Return the running statistics of all norms by name, each (L, c)."""
        names = [name for norm in self.dynamics.norms for name in norm_statistics(norm)]
        return {name: getattr(self, name) for name in names}

    def layers(
        self, weights: Sequence[Tensor], context: ForwardContext | None = None
    ) -> list[Weights]:
        """Return what `step` reads in each layer, for a stack of `weights` of these layers."""
        prepared, context = self.prepare_weights(weights), context or self.new_context()
        columns = [stack.unbind() for stack in prepared.values()]
        return [
            self.layer(index, dict(zip(prepared, row, strict=True)), context)
            for index, row in enumerate(zip(*columns, strict=True))
        ]

    def layer(self, index: int, values: dict[str, Any], context: ForwardContext) -> Weights:
        """Return one layer's weights, with its norms, from its row of the prepared weights."""
        for norm in self.dynamics.norms:
            learned = [values.pop(name) for name in norm_parameters(norm)]
            statistics = [
                context.statistics.get(name, getattr(self, name))[index]
                for name in norm_statistics(norm)
            ]
            values[norm] = BatchNorm(*learned, *statistics, context=context)
        drop = None if context.seed is None else Dropout(self.dropout, context.seed, index)
        return Weights(drop=drop, **values)
