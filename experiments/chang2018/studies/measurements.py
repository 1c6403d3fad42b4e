"""Studies of networks with random weights and of trained networks.

They measure parameter counts, reconstruction errors, gradients with recomputed states, eigenvalues
of blocks, and memory and time of a training step.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stablenets.claims.work import Measured, RunContext, Study, TrainedNetStudy
from stablenets.config import Resolved, resolve
from stablenets.data.dataset import ReadSettings
from stablenets.engine.flow import Flow
from stablenets.nets import FAMILIES, Network
from stablenets.nets.assembling import TRANSITIONS
from stablenets.probes import kept_bytes, layer_jacobians, reconstruction_error
from stablenets.probes.maps import flow_maps
from stablenets.schema import option
from stablenets.training.environment import data_root
from stablenets.training.network import build_network

from ..published import TABLE
from .networks import COMPARED_MODES, SMALL, net_options, preset_options

REVERSIBLE = ("hamiltonian", "midpoint", "leapfrog")
PRECISIONS = ("float32", "float64")
BLOCK_NORMS = ("", "none", "shift", "batch")  # '' for families that have no such option
IMAGES = 20  # test images on which a trained network is measured
# With this variable glibc returns the memory of freed tensors to the system at once. Otherwise its
# heap, and so the peak, depends on chance.
ALLOCATOR_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**16)}
UNIT_TIME = 0.6  # final time of a unit of Hamiltonian-74: six blocks with h = 0.1
OVERFLOW = 1e30  # the value of metrics that are larger or not a number
GAIN = 2**0.5  # the authors' initial kernels of c channels have standard deviation sqrt(2 / (9 c))


def resolve_image_run(net: dict, dataset: str = "cifar10", **values) -> Resolved:
    """Return the resolved configuration of a network on images."""
    return resolve({"dataset": {"name": dataset}, "net": net, **values})


def build_from_values(values: dict) -> nn.Module:
    """Return the untrained network of a run with these options."""
    run = resolve(values)
    return build_network(run, run.dataset.facts)


@dataclass(frozen=True)
class ParameterCount(Study):
    """Number of parameters of a network of the paper's table.

    The layout of blocks and their normalisation are options, because the paper does not state both
    for every network.

    Metrics:
        cifar10: Parameters with 10 classes.
        cifar100: Parameters with 100 classes.
    """

    key = "chang2018/parameter_count"

    net: str = option(choices=tuple(TABLE))
    transition: str = option(choices=TRANSITIONS)
    block_norm: str = option("", choices=BLOCK_NORMS)
    widths: tuple = ()  # channels of the units; empty for those of the preset

    def measure(self, context: RunContext) -> Measured:
        values = preset_options(self.net) | {"transition": self.transition}
        if self.block_norm:
            values["block_norm"] = self.block_norm
        if self.widths:
            values["widths"] = list(self.widths)
        counts = {}
        for dataset in ("cifar10", "cifar100"):
            run = resolve_image_run(values, dataset)
            with torch.device("meta"):  # no memory for the weights
                net = build_network(run, run.dataset.facts)
            counts[dataset] = float(sum(parameter.numel() for parameter in net.parameters()))
        return counts, {}


def random_unit(
    family: str, width: int, blocks: int, h: float, dtype: str, seed: int, **options
) -> Flow:
    """Return a convolutional unit with the authors' initial weights, independent in each block.

    Args:
        family: The family.
        width: Channels.
        blocks: Blocks.
        h: The step size.
        dtype: 'float32' or 'float64'.
        seed: The seed of the weights.
        **options: Options of the family.
    """
    torch.manual_seed(seed)
    dynamics = FAMILIES[family](activation="relu", **options)
    flow = Flow(
        dynamics,
        width,
        blocks,
        h=dynamics.capabilities.step_size(h),
        operator="conv",
        gain=GAIN,
    )
    return flow.to(getattr(torch, dtype)).eval().requires_grad_(False)


@dataclass(frozen=True)
class InverseError(Study):
    """Reconstruction error of a unit with random weights, forward and back by its inverse.

    Metrics, both at most OVERFLOW:
        first: Error of the reconstructed first state, relative to its largest entry.
        growth: Largest entry of the last state divided by that of the first one.
    """

    key = "chang2018/inverse_error"

    net: str = option("hamiltonian", choices=REVERSIBLE)
    blocks: int = option(6, low=1)
    h: float = option(0.1, above=0.0)
    dtype: str = option("float32", choices=PRECISIONS)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.blocks

    def measure(self, context: RunContext) -> Measured:
        flow = random_unit(self.net, 16, self.blocks, self.h, self.dtype, self.seed)
        x = torch.randn(2, 16, 8, 8, dtype=torch.float64).to(next(flow.parameters()).dtype)
        errors = reconstruction_error(flow, x)
        growth = flow(x).abs().max() / x.abs().max()
        return {"first": clip_overflow(errors[0]), "growth": clip_overflow(growth)}, {}


def clip_overflow(value: Tensor) -> float:
    """Return the value, or OVERFLOW if it is larger or not a number."""
    return float(value.double().nan_to_num(OVERFLOW, posinf=OVERFLOW).clamp(max=OVERFLOW))


@dataclass(frozen=True)
class TrainedInverseError(TrainedNetStudy):
    """Reconstruction error of a trained network on test images.

    Metrics, each the largest error of the state that enters a unit, over units:
        float64: With the trained weights, in float64.
        float32: The same in float32.
        before: With the weights before training, in float32.
    """

    key = "chang2018/trained_inverse_error"

    def measure(self, context: RunContext) -> Measured:
        run = self.training.resolved
        x = first_test_images(run, context, IMAGES)
        untrained = build_network(run, run.dataset.facts).float().eval().requires_grad_(False)
        trained = self.training.trained(context)
        metrics = {
            "float64": largest_unit_error(trained, x.double()),
            "float32": largest_unit_error(trained.float(), x),
            "before": largest_unit_error(untrained, x),
        }
        return metrics, {}


def first_test_images(run: Resolved, context: RunContext, count: int) -> Tensor:
    """Return the first test images, (count, channels, height, width), scaled as for training."""
    root = data_root(context.data_root or run.config.data_root)
    examples = run.dataset.read(
        ReadSettings(Path(root), False, split_seed=run.config.seeds.split, permutation_seed=0)
    )
    return run.dataset.fit_scaling(examples.train)(examples.test[:count])


def largest_unit_error(net: Network, x: Tensor) -> float:
    """Return the reconstruction error of the state that enters a unit, the maximum over units."""
    y = net.opening(x)
    errors = []
    for index, flow in enumerate(net.units):
        if index:
            y = net.boundaries[index - 1](y)
        errors.append(clip_overflow(reconstruction_error(flow, y)[0]))
        y = flow(y)
    return max(errors)


@dataclass(frozen=True)
class GradientError(Study):
    """Error of gradients whose states are recomputed by inversion, at random weights.

    Metrics:
        difference: Largest difference from the gradient with stored states, relative to its largest
            entry, the maximum over the input and all parameters.
    """

    key = "chang2018/gradient_error"

    net: str = option("hamiltonian", choices=tuple(SMALL))
    block_norm: str = option("", choices=BLOCK_NORMS)
    blocks: int = option(6, low=2)
    h: float = option(0.1, above=0.0)
    dtype: str = option("float64", choices=PRECISIONS)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.blocks

    def measure(self, context: RunContext) -> Measured:
        values = SMALL[self.net] | {"blocks": [self.blocks] * 3}
        if self.block_norm:
            values["block_norm"] = self.block_norm
        step = {} if self.net == "revnet" else {"h": self.h}  # RevNet has no step size
        stored, inverted = (
            self.compute_gradients(resolve_image_run(values, "digits", backward=mode, **step))
            for mode in ("store", "reverse")
        )
        difference = max(
            float((a - b).abs().max() / a.abs().max().clamp(min=1e-30))
            for a, b in zip(stored, inverted, strict=True)
        )
        return {"difference": difference}, {}

    def compute_gradients(self, run: Resolved) -> Sequence[Tensor]:
        """Return the gradients by the input and all parameters for one random batch."""
        torch.manual_seed(self.seed)
        dtype = getattr(torch, self.dtype)
        net = build_network(run, run.dataset.facts).to(dtype)
        x = torch.randn(8, *run.dataset.facts.shape, dtype=dtype, requires_grad=True)
        loss = F.cross_entropy(net(x), torch.arange(8))
        return torch.autograd.grad(loss, [x, *net.parameters()])


def deep_hamiltonian(blocks: int, backward: str) -> dict:
    """Return the options of Hamiltonian-74 with another number of blocks in each unit.

    The final time is the same for any number.
    """
    return {
        "dataset": {"name": "cifar10"},
        "net": net_options("hamiltonian_74") | {"blocks": [blocks] * 3},
        "backward": backward,
        "h": UNIT_TIME / blocks,
    }


@dataclass(frozen=True)
class BackwardMemory(Study):
    """Memory that a forward pass of a deep Hamiltonian network keeps for the backward pass.

    Metrics:
        bytes: Without the weights and the images.
        machine: Bytes of memory of this machine.
    """

    key = "chang2018/backward_memory"

    version = 2  # version 1 had a network without batch norms
    backward: str = option("reverse", choices=COMPARED_MODES)
    blocks: int = option(6, "blocks of each of the three units", low=2)
    batch: int = option(100, low=1)

    @property
    def cost(self) -> float:
        return self.blocks * self.batch

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(0)
        net = build_from_values(deep_hamiltonian(self.blocks, self.backward))
        kept = kept_bytes(net, torch.randn(self.batch, 3, 32, 32))
        machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
        return {"bytes": float(kept), "machine": float(machine)}, {}


@dataclass(frozen=True)
class PeakMemory(Study):
    """Peak resident memory of two training steps of a deep Hamiltonian network, on the CPU.

    It runs in a new process, because the peak memory of a process never falls. The optimiser is
    that of the recipe.

    Metrics, in bytes:
        peak: The peak.
        start: Memory before the first step, with weights, gradients and momentum allocated.
        weights: Size of the weights.
    """

    key = "chang2018/peak_memory"

    # Version 1 had no batch norms. Versions 1 and 2 counted freed memory that glibc had not yet
    # returned to the system. Version 3 had no momentum, and counted the import of torch's compiler.
    version = 4
    backward: str = option("reverse", choices=COMPARED_MODES)
    blocks: int = option(6, low=2)
    batch: int = option(100, low=1)

    @property
    def cost(self) -> float:
        return self.blocks * self.batch

    def measure(self, context: RunContext) -> Measured:
        values = json.dumps(deep_hamiltonian(self.blocks, self.backward))
        command = [sys.executable, "-P", "-m", f"{__package__}.peak", str(self.batch), values]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | ALLOCATOR_ENVIRONMENT
        process = subprocess.run(command, env=environment, capture_output=True, text=True)
        if process.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}; -9 means out of memory:"
                f" {process.stderr[-2000:]}"
            )
        return json.loads(process.stdout), {}


@dataclass(frozen=True)
class StepOverhead(Study):
    """CPU seconds of forward and backward pass of Hamiltonian-74 in each mode, on one thread.

    Metrics and arrays by the name of the mode, as in `measure_step_times`.
    """

    key = "chang2018/step_overhead"

    version = 2  # version 1 had a network without batch norms
    batch: int = option(100, low=1)
    rounds: int = option(5, low=1)

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(0)
        nets = {mode: build_from_values(deep_hamiltonian(6, mode)) for mode in COMPARED_MODES}
        return measure_step_times(nets, (3, 32, 32), self.batch, self.rounds)


@dataclass(frozen=True)
class StepCost(Study):
    """CPU seconds of forward and backward pass of the networks that are compared on few data.

    On one thread, in float32. Metrics and arrays by the name of the family, as in
    `measure_step_times`.
    """

    key = "chang2018/step_cost"

    data: str = option("cifar10", choices=("digits", "cifar10"))
    batch: int = option(100, low=1)
    rounds: int = option(7, low=1)

    def measure(self, context: RunContext) -> Measured:
        torch.manual_seed(0)
        options = {
            "hamiltonian": net_options("hamiltonian_74"),
            "resnet_bn": net_options("resnet_32"),
        }
        if self.data == "digits":
            options = {family: SMALL[family] for family in options}
        runs = {family: resolve_image_run(net, self.data) for family, net in options.items()}
        nets = {family: build_network(run, run.dataset.facts) for family, run in runs.items()}
        shape = runs["resnet_bn"].dataset.facts.shape
        return measure_step_times(nets, shape, self.batch, self.rounds)


def measure_step_times(
    nets: dict[str, nn.Module], shape: Sequence[int], batch: int, rounds: int
) -> Measured:
    """Measure CPU seconds of forward and backward pass of each network.

    In each round every network makes one step, so that a busy machine slows all of them alike.

    Args:
        nets: The networks by name.
        shape: Shape of an image.
        batch: Images of a step.
        rounds: Rounds that count; one round more is warm-up.

    Returns:
        The median over rounds by the name of the network, and all values as arrays.
    """
    x = torch.randn(batch, *shape)
    y = torch.randint(10, (batch,))
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    for turn in range(rounds + 1):
        for name, net in nets.items():
            start = time.process_time()
            F.cross_entropy(net(x), y).backward()
            if turn:
                seconds[name].append(time.process_time() - start)
    all_seconds = {name: torch.tensor(values) for name, values in seconds.items()}
    medians = {name: float(values.median()) for name, values in all_seconds.items()}
    return medians, {name: values.numpy() for name, values in all_seconds.items()}


def eigenvalue_metrics(flow: Flow, x: Tensor) -> dict[str, float]:
    """Return the largest and the smallest |λ| of the Jacobians of single blocks.

    The extremes are over eigenvalues, blocks and the examples of x. If all eigenvalues lie on the
    unit circle, a block that is applied many times neither damps nor amplifies signals.
    """
    moduli = torch.linalg.eigvals(torch.stack(layer_jacobians(*flow_maps(flow, x)))).abs()
    return {"largest": float(moduli.max()), "smallest": float(moduli.min())}


@dataclass(frozen=True)
class BlockEigenvalues(Study):
    """Eigenvalues of the Jacobians of blocks with random weights, at images of 4x4 pixels.

    A block has one bias and no batch norms. Metrics as in `eigenvalue_metrics`.
    """

    key = "chang2018/block_eigenvalues"

    net: str = option("hamiltonian", choices=REVERSIBLE)
    blocks: int = option(6, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    def measure(self, context: RunContext) -> Measured:
        flow = random_unit(self.net, 8, self.blocks, self.h, "float64", self.seed)
        return eigenvalue_metrics(flow, torch.randn(2, 8, 4, 4, dtype=torch.float64)), {}


@dataclass(frozen=True)
class TrainedBlockEigenvalues(TrainedNetStudy):
    """Eigenvalues of the Jacobians of the blocks in the last unit of a trained network.

    They are taken at two test images. Metrics as in `eigenvalue_metrics`.
    """

    key = "chang2018/trained_block_eigenvalues"

    def measure(self, context: RunContext) -> Measured:
        net = self.training.trained(context)
        y = net.opening(first_test_images(self.training.resolved, context, 2).double())
        for flow, boundary in zip(net.units, net.boundaries, strict=False):
            y = boundary(flow(y))
        return eigenvalue_metrics(net.units[-1], y), {}
