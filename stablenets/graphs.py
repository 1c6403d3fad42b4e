"""CUDA graphs of functions of tensors: one launch for the many small kernels of a chunk of steps. Elsewhere the function is called.

A step of a recurrence is a few microseconds of arithmetic on a GPU, no more than it takes to launch its kernels one by one. A graph
holds the launches for tensors of given shapes. It is recorded at the third call with them, so that a shape that comes up once, as a
last small batch, costs nothing; where recording fails the function is called as before.

Room: below `fused`, which calls `replayed`. It knows torch alone.
"""
from __future__ import annotations

import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

import torch
from torch import Tensor

STEPS = 112  # of a chunk that is recorded: a sixteenth of a second to record, and 784 pixels are seven of them
TRIALS = 3  # calls with the same shapes before one is recorded, and runs before that on the stream where it is
KEPT = 32  # graphs, each with its inputs and outputs: chunks, and so a few MB

Function = Callable[..., tuple[Tensor, ...]]


class Graph:
    """`function(constants, *tensors)`, recorded. A call copies the tensors in, launches, and returns the graph's own outputs."""

    def __init__(self, function: Function, constants: Hashable, tensors: tuple[Tensor | None, ...]) -> None:
        self.inputs = [None if tensor is None else tensor.clone() for tensor in tensors]
        self.graph = torch.cuda.CUDAGraph()
        now, aside = torch.cuda.current_stream(), torch.cuda.Stream()
        aside.wait_stream(now)
        with torch.cuda.stream(aside):  # libraries set up their workspaces, which may not be recorded
            for _ in range(TRIALS):
                function(constants, *self.inputs)
        now.wait_stream(aside)
        with torch.cuda.graph(self.graph, capture_error_mode="thread_local"):
            self.outputs = function(constants, *self.inputs)

    def __call__(self, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        for kept, given in zip(self.inputs, tensors, strict=True):
            if kept is not None:
                kept.copy_(given)
        self.graph.replay()
        return self.outputs


counts: Counter[Hashable] = Counter()
graphs: OrderedDict[Hashable, Graph | None] = OrderedDict()  # None where recording failed; the least recently used first


def suits(tensor: Tensor) -> bool:
    """Whether a graph could be of use: on CUDA, where no other graph is being recorded."""
    return tensor.is_cuda and not torch.cuda.is_current_stream_capturing()


def replayed(function: Function, constants: Hashable, *tensors: Tensor | None) -> tuple[Tensor, ...]:
    """`function(constants, *tensors)`, a function without side effects. Read what it returns before the next call: it may be written
    anew. Work of two streams never meets in one graph."""
    stream = torch.cuda.current_stream()
    key = (function, constants, stream.cuda_stream, torch.get_float32_matmul_precision(),
           *(None if tensor is None else (tensor.shape, tensor.dtype, tensor.device) for tensor in tensors))
    if key not in graphs:
        counts[key] += 1
        if counts[key] < TRIALS:
            return function(constants, *tensors)
        graphs[key] = recorded(function, constants, tensors)
        del counts[key]
        if len(graphs) > KEPT:
            graphs.popitem(last=False)
    graphs.move_to_end(key)
    graph: Any = graphs[key]
    return function(constants, *tensors) if graph is None else graph(tensors)


def recorded(function: Function, constants: Hashable, tensors: tuple[Tensor | None, ...]) -> Graph | None:
    try:
        return Graph(function, constants, tensors)
    except RuntimeError as error:  # out of memory, or an operation that cannot be recorded
        warnings.warn(f"no CUDA graph of {function.__name__} ({error}): its kernels are launched one by one", stacklevel=2)
        return None
