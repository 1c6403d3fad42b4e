"""What is measured without training: parameter counts, what inversion loses, gradients by
inversion, the memory and time of a step.
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
from .networks import COMPARED_MODES, SMALL, chosen, configured

REVERSIBLE = ("hamiltonian", "midpoint", "leapfrog")
PRECISIONS = ("float32", "float64")
IMAGES = 20  # on which a trained net is measured
RETURNED = {
    "MALLOC_MMAP_THRESHOLD_": str(2**16)
}  # glibc gives freed tensors back at once: else its heap grows by chance
LENGTH = 0.6  # final time of a unit of Hamiltonian-74, six blocks of 0.1
OVERFLOW = 1e30  # stands for what is larger, and for what is not a number
GAIN = 2**0.5  # of the authors' kernels: deviation sqrt(2 / (9 c))


def image_net(net: dict, dataset: str = "cifar10", **values) -> Resolved:
    return resolve({"dataset": {"name": dataset}, "net": net, **values})


@dataclass(frozen=True)
class Count(Study):
    """Parameters of a net of the table for ten and for a hundred classes, by layout and by what
    shifts the features in a block.
    """

    key = "chang2018/parameter_count"

    net: str = option(choices=tuple(TABLE))
    transition: str = option(choices=TRANSITIONS)
    block_norm: str = option(
        "", choices=("", "none", "shift", "batch")
    )  # '': the family has no choice
    widths: tuple = ()  # other channels than the configured ones

    def measure(self, place: RunContext) -> Measured:
        values = (
            configured(self.net)
            | {"transition": self.transition}
            | ({"block_norm": self.block_norm} if self.block_norm else {})
            | ({"widths": list(self.widths)} if self.widths else {})
        )
        found = {}
        for dataset in ("cifar10", "cifar100"):
            run = image_net(values, dataset)
            with torch.device("meta"):
                found[dataset] = float(
                    sum(
                        parameter.numel()
                        for parameter in build_network(run, run.dataset.facts).parameters()
                    )
                )
        return found, {}


def unit(family: str, width: int, blocks: int, h: float, dtype: str, seed: int, **options) -> Flow:
    """A unit of convolutions with random weights, independent from block to block: the authors'
    initial ones.
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
class Inverse(Study):
    """Forward through a unit of random weights and back by its inverse: the error of the first
    state, relative to its largest entry, and the growth of the largest entry from the first state
    to the last; where numbers overflow, OVERFLOW.
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

    def measure(self, place: RunContext) -> Measured:
        flow = unit(self.net, 16, self.blocks, self.h, self.dtype, self.seed)
        x = torch.randn(2, 16, 8, 8, dtype=torch.float64).to(next(flow.parameters()).dtype)
        errors = reconstruction_error(flow, x)
        return {
            "first": bounded(errors[0]),
            "growth": bounded(flow(x).abs().max() / x.abs().max()),
        }, {}


def bounded(value: Tensor) -> float:
    """At most OVERFLOW, and that where it is not a number."""
    return float(value.double().nan_to_num(OVERFLOW, posinf=OVERFLOW).clamp(max=OVERFLOW))


@dataclass(frozen=True)
class TrainedInverse(TrainedNetStudy):
    """As `Inverse`, on the trained weights and on test images: the largest error over units, in
    float32 and in float64; and in float32 for the weights that training began with.
    """

    key = "chang2018/trained_inverse_error"

    def measure(self, place: RunContext) -> Measured:
        x, start = (
            first_images(self.training.resolved, place, IMAGES),
            build_network(self.training.resolved, self.training.resolved.dataset.facts),
        )
        trained = self.training.trained(place)
        found = {
            "float64": worst(trained, x.double()),
            "float32": worst(trained.float(), x),
            "before": worst(start.float().eval().requires_grad_(False), x),
        }
        return found, {}


def first_images(run: Resolved, place: RunContext, count: int) -> Tensor:
    """The first test images, scaled as a net sees them."""
    root = data_root(place.data_root or run.config.data_root)
    examples = run.dataset.read(
        ReadSettings(Path(root), False, split_seed=run.config.seeds.split, permutation_seed=0)
    )
    return run.dataset.fit_scaling(examples.train)(examples.test[:count])


def worst(net: Network, x: Tensor) -> float:
    """The largest reconstruction error of the state that enters a unit."""
    y, found = net.opening(x), []
    for index, flow in enumerate(net.units):
        if index:
            y = net.boundaries[index - 1](y)
        found.append(bounded(reconstruction_error(flow, y)[0]))
        y = flow(y)
    return max(found)


@dataclass(frozen=True)
class Gradients(Study):
    """The largest difference between gradients by inversion and stored ones, relative to the
    largest entry of each tensor, over all parameters and the input.
    """

    key = "chang2018/gradient_error"

    net: str = option("hamiltonian", choices=tuple(SMALL))
    block_norm: str = option("", choices=("", "none", "shift", "batch"))
    blocks: int = option(6, low=2)
    h: float = option(0.1, above=0.0)
    dtype: str = option("float64", choices=PRECISIONS)
    seed: int = option(0, low=0)

    @property
    def cost(self) -> float:
        return self.blocks

    def measure(self, place: RunContext) -> Measured:
        values = (
            SMALL[self.net]
            | {"blocks": [self.blocks] * 3}
            | ({"block_norm": self.block_norm} if self.block_norm else {})
        )
        step = {} if self.net == "revnet" else {"h": self.h}
        stored, inverted = (
            self.gradients(image_net(values, "digits", backward=mode, **step))
            for mode in ("store", "reverse")
        )
        return {
            "difference": max(
                float((a - b).abs().max() / a.abs().max().clamp(min=1e-30))
                for a, b in zip(stored, inverted, strict=True)
            )
        }, {}

    def gradients(self, run: Resolved) -> Sequence[Tensor]:
        torch.manual_seed(self.seed)
        dtype = getattr(torch, self.dtype)
        net = build_network(run, run.dataset.facts).to(dtype)
        x = torch.randn(8, *run.dataset.facts.shape, dtype=dtype, requires_grad=True)
        loss = F.cross_entropy(net(x), torch.arange(8))
        return torch.autograd.grad(loss, [x, *net.parameters()])


def deep(blocks: int, mode: str) -> dict:
    """Hamiltonian-74 as it is trained, with so many blocks in each unit; the same final time,
    whatever the number.
    """
    return {
        "dataset": {"name": "cifar10"},
        "net": chosen("hamiltonian_74") | {"blocks": [blocks] * 3},
        "backward": mode,
        "h": LENGTH / blocks,
    }


def built(values: dict) -> nn.Module:
    run = resolve(values)
    return build_network(run, run.dataset.facts)


@dataclass(frozen=True)
class Kept(Study):
    """Bytes that the forward of a deep Hamiltonian net keeps for its backward, beside weights and
    images; and those of the machine.
    """

    key = "chang2018/backward_memory"

    version = 2  # 1 had a net without norms
    backward: str = option("reverse", choices=COMPARED_MODES)
    blocks: int = option(6, low=2)  # in each of three units
    batch: int = option(100, low=1)

    @property
    def cost(self) -> float:
        return self.blocks * self.batch

    def measure(self, place: RunContext) -> Measured:
        torch.manual_seed(0)
        kept = kept_bytes(
            built(deep(self.blocks, self.backward)), torch.randn(self.batch, 3, 32, 32)
        )
        return {
            "bytes": float(kept),
            "machine": float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")),
        }, {}


@dataclass(frozen=True)
class Peak(Study):
    """The resident memory that training steps of a deep Hamiltonian net by the recipe need at their
    peak, in a process of its own, on the CPU.

    Metrics in bytes: peak; start, before any step, with the weights, their gradients and their
    momentum there; weights.
    """

    key = "chang2018/peak_memory"

    # 1 was without norms; 1, 2 had memory that was freed, not given back; 3 no momentum, and
    # torch's compiler in steps
    version = 4
    backward: str = option("reverse", choices=COMPARED_MODES)
    blocks: int = option(6, low=2)
    batch: int = option(100, low=1)

    @property
    def cost(self) -> float:
        return self.blocks * self.batch

    def measure(self, place: RunContext) -> Measured:
        values = json.dumps(deep(self.blocks, self.backward))
        command = [sys.executable, "-P", "-m", f"{__package__}.peak", str(self.batch), values]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)} | RETURNED
        done = subprocess.run(command, env=environment, capture_output=True, text=True)
        if done.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {done.returncode}; out of memory, if with -9:"
                f" {done.stderr[-2000:]}"
            )
        return json.loads(done.stdout), {}


@dataclass(frozen=True)
class Overhead(Study):
    """CPU seconds of forward and backward of Hamiltonian-74 in each mode, in turn: the median of
    some rounds, on one thread.
    """

    key = "chang2018/step_overhead"

    version = 2  # 1 had a net without norms
    batch: int = option(100, low=1)
    rounds: int = option(5, low=1)

    def measure(self, place: RunContext) -> Measured:
        torch.manual_seed(0)
        return in_turn(
            {mode: built(deep(6, mode)) for mode in COMPARED_MODES},
            (3, 32, 32),
            self.batch,
            self.rounds,
        )


@dataclass(frozen=True)
class Cost(Study):
    """CPU seconds of forward and backward of the nets that are compared on few data, in turn, on
    one thread in float32.
    """

    key = "chang2018/step_cost"

    data: str = option("cifar10", choices=("digits", "cifar10"))
    batch: int = option(100, low=1)
    rounds: int = option(7, low=1)

    def measure(self, place: RunContext) -> Measured:
        torch.manual_seed(0)
        nets = {"hamiltonian": chosen("hamiltonian_74"), "resnet_bn": chosen("resnet_32")}
        if self.data == "digits":
            nets = {family: SMALL[family] for family in nets}
        runs = {family: image_net(values, self.data) for family, values in nets.items()}
        shape = runs["resnet_bn"].dataset.facts.shape
        return in_turn(
            {family: build_network(run, run.dataset.facts) for family, run in runs.items()},
            shape,
            self.batch,
            self.rounds,
        )


def in_turn(nets: dict[str, nn.Module], shape: Sequence[int], batch: int, rounds: int) -> Measured:
    """CPU seconds of forward and backward of each net, one after the other in every round: the
    medians, and all.
    """
    x, y = torch.randn(batch, *shape), torch.randint(10, (batch,))
    seconds: dict[str, list[float]] = {name: [] for name in nets}
    for turn in range(rounds + 1):  # the first warms up
        for name, net in nets.items():
            begun = time.process_time()
            F.cross_entropy(net(x), y).backward()
            if turn:
                seconds[name].append(time.process_time() - begun)
    return {name: float(torch.tensor(values).median()) for name, values in seconds.items()}, {
        name: torch.tensor(values).numpy() for name, values in seconds.items()
    }


def eigenvalue_metrics(flow: Flow, x: Tensor) -> dict[str, float]:
    """The extreme moduli of the eigenvalues of single blocks, over blocks and examples.

    On the unit circle, signals are neither damped nor amplified by a block that repeats.
    """
    moduli = torch.linalg.eigvals(torch.stack(layer_jacobians(*flow_maps(flow, x)))).abs()
    return {"largest": float(moduli.max()), "smallest": float(moduli.min())}


@dataclass(frozen=True)
class BlockEigenvalues(Study):
    """Eigenvalues of the Jacobians of blocks with random weights and one bias, 4x4 pixels."""

    key = "chang2018/block_eigenvalues"

    net: str = option("hamiltonian", choices=REVERSIBLE)
    blocks: int = option(6, low=1)
    h: float = option(0.1, above=0.0)
    seed: int = option(0, low=0)

    def measure(self, place: RunContext) -> Measured:
        flow = unit(self.net, 8, self.blocks, self.h, "float64", self.seed)
        return eigenvalue_metrics(flow, torch.randn(2, 8, 4, 4, dtype=torch.float64)), {}


@dataclass(frozen=True)
class TrainedEigenvalues(TrainedNetStudy):
    """The same for the blocks of the last unit of a trained network, at two test images."""

    key = "chang2018/trained_block_eigenvalues"

    def measure(self, place: RunContext) -> Measured:
        net = self.training.trained(place)
        y = net.opening(first_images(self.training.resolved, place, 2).double())
        for flow, boundary in zip(net.units, net.boundaries, strict=False):
            y = boundary(flow(y))
        return eigenvalue_metrics(net.units[-1], y), {}
