"""Running a module a second time: its random numbers again, its buffers unchanged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def call_unchanged(module: nn.Module, parameters: Mapping[str, Tensor], x: Tensor) -> Tensor:
    """Return module(x) with the given parameters; the buffers of the module stay as they are."""
    buffers = {name: buffer.clone() for name, buffer in module.named_buffers()}
    return functional_call(module, {**parameters, **buffers}, (x,))
