"""Studies of memory: bytes kept for the backward pass, and peak memory of a training step."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass

import torch

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.probes import kept_bytes
from stablenets.schema import option

from ..networks import COMPARED_MODES
from .building import build_from_values, deep_hamiltonian

# With this variable glibc returns the memory of freed tensors to the system at once. Otherwise its
# heap, and so the peak, depends on chance.
ALLOCATOR_ENVIRONMENT = {"MALLOC_MMAP_THRESHOLD_": str(2**16)}


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
