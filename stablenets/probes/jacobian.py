"""Full Jacobian matrices: of a map, of each layer of a chain, and between any two of its states."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import accumulate

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.probes.checks import (
    SMALL,
    check_memory,
    differentiation,
    free_bytes,
    output_sizes,
    saved_bytes_per_example,
)
from stablenets.probes.maps import Map, layer_states

CHUNK = 128  # rows of the Jacobian that one backward pass computes


def full_jacobian(f: Map, x: Tensor) -> Tensor:
    """Return the Jacobian matrix ∂f/∂x at one example.

    Args:
        f: Map or module (B, *in) -> (B, *out), in `eval()` mode.
        x: One example (*in), float32 or float64. For token ids, give their embeddings as `x` and
            the part of the net that takes embeddings as `f`.

    Returns:
        Matrix (m, n), where m and n are the numbers of entries of the output and of `x`.

    Raises:
        BadInput: If `f` mixes examples, is random or cannot be differentiated; if `x` is not
            float32 or float64; if the matrix does not fit into memory.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.full_jacobian(torch.nn.Linear(3, 2), torch.zeros(3)).shape
        torch.Size([2, 3])
    """
    return batch_jacobians(f, x[None])[0]


def batch_jacobians(f: Map, batch: Tensor) -> Tensor:
    """Return the Jacobian matrix of `f` at each example of a batch.

    Copies of the examples pass through `f` together, and each copy computes one row of its matrix
    in an ordinary backward pass. The number of copies is limited by the free memory.

    Args:
        f: Map or module (B, *in) -> (B, *out), in `eval()` mode.
        batch: Examples (B, *in), float32 or float64.

    Returns:
        Matrices (B, m, n).

    Raises:
        BadInput: In the same cases as `full_jacobian`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.batch_jacobians(torch.tanh, torch.zeros(4, 3)).shape
        torch.Size([4, 3, 3])
    """
    examples, (size, rows) = len(batch), output_sizes([f], batch)
    copies = min(max(1, CHUNK // examples), rows)
    if examples * rows * size > SMALL:
        copies = copies_that_fit(f, batch, rows, copies)
    copies = math.ceil(rows / math.ceil(rows / copies))  # all chunks of about the same size
    found = batch.new_empty(examples, rows, size)
    with differentiation():
        leaf = batch.detach().repeat_interleave(copies, 0).requires_grad_()
        values = f(leaf.clone()).reshape(len(leaf), -1)  # f may change the clone in place
        for first in range(0, rows, copies):
            count = min(copies, rows - first)
            pick = torch.zeros_like(values).view(examples, copies, rows)
            pick[:, torch.arange(count), torch.arange(first, first + count)] = 1
            (gradient,) = torch.autograd.grad(
                values, leaf, pick.view_as(values), retain_graph=first + count < rows
            )
            found[:, first : first + count] = gradient.reshape(examples, copies, size)[:, :count]
    return found


def copies_that_fit(f: Map, batch: Tensor, rows: int, copies: int) -> int:
    """Return how many copies of each example fit into memory beside the matrices."""
    matrices = len(batch) * rows * batch[0].numel() * batch.element_size()
    copy = len(batch) * saved_bytes_per_example(f, batch[0])
    check_memory(
        matrices + copy,
        batch.device,
        f"Jacobian of {len(batch)} x {rows} x {batch[0].numel()} entries",
        "take fewer examples, or estimate_singular_values, which needs no matrix",
    )
    return min(copies, max(1, (free_bytes(batch.device) - matrices) // max(copy, 1)))


def layer_jacobians(maps: Sequence[Map], x: Tensor) -> list[Tensor]:
    """Return the Jacobian matrices of each layer, at the states that a batch passes through.

    Args:
        maps: The L layers in order of execution; see `flow_maps` for a `Flow`.
        x: Batch (B, *in), the input of the first layer.

    Returns:
        L tensors; the l-th is ∂Y_{l+1}/∂Y_l with shape (B, n_{l+1}, n_l), for l = 0 ... L-1.

    Raises:
        BadInput: If there are no maps, and in the same cases as `full_jacobian`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> layers = torch.nn.ModuleList([torch.nn.Linear(3, 5), torch.nn.Linear(5, 2)])
        >>> [tuple(J.shape) for J in probes.layer_jacobians(layers, torch.randn(4, 3))]
        [(4, 5, 3), (4, 2, 5)]
    """
    if not maps:
        raise BadInput("maps=[]: no layers; give at least one map")
    states = layer_states(maps, x)[:-1]
    return [batch_jacobians(f, state) for f, state in zip(maps, states, strict=True)]


def prefix_jacobians(jacobians: Sequence[Tensor]) -> list[Tensor]:
    """Return ∂Y_l/∂Y_0 = J_l ... J_1 for l = 1 ... L: from the first state to every later one.

    Args:
        jacobians: Matrices of the L layers, each (..., n_{l+1}, n_l), from `layer_jacobians`.

    Returns:
        L tensors (..., n_l, n_0).

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.prefix_jacobians([torch.tensor([[2.0]]), torch.tensor([[3.0]])])
        [tensor([[2.]]), tensor([[6.]])]
    """
    return list(accumulate(jacobians, lambda product, J: J @ product))


def suffix_jacobians(jacobians: Sequence[Tensor]) -> list[Tensor]:
    """Return ∂Y_L/∂Y_l = J_L ... J_{l+1} for l = 0 ... L-1: from every state to the last one.

    Args:
        jacobians: Matrices of the L layers, each (..., n_{l+1}, n_l), from `layer_jacobians`.

    Returns:
        L tensors (..., n_L, n_l).

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.suffix_jacobians([torch.tensor([[2.0]]), torch.tensor([[3.0]])])
        [tensor([[6.]]), tensor([[3.]])]
    """
    return list(accumulate(reversed(jacobians), torch.matmul))[::-1]
