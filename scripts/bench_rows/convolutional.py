"""A training step of Hamiltonian-74 on images of CIFAR-10's size, and only its convolutions."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from bench_rows.row import Row
from experiments.chang2018.networks import BATCH, STEPS
from experiments.chang2018.trainings import recipe
from stablenets.config import resolve
from stablenets.engine.operators import Conv
from stablenets.nets import Network
from stablenets.training.environment import keep_freed_memory
from stablenets.training.network import build_network
from stablenets.training.optim import build_optimiser
from stablenets.training.precision import precision_context, with_memory_format

SHAPE = (3, 32, 32)


def hamiltonian_step() -> Row:
    keep_freed_memory()
    net, _ = made("bfloat16_fused")
    return Row(
        "training step of Hamiltonian-74",
        step("bfloat16_fused"),
        step("bfloat16"),
        convolutions(net),
        1,
        "steps",
        f"forward, backward, SGD; batch norms in the blocks, h = {STEPS['hamiltonian']}, "
        f"batch {BATCH}; precision=bfloat16_fused; plain: precision=bfloat16; ceiling: only "
        "the convolutions in bfloat16, forward and for both gradients, channels last",
    )


def made(how: str) -> tuple[Network, torch.optim.Optimizer]:
    """Return the net of the paper's table and its optimiser."""
    run = resolve(recipe("hamiltonian_74", "cifar10", 0).values | {"precision": how})
    net = build_network(run, run.dataset.facts)
    return net, build_optimiser(net, run.config.optim)


def step(how: str) -> Callable[[], None]:
    net, sgd = made(how)
    x, labels = with_memory_format(torch.randn(BATCH, *SHAPE), how), torch.randint(10, (BATCH,))

    def work() -> None:
        with precision_context(how, x.device):
            outputs = net(x)
        sgd.zero_grad()
        F.cross_entropy(outputs.float(), labels).backward()
        sgd.step()

    return work


def convolutions(net: Network) -> Callable[[], None]:
    """Return the convolutions of the opening and of all layers, each on tensors of its own.

    As in the net, each half of each layer has one product with K and one with K.T.
    """
    pairs = [images(SHAPE[0], net.units[0].width, SHAPE[1])]
    for index, unit in enumerate(net.units):
        half, size = unit.width // 2, SHAPE[1] // 2**index
        pairs += [images(half, half, size) for _ in range(4 * unit.depth)]

    def work() -> None:
        for index, (x, kernel, gradient) in enumerate(pairs):
            F.conv2d(x, kernel, padding=Conv.SIZE // 2)
            torch.ops.aten.convolution_backward(
                gradient,
                x,
                kernel,
                None,
                [1, 1],
                [Conv.SIZE // 2] * 2,
                [1, 1],
                False,
                [0, 0],
                1,
                [index > 0, True, False],
            )  # the images themselves need no gradient

    return work


def images(narrow: int, wide: int, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """Return input, kernel and gradient of the output of one convolution."""
    tensors = (torch.randn(BATCH, channels, size, size).bfloat16() for channels in (narrow, wide))
    x, gradient = (tensor.contiguous(memory_format=torch.channels_last) for tensor in tensors)
    return x, torch.randn(wide, narrow, Conv.SIZE, Conv.SIZE).bfloat16(), gradient
