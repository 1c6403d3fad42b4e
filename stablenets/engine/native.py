"""Batch norm with the activation after it, for bfloat16 on a CPU, in C++ (native.cpp).

torch needs one pass over memory for the mean, one for the variance, one for the norm, one for the
activation and one for each change of dtype, and it is slow with few channels. Here the forward pass
of a norm needs two passes over memory, and so does its backward pass. The arithmetic is that of
autocast: statistics and sums in float32 or better, and one rounding to bfloat16 before the
convolution. Adding a bfloat16 change to a float32 state takes one pass, too. The sum is bit for bit
that of torch.

native.cpp is compiled once per process, by the C++ compiler of the machine and for its processor,
which takes a second. Without a compiler, or for tensors that the passes do not support, the callers
(`norms`, `dynamics`) use torch's operations: see `is_available` and `can_normalise`.
"""

from __future__ import annotations

import ctypes
import math
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from stablenets.engine.activations import ACTIVATIONS
from stablenets.engine.autocast import is_autocast_on
from stablenets.engine.fused import is_transformed

SOURCE = Path(__file__).with_name("native.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-shared", "-fPIC")
STRIP = 64  # numbers that a pass handles at once: LANES * UNROLL in native.cpp
POINTER, LONG, FLOAT, INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_float, ctypes.c_int
IS_RELU = {"identity": False, "relu": True}  # the activations that the passes support


@cache
def library() -> Any:
    """Return the compiled passes, a `ctypes.CDLL`; None if they cannot be compiled.

    The type is Any because callers ask `is_available` first.
    """
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "native.so"
        compiled = subprocess.run(
            [compiler, *FLAGS, str(SOURCE), "-o", str(path)], capture_output=True
        )
        if compiled.returncode:
            return None
        loaded = ctypes.CDLL(str(path))
    sizes, two, four = [LONG] * 3, [POINTER] * 2, [POINTER] * 4
    loaded.norm_forward.argtypes = [POINTER, INT, POINTER, *sizes, *four, FLOAT, FLOAT, INT, *two]
    loaded.norm_backward.argtypes = [*two, INT, POINTER, *sizes, *four, INT, *two]
    loaded.add.argtypes = [*[POINTER] * 3, LONG]
    loaded.add.restype = loaded.norm_forward.restype = loaded.norm_backward.restype = None
    return loaded


def is_available() -> bool:
    """Return whether the passes can be compiled on this machine."""
    return library() is not None


def can_normalise(x: Tensor, learned: tuple[Tensor, ...], activation: str) -> bool:
    """Return whether the compiled passes can compute the norm of this input.

    They support images under bfloat16 autocast on a CPU. They do not support torch.compile,
    torch.func transforms and forward-mode derivatives.

    Args:
        x: Input (batch, channels, height, width).
        learned: Scale, shift and running statistics, each (channels,).
        activation: Key of `ACTIVATIONS`.
    """
    return (
        not torch.compiler.is_compiling()
        and x.dim() == 4
        and x.device.type == "cpu"
        and activation in IS_RELU
        and x.dtype in (torch.float32, torch.bfloat16)
        and is_autocast_on(x)
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
        and all(tensor.dtype is torch.float32 for tensor in learned)
        and not any(is_transformed(tensor) for tensor in (x, *learned))
        and x.numel() % strip_size(x.shape[1]) == 0
        and x.numel() > x.shape[1]
        and is_available()
    )


def add_change(x: Tensor, change: Tensor) -> Tensor:
    """Return x + change, bit for bit.

    For a float32 state and a bfloat16 change torch needs two passes: it first writes the change in
    float32.
    """
    if (
        not torch.compiler.is_compiling()
        and is_autocast_on(x)
        and x.dtype is torch.float32
        and change.dtype is torch.bfloat16
        and x.device.type == change.device.type == "cpu"
        and x.shape == change.shape
        and is_channels_last(x)
        and is_channels_last(change)
        and x.numel() % STRIP == 0
        and not (is_transformed(x) or is_transformed(change))
        and is_available()
    ):
        return NativeSum.apply(x, change)
    return x + change


def is_channels_last(x: Tensor) -> bool:
    """Return whether x is a batch of images with channels last in memory."""
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


def strip_size(channels: int) -> int:
    """Return a multiple of STRIP after which channels-last numbers start again at channel 0."""
    return math.lcm(channels, STRIP)


def reference_norm(
    x: Tensor, gamma: Tensor, beta: Tensor, *, activation: str, epsilon: float
) -> Tensor:
    """Return what the passes compute, by torch's operations and without running statistics."""
    y = F.batch_norm(x, None, None, gamma, beta, True, 0.0, epsilon)
    return ACTIVATIONS[activation](y).bfloat16()


def pointers(*tensors: Tensor) -> list[int]:
    """The addresses of the data of tensors, for the compiled passes."""
    return [tensor.data_ptr() for tensor in tensors]


class NativeNorm(torch.autograd.Function):
    """σ(N x) in bfloat16, (batch, c, height, width), with the statistics of the batch.

    The running statistics are updated in place.
    """

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        gamma: Tensor,
        beta: Tensor,
        running: tuple[Tensor, Tensor],
        activation: str,
        momentum: float,
        epsilon: float,
    ) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        gamma, beta = gamma.contiguous(), beta.contiguous()
        y = torch.empty_like(x, dtype=torch.bfloat16)
        mean, invstd = torch.empty_like(gamma), torch.empty_like(gamma)
        ctx.sizes = x.numel() // strip_size(x.shape[1]), strip_size(x.shape[1]), x.shape[1]
        ctx.single, ctx.activation, ctx.epsilon = x.dtype is torch.float32, activation, epsilon
        library().norm_forward(
            *pointers(x),
            ctx.single,
            *pointers(y),
            *ctx.sizes,
            *pointers(gamma, beta, *running),
            momentum,
            epsilon,
            IS_RELU[activation],
            *pointers(mean, invstd),
        )
        ctx.save_for_backward(x, gamma, beta, mean, invstd)
        return y

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, beta, mean, invstd = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph=True needs operations that torch differentiates
            inputs = [tensor.view_as(tensor) for tensor in (x, gamma, beta)]
            needs = ctx.needs_input_grad[:3]
            wanted = [tensor for tensor, need in zip(inputs, needs, strict=True) if need]
            y = reference_norm(*inputs, activation=ctx.activation, epsilon=ctx.epsilon)
            found = iter(torch.autograd.grad(y, wanted, given, create_graph=True))
            return *(next(found) if need else None for need in needs), *[None] * 4
        given = given.contiguous(memory_format=torch.channels_last)
        dx, dgamma, dbeta = torch.empty_like(x), torch.empty_like(gamma), torch.empty_like(beta)
        library().norm_backward(
            *pointers(given, x),
            ctx.single,
            *pointers(dx),
            *ctx.sizes,
            *pointers(gamma, beta, mean, invstd),
            IS_RELU[ctx.activation],
            *pointers(dgamma, dbeta),
        )
        return dx, dgamma, dbeta, None, None, None, None


class NativeSum(torch.autograd.Function):
    """Sum of a float32 tensor and a bfloat16 one of the same order in memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, change: Tensor) -> Tensor:
        total = torch.empty_like(x)
        library().add(*pointers(x, change, total), x.numel())
        return total

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor]:
        return given, given.bfloat16()
