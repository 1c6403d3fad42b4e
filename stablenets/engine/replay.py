"""Running a module a second time: its random numbers again, its buffers unchanged."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.func import functional_call


@contextmanager
def fork_generators(like: Tensor) -> Iterator[list[torch.Generator]]:
    """Give torch's random generators for a tensor's device; restore their states at the end."""
    generators = [torch.default_generator]
    if like.is_cuda:
        generators.append(torch.cuda.default_generators[like.get_device()])
    states = [generator.get_state() for generator in generators]
    try:
        yield generators
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)


def seed_generators(generators: Sequence[torch.Generator], seed: int) -> None:
    """Set the seed of each generator; a seed has 8 bytes, the state of a generator 5,000."""
    for generator in generators:
        generator.manual_seed(seed)


def own_tensors(module: nn.Module, named: Callable[..., Iterator]) -> dict[str, Tensor]:
    """The parameters or buffers of a module by name, once for each module inside that has them.

    A module that occurs twice has one name, as `functional_call` needs it. A tensor that two
    modules share has both names.

    Args:
        module: The module.
        named: `nn.Module.named_parameters` or `nn.Module.named_buffers`.
    """
    return {
        f"{prefix}.{name}" if prefix else name: tensor
        for prefix, part in module.named_modules()
        for name, tensor in named(part, recurse=False, remove_duplicate=False)
    }


def call_unchanged(
    module: nn.Module, parameters: Mapping[str, Tensor], buffers: Mapping[str, Tensor], x: Tensor
) -> Tensor:
    """Return module(x) with the given parameters and buffers, which stay as they are."""
    copies = {name: buffer.clone() for name, buffer in buffers.items()}
    return functional_call(module, {**parameters, **copies}, (x,), tie_weights=False)
