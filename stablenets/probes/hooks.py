"""Gradient norms at any modules of any net, through hooks on the tensors that pass between them.

A hook on a module's tensor and not on the module: torch's module hooks hand on views, which a ReLU
that works in place may not touch. A tensor's hook stays with the value that it was registered for,
before it is changed in place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Self

import torch
from torch import Tensor, nn

from stablenets.errors import BadInput
from stablenets.probes.norms import gathered, norm


class ModuleGradients:
    """The norms of dLoss/dstate between the given modules, and of dLoss/dweights within each.

    with ModuleGradients([*net.layer1, *net.layer2]) as probe:
        loss(net(x)).backward()
    probe.state_norms()      # (L + 1,) float64: the input of the first module, then the output of
        each
    probe.weight_norms()     # (L,) float64: over all parameters of each; NaN where it has none
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = list(modules)
        if not self.modules:
            raise BadInput("modules=[]: nothing to watch; give at least one module")

    def __enter__(self) -> Self:
        self._norms: dict[int, list[Tensor]] = {}
        self._ran: set[int] = set()
        self._reached = False  # by the backward, in which a checkpointed module runs again
        self._handles = [self.modules[0].register_forward_pre_hook(self.entering, with_kwargs=True)]
        self._handles += [
            module.register_forward_hook(self.left(index))
            for index, module in enumerate(self.modules, 1)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def entering(
        self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Data has a gradient too, at a leaf of its own; a clone of it may be changed in place.
        Indices have none.
        """
        if 0 in self._norms or not torch.is_grad_enabled():
            return None
        values = dict(enumerate(inputs)) | named
        place, state = next(
            iter(values.items()), (None, None)
        )  # the state comes first, by keyword as well
        if torch.is_tensor(state) and state.is_floating_point() and not state.requires_grad:
            leaf = state.detach().requires_grad_()
            self.watch(0, leaf)
            values[place] = leaf.clone()
            return tuple(values[index] for index in range(len(inputs))), {
                name: values[name] for name in named
            }
        self.watch(0, state)
        return None

    def left(self, index: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            self._ran.add(index)
            if index in self._norms and not self._reached:
                raise BadInput(
                    f"modules[{index - 1}]: {type(module).__name__} runs twice in one forward; give"
                    " modules that run once"
                )
            if index not in self._norms and torch.is_grad_enabled():
                self.watch(index, output)

        return hook

    def watch(self, index: int, state: object) -> None:
        norms = self._norms.setdefault(index, [])

        def hook(gradient: Tensor) -> None:
            self._reached = True
            norms.append(norm(gradient))

        for part in dict.fromkeys(tensors(state)):  # one that is handed on twice has one gradient
            if part.requires_grad:
                part.register_hook(hook)

    def state_norms(self) -> Tensor:
        for index, module in enumerate(self.modules):
            if index + 1 not in self._ran:
                raise BadInput(
                    f"modules[{index}]: {type(module).__name__} did not run; give modules that the"
                    " forward runs, inside `with`"
                )
        return gathered([self._norms.get(index, []) for index in range(len(self.modules) + 1)])

    def weight_norms(self) -> Tensor:
        return gathered(
            [
                [norm(p.grad) for p in module.parameters() if p.grad is not None]
                for module in self.modules
            ]
        )


def tensors(value: object) -> Iterator[Tensor]:
    """All tensors of what a module passes on: one, or tuples or dicts of them."""
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, tuple | list | Mapping):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from tensors(part)
