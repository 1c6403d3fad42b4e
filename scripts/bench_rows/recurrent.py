"""roaRNN over time and roaMLP over depth.

All steps in one autograd function are compared with a loop of autograd operations, with torch's
LSTM, and with only the matrix products.
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import nn

from bench_rows.row import Row
from bench_rows.training import train_step
from stablenets.nets import Flow, Recurrence, RoaMLP, RoaRNN

STEPS, BATCH, WIDTH = 784, 128, 256
LAYERS, NARROW = 5000, 64
LONG = {"steps": 10_000, "batch": 32, "width": 128}


def roarnn_over_time() -> Row:
    x = torch.rand(BATCH, STEPS, 1)
    return Row(
        f"roaRNN, {STEPS} steps",
        gradient(Recurrence(RoaRNN(beta=5.0), 1, WIDTH, STEPS), x),
        gradient(Recurrence(RoaRNN(beta=5.0), 1, WIDTH, STEPS, backward="plain"), x),
        products(STEPS, BATCH, WIDTH),
        BATCH,
        "sequences",
        f"forward and backward, width {WIDTH}, batch {BATCH}; plain: an autograd loop over unbound"
        " inputs; ceiling: only the products, per step two forward, two backward and one for the"
        " weight gradient",
    )


def roarnn_beside_lstm() -> Row:
    x, lstm, ours = (
        torch.rand(BATCH, STEPS, 1),
        nn.LSTM(1, WIDTH, batch_first=True),
        Recurrence(RoaRNN(beta=5.0), 1, WIDTH, STEPS),
    )
    return replace(
        roarnn_over_time(),
        name="roaRNN beside LSTM",
        ours=gradient(partial(ours, every=True), x, ours),
        plain=gradient(lambda x: lstm(x)[0], x, lstm),
        note=(
            f"forward and backward of {STEPS} steps with a gradient for each output; plain: nn.LSTM"
            f" of the same width with {count(lstm):,} parameters (ours {count(ours):,}), which"
            " computes 2.4 times as many products; ceiling as above"
        ),
    )


def roarnn_long() -> Row:
    steps, batch, width = LONG.values()
    x = torch.rand(batch, steps, 1)
    return Row(
        f"training step of roaRNN, {steps:,} steps",
        train_step(Recurrence(RoaRNN(), 1, width, steps), x),
        train_step(Recurrence(RoaRNN(), 1, width, steps, backward="plain"), x),
        products(steps, batch, width),
        1,
        "steps",
        f"forward, backward, Adam; width {width}, batch {batch}; plain: an autograd loop",
    )


class Layer(nn.Module):
    """One layer of roaMLP as a module; all layers share the filter."""

    def __init__(self, O: torch.Tensor) -> None:
        super().__init__()
        self.W = nn.Linear(NARROW, NARROW)
        self.O = O

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return (1 - 1 / LAYERS) * (x @ self.O.T) + 1 / LAYERS * torch.tanh(self.W(x))


def roamlp_over_depth() -> Row:
    x = torch.randn(BATCH, NARROW)
    flow = Flow(RoaMLP(), NARROW, LAYERS)
    return Row(
        f"training step of roaMLP, {LAYERS:,} layers",
        train_step(flow, x),
        train_step(nn.Sequential(*(Layer(flow.O[0]) for _ in range(LAYERS))), x),
        products(LAYERS, BATCH, NARROW),
        1,
        "steps",
        f"forward, backward, Adam; width {NARROW}, batch {BATCH}; plain: a module for each layer;"
        " ceiling: only the products",
    )


def count(net: nn.Module) -> int:
    return sum(parameter.numel() for parameter in net.parameters())


def gradient(
    forward: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, net: nn.Module | None = None
) -> Callable[[], None]:
    above = torch.randn_like(forward(x))

    def work() -> None:
        (net or forward).zero_grad()
        forward(x).backward(above)

    return work


def products(steps: int, batch: int, width: int) -> Callable[[], None]:
    """Return the products that every step with O h and W h needs, all operands in the cache."""
    h, W, out, square = (
        torch.rand(batch, width),
        torch.rand(width, width),
        torch.empty(batch, width),
        torch.empty(width, width),
    )

    def work() -> None:
        for _ in range(steps):
            for matrix in (W.mT, W.mT, W, W):
                torch.mm(h, matrix, out=out)
            torch.mm(h.mT, h, out=square)

    return work
