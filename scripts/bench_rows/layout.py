"""Convolutional layers: the effect of the memory format, channels first or last."""

import torch
from torch import nn

from bench_rows import planar
from bench_rows.row import Row
from bench_rows.training import train_step
from stablenets.nets import HDNN, Flow

DEPTH, CHANNELS, BATCH, SIZE, H = 8, 8, 100, 28, 0.1
TIMES = 2  # steps in one call


class H1(planar.H1):
    """The same layer with convolutions, in torch's default memory format."""

    def forward(self, y: torch.Tensor) -> torch.Tensor:
        energy = nn.functional.conv_transpose2d(
            torch.tanh(nn.functional.conv2d(y, self.K, self.b, padding=1)), self.K, padding=1
        )
        return y + H * torch.einsum("ij,bjhw->bihw", self.J, energy)


def conv_layout() -> Row:
    torch.manual_seed(0)
    flow = Flow(HDNN(), CHANNELS, DEPTH, h=H, operator="conv")
    plain = nn.Sequential(
        *(H1(K, b, flow.J[0]) for K, b in zip(flow.K.detach(), flow.b.detach(), strict=True))
    )
    x = torch.randn(BATCH, CHANNELS, SIZE, SIZE)
    image, kernel = (
        x.contiguous(memory_format=torch.channels_last),
        torch.randn(CHANNELS, CHANNELS, 3, 3),
    )

    def repeated(net: nn.Module):
        step = train_step(net, x)
        return lambda: [step() for _ in range(TIMES)]

    def products() -> None:
        for _ in range(6 * DEPTH * TIMES):
            nn.functional.conv2d(image, kernel, padding=1)

    return Row(
        f"layout, {DEPTH} convolutional layers of H1",
        repeated(flow),
        repeated(plain),
        products,
        TIMES,
        "iterations",
        f"forward, backward, Adam; {CHANNELS} channels, {SIZE}x{SIZE}, batch {BATCH}; plain: a"
        " module for each layer, in torch's default memory format; ceiling: six convolutions per"
        " layer without gradients, channels last",
    )
