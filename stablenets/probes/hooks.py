"""Gradient norms between the modules of any net, in a training loop of your own.

The hooks for gradients are on tensors, not on modules. With backward hooks on modules, torch would
give views to the modules in the forward pass, and an in-place ReLU must not change such a view. A
hook on a tensor gets the gradient of the value that the tensor had when the hook was registered,
even if the tensor is changed in place later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, Self

import torch
from torch import Tensor, nn

from stablenets.errors import BadInput
from stablenets.probes.norms import combine_norms, gradient_norm


class ModuleGradients:
    """Measures gradient norms at given modules, in a forward and a backward pass inside `with`.

    For a single measurement, `gradient_norms` is shorter.

    Args:
        modules: The modules to measure, in order of execution. The output of each should be the
            input of the next, and each must run once per forward pass.

    Raises:
        BadInput: If there are no modules or one runs twice; from `state_norms`, if one did not run
            or they ran in another order.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.Tanh())
        >>> with probes.ModuleGradients(net) as probe:
        ...     net(torch.randn(5, 4)).sum().backward()
        >>> probe.state_norms().shape, probe.weight_norms().shape
        (torch.Size([3]), torch.Size([2]))
    """

    def __init__(self, modules: Sequence[nn.Module]) -> None:
        self.modules = list(modules)
        if not self.modules:
            raise BadInput("modules=[]: nothing to measure; give at least one module")

    def __enter__(self) -> Self:
        self._norms: dict[int, list[Tensor]] = {}
        self._finished: list[int] = []  # indices of the modules, in order of execution
        self._in_backward = False  # where a checkpointed module runs again
        self._handles = [
            self.modules[0].register_forward_pre_hook(self._watch_input, with_kwargs=True)
        ]
        self._handles += [
            module.register_forward_hook(self._output_hook(index))
            for index, module in enumerate(self.modules)
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _watch_input(
        self, module: nn.Module, inputs: tuple[Any, ...], named: dict[str, Any]
    ) -> tuple[tuple[Any, ...], dict[str, Any]] | None:
        """Register a hook on the first argument, given by position or by name.

        If this tensor needs no gradient, as data, it is replaced by a leaf that needs one. The
        module gets a clone of the leaf, which it may change in place. Integers are not replaced:
        they have no gradient.
        """
        if 0 in self._norms or not torch.is_grad_enabled():
            return None
        values = dict(enumerate(inputs)) | named
        place, state = next(iter(values.items()), ("", None))
        if torch.is_tensor(state) and state.is_floating_point() and not state.requires_grad:
            leaf = state.detach().requires_grad_()
            self._watch(0, leaf)
            values[place] = leaf.clone()
            return tuple(values[index] for index in range(len(inputs))), {
                name: values[name] for name in named
            }
        self._watch(0, state)
        return None

    def _output_hook(self, index: int) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if index + 1 in self._norms and not self._in_backward:
                raise BadInput(
                    f"modules[{index}]: {type(module).__name__} runs twice in one forward pass;"
                    " give modules that run once"
                )
            if index not in self._finished:
                self._finished.append(index)
            if index + 1 not in self._norms and torch.is_grad_enabled():
                self._watch(index + 1, output)

        return hook

    def _watch(self, depth: int, state: object) -> None:
        norms = self._norms.setdefault(depth, [])

        def hook(gradient: Tensor) -> None:
            self._in_backward = True
            norms.append(gradient_norm(gradient))

        for part in dict.fromkeys(tensors_in(state)):  # a tensor that is returned twice counts once
            if part.requires_grad:
                part.register_hook(hook)

    def state_norms(self) -> Tensor:
        """Return ‖dLoss/dY_l‖, (L + 1,) float64; NaN where no gradient arrived.

        Y_0 is the input of the first module, Y_l the output of the l-th.
        """
        self._check_order()
        return combine_norms([self._norms.get(depth, []) for depth in range(len(self.modules) + 1)])

    def weight_norms(self) -> Tensor:
        """Return ‖dLoss/dθ_l‖ over all parameters of each module, (L,) float64; NaN if none."""
        return combine_norms(
            [
                [gradient_norm(p.grad) for p in module.parameters() if p.grad is not None]
                for module in self.modules
            ]
        )

    def _check_order(self) -> None:
        for index, module in enumerate(self.modules):
            if index not in self._finished:
                raise BadInput(
                    f"modules[{index}]: {type(module).__name__} did not run; give modules that the"
                    " forward pass runs, inside `with`"
                )
        for first, second in pairwise(self._finished):
            if first > second:
                raise BadInput(
                    f"modules[{second}]: {type(self.modules[second]).__name__} runs after"
                    f" modules[{first}]: {type(self.modules[first]).__name__}; give them in order"
                    f" of execution: [modules[i] for i in {self._finished}]"
                )


def tensors_in(value: object) -> Iterator[Tensor]:
    """Yield the tensors in the output of a module: a tensor, or tuples, lists and dicts of them."""
    if torch.is_tensor(value):
        yield value
    elif isinstance(value, tuple | list | Mapping):
        for part in value.values() if isinstance(value, Mapping) else value:
            yield from tensors_in(part)
