"""Norms of the loss gradient by depth: with respect to the states, caught in the backward, and to
the weights, read after it.

`gradient_norms` measures a whole net once; `StateGradients` and `weight_gradients` are its parts,
for a training loop of one's own.
"""

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
from stablenets.probes.hooks import ModuleGradients
from stablenets.probes.maps import differentiating
from stablenets.probes.norms import gathered, norm

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Gradients(NamedTuple):
    """Norms of dLoss/dY_l for l = 0 ... L, and of dLoss/d(all weights of layer l) for l = 0 ...
    L-1, float64.

    NaN where there is none: a state that no gradient reaches, a layer without weights of its own.
    """

    states: Tensor
    weights: Tensor

    @property
    def ratio(self) -> float:
        """Of the last state's norm to the first's: above 1 the gradient shrinks on its way back,
        below 1 it grows.
        """
        return float(self.states[-1] / self.states[0])

    @property
    def slope(self) -> float:
        return slope(self.states)


def slope(norms: Tensor, depths: Sequence[int] | None = None) -> float:
    """What log ‖dLoss/dY_l‖ gains a layer, by least squares; norms that are 0 or not finite are
    left out. exp(slope) is the factor.
    """
    depths = torch.arange(len(norms)) if depths is None else torch.as_tensor(depths)
    good = norms.isfinite() & (norms > 0)
    t, y = depths[good].double(), norms[good].double().log()
    t = t - t.mean()
    return float((t * y).sum() / t.square().sum())


def gradient_norms(
    net: nn.Module,
    x: Tensor,
    loss: Callable[[Tensor], Tensor],
    modules: Sequence[nn.Module] | None = None,
) -> Gradients:
    """One forward and backward of `loss(net(x))`; parameters keep the gradients that they had.

    Our nets are seen layer by layer. Of any other net give the modules that run one after the
    other: Y_0 is the input of the first, Y_l the output of the l-th.
    """
    units = [net] if isinstance(net, Flow | Recurrence) else getattr(net, "units", None)
    ours = isinstance(units, Iterable) and all(
        isinstance(unit, Flow | Recurrence) for unit in units
    )
    if modules is None and not ours:
        raise BadInput(
            f"modules=None: {type(net).__name__} is none of our nets; give the modules to watch, in"
            " the order in which they run"
        )
    with own_gradients(net), differentiating():
        if modules is not None:
            with ModuleGradients(modules) as probe:
                loss(net(x)).backward()
            return Gradients(probe.state_norms(), probe.weight_norms())
        depth = sum(unit.depth for unit in units)
        tap = StateGradients(range(depth + 1))
        loss(net(x, tap)).backward()
        return Gradients(tap.norms(), weight_gradients(units, range(depth)))


@contextlib.contextmanager
def own_gradients(net: nn.Module) -> Iterator[None]:
    """Gradients of the parameters that are gone afterwards."""
    before = [(parameter, parameter.grad) for parameter in net.parameters()]
    try:
        for parameter, _ in before:
            parameter.grad = None
        yield
    finally:
        for parameter, gradient in before:
            parameter.grad = gradient


def gradient_figure(found: Gradients) -> Figure:
    """Both norms by depth."""
    figure, (axes,) = new_figure(1)
    axes.plot(
        range(len(found.states)), found.states, label=r"$\|\partial\mathrm{Loss}/\partial Y_l\|$"
    )
    axes.plot(
        range(len(found.weights)),
        found.weights,
        "--",
        label=r"$\|\partial\mathrm{Loss}/\partial\theta_l\|$",
    )
    axes.set(xlabel="layer $l$", yscale="log")
    axes.legend(frameon=False)
    return figure


def log_spaced(depth: int, count: int) -> list[int]:
    """At most `count` depths from 0 to `depth`, ends included, dense at the beginning where few
    layers make much difference.
    """
    if depth + 1 <= count:
        return list(range(depth + 1))
    exponents = torch.linspace(
        1, 0, count - 1, dtype=torch.float64
    )  # from the end, which is there even if it is alone
    return sorted({0, *(round(float(depth**e)) for e in exponents)})


class StateGradients:
    """A tap for `Flow.forward` that leaves the norm of dLoss/dstate at the chosen depths after the
    backward.

        probe = StateGradients([0, 8, 64]) loss(net(x, probe), y).backward() probe.norms()      #
        (3,) float64: ‖dLoss/dY_l‖ over the whole batch, all parts of the state together

    Where the states stand in the autograd graph (`store`, `checkpoint`) it hooks into them; under
    `reverse` it is handed the gradients.
    """

    def __init__(self, depths: Sequence[int]) -> None:
        self.depths = list(depths)
        self._wanted = frozenset(depths)
        self._norms: dict[int, list[Tensor]] = {}

    def __call__(self, layer: int, state: tuple[Tensor, ...]) -> None:
        if layer not in self._wanted or not torch.is_grad_enabled():
            return
        norms: list[Tensor] = []
        for part in state:
            if part.requires_grad:
                part.register_hook(lambda gradient: norms.append(norm(gradient)))
        self._norms.setdefault(
            layer, norms
        )  # a checkpointed segment taps again when it is run again: the first call counts

    def gradient(self, layer: int, gradients: Sequence[Tensor]) -> None:
        """What `reverse` found for the state that enters a layer. Where units meet, the state
        before the pooling was hooked first.
        """
        if layer in self._wanted:
            self._norms.setdefault(layer, [norm(gradient) for gradient in gradients])

    def norms(self) -> Tensor:
        """(depths,) float64; NaN where no gradient came by. They are handed over: the next step
        starts anew.
        """
        found, self._norms = self._norms, {}
        return gathered([found.get(layer, []) for layer in self.depths])


def weight_gradients(units: Sequence[Flow | Recurrence], layers: Sequence[int]) -> Tensor:
    """(layers,) float64: the norm of dLoss/d(all learned tensors of layer l), l = 0 ... L-1 counted
    across units; NaN for a recurrent net, whose steps have no weights of their own, and for frozen
    layers.
    """
    return torch.cat([squares(unit) for unit in units])[list(layers)].sqrt()


def squares(unit: Flow | Recurrence) -> Tensor:
    gradients = [parameter.grad for parameter in unit.parameters() if parameter.grad is not None]
    if unit.tied or not gradients:
        return torch.full((unit.depth,), torch.nan, dtype=torch.float64)
    return sum(norm(gradient.flatten(1), 1).square() for gradient in gradients).cpu()
