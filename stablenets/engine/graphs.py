"""CUDA graphs of functions of tensors: one launch for the many small kernels of a chunk of steps.
Elsewhere the function is called.

A step of a recurrence is a few microseconds of arithmetic on a GPU, no more than it takes to launch
its kernels one by one. A graph holds the launches for tensors of given shapes. It is recorded at
the third call with them, so that a shape that comes up once, as a last small batch, costs nothing;
where a recording fails all functions are called from then on.

Room: below `fused`, which calls `run_with_graph`, and `train`, which calls `graph_cache.clear`
before a run. It knows torch alone.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

STEPS = 112  # of a chunk that is recorded: 784 pixels are seven of them
# calls with the same shapes before one is recorded, and runs before that on the stream where it is
TRIALS = 3
MOST = 2**30  # bytes of what graphs keep for themselves, their inputs and outputs

Function = Callable[..., tuple[Tensor, ...]]


class Graph:
    """`function(constants, *tensors)`, recorded on the stream `aside`. A call copies the tensors
    in, launches, and returns the graph's own outputs.
    """

    def __init__(
        self,
        function: Function,
        constants: Hashable,
        tensors: tuple[Tensor | None, ...],
        aside: torch.cuda.Stream,
    ) -> None:
        self.inputs = [None if tensor is None else tensor.clone() for tensor in tensors]
        self.graph = torch.cuda.CUDAGraph()
        now = torch.cuda.current_stream()
        aside.wait_stream(now)
        with torch.cuda.stream(
            aside
        ):  # libraries set up their workspaces, which may not be recorded
            for _ in range(TRIALS):
                function(constants, *self.inputs)
        now.wait_stream(aside)
        with (
            torch.cuda.stream(now),
            torch.cuda.graph(self.graph, stream=aside, capture_error_mode="thread_local"),
        ):
            self.outputs = function(constants, *self.inputs)

    def __call__(self, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor, ...]:
        for kept, given in zip(self.inputs, tensors, strict=True):
            if kept is not None:
                kept.copy_(given)
        self.graph.replay()
        return self.outputs

    @property
    def size(self) -> int:
        return sum(tensor.nbytes for tensor in (*self.inputs, *self.outputs) if tensor is not None)


class GraphCache:
    """The graphs of this process, the least recently used first. None stands for one that had to
    go: it is not recorded again.
    """

    def __init__(self) -> None:
        self.graphs: OrderedDict[Hashable, Graph | None] = OrderedDict()
        self.counts: Counter[Hashable] = Counter()
        self.asides: dict[Hashable, torch.cuda.Stream] = {}
        self.broken = False

    def find(
        self,
        key: Hashable,
        place: Hashable,
        function: Function,
        constants: Hashable,
        tensors: tuple[Tensor | None, ...],
    ) -> Graph | None:
        """The graph of a key, recorded if it is time; `place` is the thread and the stream that it
        belongs to.
        """
        if self.broken:
            return None
        if key in self.graphs:
            self.graphs.move_to_end(key)
        else:
            self.counts[key] += 1
            if self.counts[key] == TRIALS:
                self.graphs[key] = self.recorded(place, function, constants, tensors)
                self.make_room()
        return self.graphs.get(key)

    def recorded(
        self,
        place: Hashable,
        function: Function,
        constants: Hashable,
        tensors: tuple[Tensor | None, ...],
    ) -> Graph | None:
        try:
            with (
                torch.inference_mode(False),
                torch.no_grad(),
            ):  # inputs that later calls may write to
                if place not in self.asides:
                    self.asides[place] = torch.cuda.Stream()
                return Graph(function, constants, tensors, self.asides[place])
        # out of memory, or an operation that cannot be recorded; what state CUDA is in then is not
        # known
        except RuntimeError as error:
            self.broken = True
            torch.cuda.synchronize()
            warnings.warn(
                f"no CUDA graph of {function.__name__} ({error}): from now on kernels are launched"
                " one by one",
                stacklevel=2,
            )
            return None

    def make_room(self) -> None:
        sizes = {key: graph.size for key, graph in self.graphs.items() if graph is not None}
        for key, size in list(sizes.items())[:-1]:
            if sum(sizes.values()) <= MOST:
                break
            self.graphs[key] = None
            sizes[key] -= size

    def clear(self) -> None:
        """Let all graphs go, with their memory."""
        self.__init__()


graph_cache = GraphCache()


def suits(tensor: Tensor) -> bool:
    """Whether a graph could be of use: on CUDA, where no other graph is being recorded."""
    if not tensor.is_cuda:
        return False
    with torch.cuda.device(tensor.device):
        return not torch.cuda.is_current_stream_capturing()


def run_with_graph(
    function: Function, constants: Hashable, *tensors: Tensor | None
) -> tuple[Tensor, ...]:
    """`function(constants, *tensors)`, a function without side effects; the first of the tensors is
    there. Read what it returns before the next call: it may be written anew. Work of two threads or
    streams never meets in one graph, nor that of two ways of computing.
    """
    with torch.cuda.device(tensors[0].device):
        place = (tensors[0].device, threading.get_ident(), torch.cuda.current_stream().cuda_stream)
        key = (
            function,
            constants,
            place,
            torch.backends.cuda.matmul.fp32_precision,
            torch.are_deterministic_algorithms_enabled(),
            *(
                None if tensor is None else (tensor.shape, tensor.stride(), tensor.dtype)
                for tensor in tensors
            ),
        )
        graph = graph_cache.find(key, place, function, constants, tensors)
        return function(constants, *tensors) if graph is None else graph(tensors)
