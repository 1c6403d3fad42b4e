"""Batch norm with the activation behind it, in bfloat16 passes of our own (native.cpp).

torch takes one pass for the mean, one for the variance, one for the norm, one for the activation
and one for each change of type, and goes over few channels slowly. Here a forward is two passes
and a backward two. The arithmetic is that of autocast: statistics and sums in float32 or better,
and one rounding to bfloat16 before the convolution.

A state plus a kick is one pass as well, with the very digits that torch has.

The file is compiled once a process, by the C++ compiler of the machine and for its processor,
which takes a second. Without a compiler, or for tensors that the passes do not know, `available`
and `suits` say no, and the caller uses torch's operations.
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
from stablenets.engine.fused import casting, transformed

SOURCE = Path(__file__).with_name("native.cpp")
FLAGS = ("-std=c++17", "-O3", "-march=native", "-mprefer-vector-width=512", "-shared", "-fPIC")
STRIP = 64  # places that the passes take at once
POINTER, LONG, FLOAT, INT = ctypes.c_void_p, ctypes.c_long, ctypes.c_float, ctypes.c_int
SIZES = [LONG] * 3
ACTIVE = {"identity": False, "relu": True}  # the activations that the passes know


@cache
def library() -> ctypes.CDLL | None:
    """The compiled passes; None where they cannot be compiled."""
    compiler = shutil.which(os.environ.get("CXX", "g++"))
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "native.so"
        made = subprocess.run([compiler, *FLAGS, str(SOURCE), "-o", str(path)], capture_output=True)
        if made.returncode:
            return None
        loaded = ctypes.CDLL(str(path))
    loaded.norm_forward.argtypes = [
        POINTER,
        INT,
        POINTER,
        *SIZES,
        *[POINTER] * 4,
        FLOAT,
        FLOAT,
        INT,
        *[POINTER] * 2,
    ]
    loaded.norm_backward.argtypes = [
        *[POINTER] * 2,
        INT,
        POINTER,
        *SIZES,
        *[POINTER] * 4,
        INT,
        *[POINTER] * 2,
    ]
    loaded.add.argtypes = [*[POINTER] * 3, LONG]
    loaded.add.restype = loaded.norm_forward.restype = loaded.norm_backward.restype = None
    return loaded


def available() -> bool:
    return library() is not None


def suits(x: Tensor, learned: tuple[Tensor, ...], activation: str) -> bool:
    """Whether the passes give what torch's operations would: images under bfloat16 autocast on a
    CPU, with nothing that has to see each operation."""
    return (
        not torch.compiler.is_compiling()
        and x.dim() == 4
        and x.device.type == "cpu"
        and activation in ACTIVE
        and x.dtype in (torch.float32, torch.bfloat16)
        and casting(x)
        and torch.get_autocast_dtype("cpu") is torch.bfloat16
        and all(tensor.dtype is torch.float32 for tensor in learned)
        and not any(transformed(tensor) for tensor in (x, *learned))
        and x.numel() % strip(x.shape[1]) == 0
        and x.numel() > x.shape[1]
        and available()
    )


def added(x: Tensor, change: Tensor) -> Tensor:
    """x + change, bit for bit. Of a float32 state and a bfloat16 change torch makes the sum in two
    passes, the first of which writes the change down in float32."""
    if (
        not torch.compiler.is_compiling()
        and casting(x)
        and x.dtype is torch.float32
        and change.dtype is torch.bfloat16
        and x.device.type == change.device.type == "cpu"
        and x.shape == change.shape
        and lies_well(x)
        and lies_well(change)
        and x.numel() % STRIP == 0
        and not (transformed(x) or transformed(change))
        and available()
    ):
        return Sum.apply(x, change)
    return x + change


def lies_well(x: Tensor) -> bool:
    return x.dim() == 4 and x.is_contiguous(memory_format=torch.channels_last)


def strip(channels: int) -> int:
    """The numbers after which a tensor with channels last begins again with channel 0, and the
    passes with a whole strip."""
    return math.lcm(channels, STRIP)


def plain(x: Tensor, gamma: Tensor, beta: Tensor, activation: str, epsilon: float) -> Tensor:
    """What the passes compute, by torch's operations and without running statistics."""
    y = F.batch_norm(x, None, None, gamma, beta, True, 0.0, epsilon)
    return ACTIVATIONS[activation](y).bfloat16()


def pointers(*tensors: Tensor) -> list[int]:
    return [tensor.data_ptr() for tensor in tensors]


class Norm(torch.autograd.Function):
    """σ(N x) in bfloat16, (B, c, H, W) -> (B, c, H, W), with the statistics of the batch; the
    running ones are moved on in place."""

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
        ctx.sizes = x.numel() // strip(x.shape[1]), strip(x.shape[1]), x.shape[1]
        ctx.single, ctx.activation, ctx.epsilon = x.dtype is torch.float32, activation, epsilon
        library().norm_forward(
            *pointers(x),
            ctx.single,
            *pointers(y),
            *ctx.sizes,
            *pointers(gamma, beta, *running),
            momentum,
            epsilon,
            ACTIVE[activation],
            *pointers(mean, invstd),
        )
        ctx.save_for_backward(x, gamma, beta, mean, invstd)
        return y

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor | None, ...]:
        x, gamma, beta, mean, invstd = ctx.saved_tensors
        if torch.is_grad_enabled():  # create_graph: by operations that can be differentiated again
            inputs = [tensor.view_as(tensor) for tensor in (x, gamma, beta)]
            needs = ctx.needs_input_grad[:3]
            wanted = [tensor for tensor, need in zip(inputs, needs, strict=True) if need]
            y = plain(*inputs, ctx.activation, ctx.epsilon)
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
            ACTIVE[ctx.activation],
            *pointers(dgamma, dbeta),
        )
        return dx, dgamma, dbeta, None, None, None, None


class Sum(torch.autograd.Function):
    """A float32 tensor and a bfloat16 one that lie alike in memory."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, change: Tensor) -> Tensor:
        total = torch.empty_like(x)
        library().add(*pointers(x, change, total), x.numel())
        return total

    @staticmethod
    def backward(ctx: Any, given: Tensor) -> tuple[Tensor, Tensor]:
        return given, given.bfloat16()
