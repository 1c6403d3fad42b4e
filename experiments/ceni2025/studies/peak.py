"""Peak memory of a training step of a very deep roaMLP, measured in a new process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.nets import Network, RoaMLP
from stablenets.probes import peak_resident_bytes
from stablenets.schema import option

PIXELS = 784
CLASSES = 10


def measure_steps(layers: int, width: int, batch: int) -> tuple[float, float]:
    """Make two training steps with Adam on random images.

    Returns:
        The peak resident memory of this process in GiB, and the seconds of the second step.
    """
    torch.set_num_threads(1)
    net = Network(
        RoaMLP(activation="relu"),
        shape=(PIXELS,),
        outputs=CLASSES,
        widths=[width],
        depth=layers,
        h=1.0,
        operator="dense",
        opening_kind="linear",
        head_kind="linear",
    )
    x = torch.randn(batch, PIXELS)
    y = torch.randint(CLASSES, (batch,))
    optimiser = torch.optim.Adam(net.parameters(), lr=1e-3, fused=True)
    for _ in range(2):
        start = time.perf_counter()
        optimiser.zero_grad()
        F.cross_entropy(net(x), y).backward()
        optimiser.step()
    return peak_resident_bytes() / 2**30, time.perf_counter() - start


@dataclass(frozen=True)
class PeakMemory(Study):
    """Memory and time of a training step of a very deep roaMLP.

    It runs in a new process, because the peak memory of a process never falls.

    Metrics:
        peak_gib: Peak resident memory of the process in GiB, including Python and torch.
        step_s: Seconds of the second step.
    """

    key = "ceni2025/peak_memory"

    layers: int = option(50_000, low=1)
    width: int = option(32, low=1)
    batch: int = option(64, low=1)

    # Version 1 could count the peak of the process that started it; version 2 had tanh.
    version = 3

    @property
    def cost(self) -> float:
        return self.layers

    def measure(self, context: RunContext) -> Measured:
        command = [
            sys.executable,
            "-c",
            f"from {__name__} import main; main()",
            *map(str, (self.layers, self.width, self.batch)),
        ]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        peak, seconds = json.loads(
            subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True).stdout
        )
        return {"peak_gib": peak, "step_s": seconds}, {}


def main() -> None:
    """Print the results of `measure_steps` as JSON, with its arguments from the command line."""
    print(json.dumps(measure_steps(*map(int, sys.argv[1:]))))
