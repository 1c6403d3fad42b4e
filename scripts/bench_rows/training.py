"""The cost of depth and of gradient probes.

A deep training step is compared with a list of modules, and training with probes with training
without them.
"""

from collections.abc import Callable

import torch
from torch import nn

from bench_rows.row import Row
from stablenets.config.options import Probe
from stablenets.nets import Antisymmetric, Flow, Network
from stablenets.training.recorder import Recorder

DEPTH, WIDTH, BATCH = 1024, 32, 64


class Layer(nn.Module):
    """One antisymmetric layer as a module."""

    def __init__(self, h: float) -> None:
        super().__init__()
        self.h = h
        self.K = nn.Parameter(torch.randn(WIDTH, WIDTH) / WIDTH**0.5)
        self.b = nn.Parameter(torch.zeros(WIDTH))

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        return y + self.h * torch.tanh(y @ (self.K - self.K.T) / 2 + self.b)


def deep_step() -> Row:
    h = 5 / DEPTH
    x = torch.randn(BATCH, WIDTH)
    matrices = torch.randn(DEPTH, WIDTH, WIDTH)
    out = torch.empty(BATCH, WIDTH)

    def products() -> None:
        for _ in range(3):  # forward, and backward for state and weights
            for matrix in matrices:
                torch.mm(x, matrix, out=out)

    return Row(
        f"training step at {DEPTH:,} layers",
        train_step(Flow(Antisymmetric(), WIDTH, DEPTH, h=h), x),
        train_step(nn.Sequential(*(Layer(h) for _ in range(DEPTH))), x),
        products,
        1,
        "steps",
        f"forward, backward, Adam; antisymmetric, width {WIDTH}, batch {BATCH}; plain: a module"
        " for each layer; ceiling: only the matrix products",
    )


def train_step(net: nn.Module, x: torch.Tensor) -> Callable[[], None]:
    optimiser = torch.optim.Adam(net.parameters(), fused=True)

    def step() -> None:
        optimiser.zero_grad()
        net(x).square().mean().backward()
        optimiser.step()

    return step


def gradient_probe() -> Row:
    """Gradient norms as often, and at the depth, of a default run."""
    x = torch.randn(BATCH, WIDTH)
    every = Probe().every

    def steps(cadence: int) -> Callable[[], None]:
        net = Network(
            Antisymmetric(),
            shape=(WIDTH,),
            outputs=10,
            widths=[WIDTH],
            depth=64,
            h=5 / 64,
            operator="dense",
            opening_kind="linear",
            head_kind="linear",
        )
        optimiser = torch.optim.Adam(net.parameters())
        recorder = Recorder(Probe(every=cadence), net)

        def work() -> None:
            for step in range(every):
                probe = recorder.start_probe(step)
                loss = net(x, probe).square().mean()
                optimiser.zero_grad()
                loss.backward()
                if probe:
                    recorder.record_gradients(step, loss.item(), probe)
                optimiser.step()

        return work

    return Row(
        "gradient probe, default cadence",
        steps(every),
        steps(1),
        steps(0),
        every,
        "steps",
        f"training steps at 64 layers, norms at 64 depths every {every} steps; plain: every step;"
        " ceiling: never",
    )
