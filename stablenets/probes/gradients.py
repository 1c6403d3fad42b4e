"""Gradient norms by depth, of any net, in one call."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

import torch
from torch import Tensor, nn

from stablenets.engine.flow import Flow
from stablenets.engine.recurrence import Recurrence
from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.checks import differentiation
from stablenets.probes.hooks import ModuleGradients
from stablenets.probes.taps import StateGradients, weight_gradient_norms

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class GradientNorms(NamedTuple):
    """Gradient norms by depth, as `gradient_norms` returns them.

    A norm is NaN where there is no gradient: if a state consists of integers, or if a layer has no
    weights of its own.

    Attributes:
        states: ‖dLoss/dY_l‖ for l = 0 ... L, (L + 1,) float64.
        weights: ‖dLoss/dθ_l‖ over all weights of layer l, for l = 0 ... L-1, (L,) float64.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> norms = probes.GradientNorms(torch.tensor([1.0, 2.0, 4.0]), torch.tensor([3.0, 3.0]))
        >>> norms.ratio, round(norms.log_slope, 4)  # it shrinks by a factor 2 per layer
        (0.25, -0.301)
    """

    states: Tensor
    weights: Tensor

    @property
    def ratio(self) -> float:
        """‖dLoss/dY_0‖ / ‖dLoss/dY_L‖: below 1 if the gradient shrinks on its way back."""
        return float(self.states[0] / self.states[-1])

    @property
    def log_slope(self) -> float:
        """log10(ratio) / L: negative if the gradient shrinks on its way back."""
        return float((self.states[0] / self.states[-1]).log10() / (len(self.states) - 1))


def gradient_norms(
    net: nn.Module,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    modules: Sequence[nn.Module] | None = None,
) -> GradientNorms:
    """Return the gradient norms by depth of one forward and backward pass of `loss(net(x))`.

    The gradients that the parameters of `net` had before are restored afterwards. As in any
    forward pass in training mode, batch norms update their running statistics.

    Args:
        net: Any module. The layers of a `Flow` or a `Network` of this package are found.
        x: A batch that `net` accepts.
        loss: Maps the output of `net` to one number.
        modules: For any other net, the modules to measure, in order of execution. Y_0 is the input
            of the first, Y_l the output of the l-th.

    Returns:
        A `GradientNorms`.

    Raises:
        BadInput: If `modules` is missing, empty or in another order than that of execution, or if
            a module does not run exactly once; if the loss is not one number or does not depend
            on the input.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> net = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.Tanh())
        >>> norms = probes.gradient_norms(net, torch.randn(8, 4), lambda y: y.mean(), list(net))
        >>> norms.states.shape, norms.weights.isnan().tolist()  # a Tanh has no weights
        (torch.Size([3]), [False, True])
    """
    units = find_flows(net) if modules is None else []
    with temporary_gradients(net), differentiation():
        if modules is not None:
            with ModuleGradients(modules) as probe:
                loss(net(x)).backward()
            return GradientNorms(probe.state_norms(), probe.weight_norms())
        depth = sum(unit.depth for unit in units)
        tap = StateGradients(range(depth + 1))
        loss(net(x, tap)).backward()
        return GradientNorms(tap.norms(), weight_gradient_norms(units, range(depth)))


def find_flows(net: nn.Module) -> list[Flow | Recurrence]:
    """Return the units of a net of this package."""
    units = [net] if isinstance(net, Flow | Recurrence) else getattr(net, "units", None)
    if isinstance(units, Iterable):
        flows = list(units)
        if all(isinstance(unit, Flow | Recurrence) for unit in flows):
            return flows
    raise BadInput(
        f"modules=None: {type(net).__name__} is not a net of stablenets; give the modules to"
        " measure, in order of execution"
    )


@contextlib.contextmanager
def temporary_gradients(net: nn.Module) -> Iterator[None]:
    """Start without gradients of the parameters, and restore the old ones at the end."""
    before = [(parameter, parameter.grad) for parameter in net.parameters()]
    try:
        for parameter, _ in before:
            parameter.grad = None
        yield
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient


def fit_log_slope(norms: Tensor, depths: Sequence[int] | None = None) -> float:
    """Return the slope of log10(norm) from the last layer back to the first, by least squares.

    10**slope is the factor by which a layer changes the gradient on its way back. The slope is
    negative if the gradient shrinks.

    Args:
        norms: Norms by depth (k,). Those that are 0, NaN or infinite are left out.
        depths: The depth of each norm; 0 ... k-1 by default.

    Returns:
        The slope; NaN if fewer than two norms can be used.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> round(probes.fit_log_slope(torch.tensor([1.0, 2.0, 4.0])), 4)  # log10 of 1/2
        -0.301
    """
    positions = torch.arange(len(norms)) if depths is None else torch.as_tensor(depths)
    usable = norms.isfinite() & (norms > 0)
    t, y = positions[usable].double(), norms[usable].double().log10()
    t = t.mean() - t
    return float((t * y).sum() / t.square().sum())


def log_spaced_depths(depth: int, count: int) -> list[int]:
    """Return at most `count` depths from 0 to `depth`, with a constant ratio between neighbours.

    Args:
        depth: The last depth.
        count: The largest number of depths, at least 2.

    Returns:
        Increasing depths; the first is 0, the last is `depth`.

    Examples:
        >>> from stablenets import probes
        >>> probes.log_spaced_depths(1000, 5)
        [0, 1, 10, 100, 1000]
    """
    if depth + 1 <= count:
        return list(range(depth + 1))
    # From the end to the beginning: with count=2 the only exponent is 1, which gives `depth`.
    exponents = torch.linspace(1, 0, count - 1, dtype=torch.float64)
    return sorted({0, *(round(float(depth**exponent)) for exponent in exponents)})


def plot_gradient_norms(norms: GradientNorms) -> Figure:
    """Return a figure of both gradient norms by depth.

    Args:
        norms: As returned by `gradient_norms`.

    Returns:
        A matplotlib figure with one line for the states and one for the weights.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> norms = probes.GradientNorms(torch.tensor([1.0, 2.0]), torch.tensor([3.0]))
        >>> figure = probes.plot_gradient_norms(norms)  # figure.savefig("gradients.png")
    """
    figure, (axes,) = new_figure(1)
    for values, line, symbol in ((norms.states, "-", "Y_l"), (norms.weights, "--", r"\theta_l")):
        label = rf"$\|\partial\mathrm{{Loss}}/\partial {symbol}\|$"
        axes.plot(range(len(values)), values, line, label=label)
    axes.set(xlabel="layer $l$", yscale="log")
    axes.legend(frameon=False)
    return figure
