"""Gradient norms by depth in the nets of this package, in a training loop of your own."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add

import torch
from torch import Tensor

from stablenets.engine.flow import Flow
from stablenets.engine.recurrence import Recurrence
from stablenets.errors import BadInput
from stablenets.probes.norms import combine_norms, gradient_norm


class StateGradients:
    """Measures gradient norms at chosen depths of a `Flow`.

    Pass it as second argument of the forward pass. It works with every `backward` mode. If layers
    run one after the other, it registers hooks on their states. In mode `reverse` and in fused
    layers, the flow calls `gradient` instead.

    Args:
        depths: The depths l to measure, 0 ... L.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> from stablenets.nets import Flow, ResNet
        >>> net, probe = Flow(ResNet(), width=4, depth=64, h=1.0), probes.StateGradients([0, 8, 64])
        >>> net(torch.randn(5, 4), probe).sum().backward()
        >>> probe.norms().shape
        torch.Size([3])
    """

    def __init__(self, depths: Sequence[int]) -> None:
        self.depths = list(depths)
        self._chosen = frozenset(depths)
        self._norms: dict[int, list[Tensor]] = {}
        self._last = -1  # the last state of the forward pass

    def __call__(self, layer: int, state: tuple[Tensor, ...]) -> None:
        """Register hooks on the parts of a state; the flow calls this in its forward pass."""
        self._last = max(self._last, layer)
        if layer not in self._chosen or not torch.is_grad_enabled():
            return
        norms: list[Tensor] = []
        for part in state:
            if part.requires_grad:
                part.register_hook(lambda gradient: norms.append(gradient_norm(gradient)))
        # A checkpointed segment runs again in the backward pass: only the first call counts.
        self._norms.setdefault(layer, norms)

    def gradient(self, layer: int, gradients: Sequence[Tensor]) -> None:
        """Store the gradient of a state; the flow calls this in its backward pass."""
        # Between two units, only the state before the boundary counts. It already has its hooks.
        if layer in self._chosen:
            self._norms.setdefault(layer, [gradient_norm(gradient) for gradient in gradients])

    def norms(self) -> Tensor:
        """Return ‖dLoss/dY_l‖ at the chosen depths, (depths,) float64, and forget them.

        The norm is over the whole batch and all parts of the state. It is NaN where no gradient
        arrived.

        Raises:
            BadInput: If there was no backward pass since the last call, or a depth is not in the
                net.
        """
        beyond = [depth for depth in self.depths if not 0 <= depth <= self._last]
        if beyond and self._last >= 0:
            raise BadInput(
                f"depths={self.depths}: the states of this net are 0 to {self._last}; leave out"
                f" {beyond}"
            )
        found, self._norms = self._norms, {}
        if self.depths and not any(found.values()):
            raise BadInput(
                "norms: no gradient has arrived; run the forward pass with this probe and gradients"
                " enabled, then the backward pass of a loss, and call norms() once"
            )
        return combine_norms([found.get(layer, []) for layer in self.depths])


def weight_gradient_norms(units: Sequence[Flow | Recurrence], layers: Sequence[int]) -> Tensor:
    """Return ‖dLoss/dθ_l‖ over all learned tensors of chosen layers, after the backward pass.

    Args:
        units: The flows of a net in order of execution; layers are counted across them.
        layers: The layers l to measure, 0 ... L-1.

    Returns:
        (layers,) float64. NaN for frozen layers, and for a recurrent net, whose steps share their
        weights.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> from stablenets.nets import Flow, ResNet
        >>> net = Flow(ResNet(), width=4, depth=64, h=1.0)
        >>> net(torch.randn(5, 4)).sum().backward()
        >>> probes.weight_gradient_norms([net], [0, 63]).shape
        torch.Size([2])
    """
    return torch.cat([unit_norms(unit) for unit in units])[list(layers)]


def unit_norms(unit: Flow | Recurrence) -> Tensor:
    """The gradient norm of each layer's weights, (depth,); NaN where layers share weights."""
    gradients = [parameter.grad for parameter in unit.parameters() if parameter.grad is not None]
    if unit.tied or not gradients:
        return torch.full((unit.depth,), torch.nan, dtype=torch.float64)
    squares = [gradient_norm(gradient.flatten(1), 1).square() for gradient in gradients]
    return reduce(add, squares).sqrt().cpu()
