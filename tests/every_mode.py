"""Flows and networks with the same weights in every mode; their outputs, gradients and buffers."""

import torch
from torch import nn

from stablenets.engine.flow import Flow
from stablenets.nets import FAMILIES, Network

MODES = ("store", "checkpoint", "reverse")
REVERSIBLE = [name for name, family in FAMILIES.items() if family().capabilities.reversible]
SPACE = {"dense": (), "conv": (4, 4)}


def flow(
    family: str,
    mode: str,
    depth: int = 7,
    operator: str = "conv",
    h: float = 0.1,
    width: int = 8,
    **options,
) -> Flow:
    """The same weights whatever the mode."""
    torch.manual_seed(1)
    options |= {"nodes": 2} if family == "distributed" else {}
    dynamics = FAMILIES[family](activation="relu", **options)
    return Flow(
        dynamics,
        width,
        depth,
        h=dynamics.capabilities.step_size(h),
        operator=operator,
        backward=mode,
        gain=2**0.5,
    )


def network(family: str, mode: str, depth: int = 5, **options) -> Network:
    """A network of two units.

    The second unit of a RevNet begins with a strided block: see the docstring of RevNet.
    """
    torch.manual_seed(1)
    return Network(
        FAMILIES[family](activation="relu", **options),
        shape=(3, 8, 8),
        outputs=10,
        widths=[8, 16],
        depth=depth,
        h=0.1,
        operator="conv",
        opening_kind="conv_bn_relu",
        head_kind="bn_relu_mean",
        backward=mode,
        transition="strided_first_block" if family == "revnet" else "before_first_block",
    )


def weighed(y: torch.Tensor) -> torch.Tensor:
    """Return a scalar in which every entry has another weight."""
    return (y * torch.linspace(-1, 2, y.numel(), dtype=y.dtype).view_as(y)).sum()


def outcome(net: nn.Module, x: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return output, gradients and buffers after one forward and backward."""
    net.zero_grad()
    y = net(x)
    weighed(y).backward()
    return (
        {"y": y.detach()}
        | {
            f"d{name}": value.grad
            for name, value in net.named_parameters()
            if value.grad is not None
        }
        | {name: value.clone() for name, value in net.named_buffers()}
    )


def same(found: dict[str, torch.Tensor], wanted: dict[str, torch.Tensor], **tolerance) -> None:
    assert found.keys() == wanted.keys(), found.keys() ^ wanted.keys()
    for name, value in wanted.items():
        torch.testing.assert_close(
            found[name], value, msg=lambda text, name=name: f"{name}: {text}", **tolerance
        )
