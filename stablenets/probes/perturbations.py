"""How changes of the input grow with depth, and the rounding error of inverting a flow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stablenets.engine.flow import Flow
from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.plotting.style import COLOURS
from stablenets.probes.checks import check_finite
from stablenets.probes.jacobian import layer_jacobians
from stablenets.probes.maps import Map, flow_maps, inverse_maps, layer_states

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def perturbation_growth(
    maps: Sequence[Map], x: Tensor, size: float = 1e-3, *, seed: int = 0
) -> Tensor:
    """Return ‖Y_l(x + δ) - Y_l(x)‖ / ‖δ‖ by depth, for one random δ per example.

    δ is finite, unlike in a derivative. So the result also shows saturation and the effect of a
    large δ.

    Args:
        maps: The L layers in order of execution; see `flow_maps` for a `Flow`.
        x: Batch (B, *in).
        size: The size of the perturbation relative to the input, ‖δ‖ / ‖x‖.
        seed: Seed of δ.

    Returns:
        (L + 1, B), for l = 0 ... L; the first row is 1.

    Raises:
        BadInput: If an example is 0.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> layers = [lambda x: 2 * x, lambda x: 3 * x]
        >>> growth = probes.perturbation_growth(layers, torch.ones(1, 4, dtype=torch.float64))
        >>> [round(float(value), 6) for value in growth]
        [1.0, 2.0, 6.0]
    """
    if (x.flatten(1) == 0).all(1).any():
        raise BadInput("x: an example is 0; the size of δ is relative to x, so leave it out")
    generator = torch.Generator().manual_seed(seed)
    δ = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x).flatten(1)
    δ = δ * (size * x.flatten(1).norm(dim=1, keepdim=True) / δ.norm(dim=1, keepdim=True))
    before, after = layer_states(maps, x), layer_states(maps, x + δ.view_as(x))
    distances = torch.stack(
        [(moved - y).flatten(1).norm(dim=1) for y, moved in zip(before, after, strict=True)]
    )
    return distances / distances[0]


def lyapunov_exponents(maps: Sequence[Map], x: Tensor, time: float) -> Tensor:
    """Return the finite-time Lyapunov exponents of a chain of layers, largest first.

    They are computed by one QR factorisation per layer, because the product of all Jacobians would
    lose shrinking directions to rounding. Their sum is log|det ∂Y_L/∂Y_0| / time. For long times,
    the i-th exponent approaches log(σ_i) / time, where σ_i is the i-th singular value of ∂Y_L/∂Y_0.

    Args:
        maps: L layers that keep the size n of the state; see `flow_maps` for a `Flow`.
        x: Batch (B, *in).
        time: The time that the layers span: h L for a flow with step h.

    Returns:
        (B, n).

    Raises:
        NotFinite: If a derivative is not finite.
        BadInput: If a layer changes the size of the state, and in the same cases as
            `layer_jacobians`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> exponents = probes.lyapunov_exponents([lambda x: 2 * x] * 5, torch.ones(1, 3), time=5)
        >>> [round(value, 4) for value in exponents[0].tolist()]  # log 2 per unit of time
        [0.6931, 0.6931, 0.6931]
    """
    jacobians = layer_jacobians(maps, x)
    for index, J in enumerate(jacobians):
        check_finite(J)
        if J.shape[-1] != J.shape[-2]:
            raise BadInput(
                f"maps[{index}]: from {J.shape[-1]} to {J.shape[-2]} dimensions; exponents need"
                " layers that keep the size, so give those between two changes of it"
            )
    Q = torch.eye(jacobians[0].shape[-1], dtype=x.dtype, device=x.device)
    logs = torch.zeros(len(x), len(Q), dtype=x.dtype, device=x.device)
    for J in jacobians:
        Q, R = torch.linalg.qr(J @ Q)
        logs += R.diagonal(dim1=-2, dim2=-1).abs().log()
    return (logs / time).sort(dim=1, descending=True).values


def reconstruction_error(flow: Flow, x: Tensor) -> Tensor:
    """Return the error of each state of a reversible flow, recovered from the last state.

    This is the rounding error in training with backward='reverse'. There, only one value is
    measured: the error of the first state of the first example.

    Args:
        flow: A reversible `Flow`.
        x: Batch (B, width, ...).

    Returns:
        (L + 1,), for l = 0 ... L: the largest difference between the recovered and the true state,
        divided by the largest entry of the true state.

    Raises:
        BadInput: If the family is not reversible, or the flow has no layers.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> from stablenets.nets import Flow, Hamiltonian
        >>> flow = Flow(Hamiltonian(), width=4, depth=8, h=1.0).double()
        >>> errors = probes.reconstruction_error(flow, torch.randn(5, 4, dtype=torch.float64))
        >>> errors.shape, bool(errors.max() < 1e-12)
        (torch.Size([9]), True)
    """
    recovered = layer_states(*inverse_maps(flow, x))[::-1]
    true = layer_states(*flow_maps(flow, x))
    return torch.stack(
        [
            (y - exact).abs().max() / exact.abs().max().clamp_min(1e-30)
            for y, exact in zip(recovered, true, strict=True)
        ]
    )


def plot_by_depth(values: Tensor, label: str) -> Figure:
    """Return a figure of any measurement by depth, on a logarithmic axis.

    Args:
        values: (L + 1,) or (L + 1, B), for example perturbation growth or reconstruction error.
        label: What the values are.

    Returns:
        A matplotlib figure with one line per column of `values`.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> figure = probes.plot_by_depth(torch.rand(5), "reconstruction error")
    """
    figure, (axes,) = new_figure(1)
    axes.plot(range(len(values)), values, color=COLOURS[0], linewidth=0.8)
    axes.set(xlabel="layer $l$", ylabel=label, yscale="log")
    return figure
