"""CUDA graphs of functions of tensors: one launch for the many small kernels of a chunk of steps.

On a GPU a step of a recurrence takes a few microseconds, and launching its kernels one by one takes
as long. A graph holds the launches for tensors of given shapes. It is recorded at the third call
with these shapes, so that a shape that occurs once, such as a last small batch, costs nothing. If a
recording fails, all functions are called directly from then on.

`scan_autograd` calls `run_with_graph`; training clears the cache before a run.
"""

from __future__ import annotations

import threading
import warnings
from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

STEPS = 112  # in a recorded chunk; the 784 pixels of an MNIST image are seven chunks
# A graph is recorded at this call with the same shapes, after as many runs on its own stream.
TRIALS = 3
MOST_COUNTS = 10_000  # shapes whose calls are counted
MOST = 2**30  # bytes that all graphs may keep for their inputs and outputs

Function = Callable[..., tuple[Tensor | None, ...]]


class Graph:
    """A recorded call `function(constants, *tensors)`.

    A call copies the tensors in, launches the graph, and returns the graph's own outputs, which the
    next call overwrites.
    """

    def __init__(
        self,
        function: Function,
        constants: Hashable,
        tensors: tuple[Tensor | None, ...],
        stream: torch.cuda.Stream,
    ) -> None:
        self.inputs = [None if tensor is None else tensor.clone() for tensor in tensors]
        self.graph = torch.cuda.CUDAGraph()
        now = torch.cuda.current_stream()
        stream.wait_stream(now)
        # The first runs set up the workspaces of libraries, which cannot be recorded.
        with torch.cuda.stream(stream):
            for _ in range(TRIALS):
                function(constants, *self.inputs)
        now.wait_stream(stream)
        with (
            torch.cuda.stream(now),
            torch.cuda.graph(self.graph, stream=stream, capture_error_mode="thread_local"),
        ):
            self.outputs = function(constants, *self.inputs)

    def __call__(self, tensors: tuple[Tensor | None, ...]) -> tuple[Tensor | None, ...]:
        for kept, given in zip(self.inputs, tensors, strict=True):
            if kept is not None and given is not None:
                kept.copy_(given)
        self.graph.replay()
        return self.outputs

    @property
    def size(self) -> int:
        """Bytes of the inputs and outputs."""
        return sum(tensor.nbytes for tensor in (*self.inputs, *self.outputs) if tensor is not None)


class GraphCache:
    """The graphs of this process, in order of their last use. It is emptied by `clear`.

    Attributes:
        graphs: Graph for each key; None for one that was removed and is not recorded again.
        calls: Number of calls for each key that has no graph yet.
        streams: Stream for recordings, for each device, thread and current stream.
        has_failed: Whether a recording failed; then nothing is recorded.
        lock: Held while a graph is looked up or recorded, since all threads share the cache.
    """

    def __init__(self) -> None:
        self.graphs: OrderedDict[Hashable, Graph | None] = OrderedDict()
        self.calls: Counter[Hashable] = Counter()
        self.streams: dict[Hashable, torch.cuda.Stream] = {}
        self.has_failed = False
        self.lock = threading.Lock()

    def find(
        self,
        key: Hashable,
        place: Hashable,
        function: Function,
        constants: Hashable,
        tensors: tuple[Tensor | None, ...],
    ) -> Graph | None:
        """Return the graph of a key, or None if the function is to be called directly.

        Records the graph at call number TRIALS. `place` is the device, thread and stream of the
        call.
        """
        with self.lock:
            if self.has_failed:
                return None
            if key in self.graphs:
                self.graphs.move_to_end(key)
                return self.graphs[key]
            self.calls[key] += 1
            if self.calls[key] < TRIALS:
                self.forget_oldest_count()
                return None
            del self.calls[key]
            self.graphs[key] = graph = self.record(place, function, constants, tensors)
            self.limit_size()
            return graph

    def record(
        self,
        place: Hashable,
        function: Function,
        constants: Hashable,
        tensors: tuple[Tensor | None, ...],
    ) -> Graph | None:
        """Return a new graph; None, with a warning, if recording fails."""
        try:
            # Outside of inference mode, so that later calls may write to the inputs.
            with torch.inference_mode(False), torch.no_grad():
                if place not in self.streams:
                    self.streams[place] = torch.cuda.Stream()
                return Graph(function, constants, tensors, self.streams[place])
        # Out of memory, or an operation that cannot be recorded. The state of CUDA is then unknown.
        except RuntimeError as error:
            self.has_failed = True
            torch.cuda.synchronize()
            warnings.warn(
                f"no CUDA graph of {function.__name__} ({error}): from now on kernels are launched"
                " one by one",
                stacklevel=2,
            )
            return None

    def forget_oldest_count(self) -> None:
        """Keep at most MOST_COUNTS counts: shapes that never come again would fill the memory."""
        if len(self.calls) > MOST_COUNTS:
            del self.calls[next(iter(self.calls))]

    def limit_size(self) -> None:
        """Remove the graphs used longest ago until the rest, or one, fits in MOST bytes."""
        sizes = {key: graph.size for key, graph in self.graphs.items() if graph is not None}
        for key, size in list(sizes.items())[:-1]:
            if sum(sizes.values()) <= MOST:
                break
            self.graphs[key] = None
            sizes[key] -= size

    def clear(self) -> None:
        """Forget all graphs, which frees their memory, all counts, and a failed recording."""
        self.graphs.clear()
        self.calls.clear()
        self.streams.clear()
        self.has_failed = False


graph_cache = GraphCache()  # one for the process: graphs hold GPU memory and are worth sharing


def can_record(tensor: Tensor) -> bool:
    """Return whether a graph may be recorded: on CUDA, while no other graph is being recorded."""
    if not tensor.is_cuda:
        return False
    with torch.cuda.device(tensor.device):
        return not torch.cuda.is_current_stream_capturing()


def run_with_graph(
    function: Function, constants: Hashable, first: Tensor, *others: Tensor | None
) -> tuple[Tensor | None, ...]:
    """Return `function(constants, first, *others)`, from a graph if there is one.

    Calls share a graph only if they have the same shapes, strides, dtypes, thread, stream and
    arithmetic settings.

    Args:
        function: A function without side effects.
        constants: All its arguments that are no tensors, hashable.
        first: A CUDA tensor.
        others: More tensors of the same device, or None.

    Returns:
        The results. The next call may overwrite them.
    """
    tensors = (first, *others)
    with torch.cuda.device(first.device):
        place = (first.device, threading.get_ident(), torch.cuda.current_stream().cuda_stream)
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
