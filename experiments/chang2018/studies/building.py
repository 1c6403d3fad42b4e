"""The networks and inputs of the studies."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from stablenets.claims.work import RunContext
from stablenets.config import Resolved, resolve
from stablenets.data.dataset import ReadSettings
from stablenets.engine.flow import Flow
from stablenets.nets import FAMILIES
from stablenets.training.environment import data_root
from stablenets.training.network import build_network

from ..networks import net_options

REVERSIBLE = ("hamiltonian", "midpoint", "leapfrog")
PRECISIONS = ("float32", "float64")
BLOCK_NORMS = ("", "none", "shift", "batch")  # '' for families that have no such option
UNIT_TIME = 0.6  # final time of a unit of Hamiltonian-74: six blocks with h = 0.1
GAIN = 2**0.5  # the authors' initial kernels of c channels have standard deviation sqrt(2 / (9 c))


def resolve_image_run(net: dict, dataset: str = "cifar10", **values) -> Resolved:
    """Return the resolved configuration of a network on images."""
    return resolve({"dataset": {"name": dataset}, "net": net, **values})


def build_from_values(values: dict) -> nn.Module:
    """Return the untrained network of a run with these options."""
    run = resolve(values)
    return build_network(run, run.dataset.facts)


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


def first_test_images(run: Resolved, context: RunContext, count: int) -> Tensor:
    """Return the first test images, (count, channels, height, width), scaled as for training."""
    root = data_root(context.data_root or run.config.data_root)
    examples = run.dataset.read(
        ReadSettings(Path(root), False, split_seed=run.config.seeds.split, permutation_seed=0)
    )
    return run.dataset.fit_scaling(examples.train)(examples.test[:count])


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
