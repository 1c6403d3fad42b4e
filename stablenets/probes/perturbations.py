"""What becomes of a small change along the depth: its growth, Lyapunov exponents at finite time,
and what a reversed flow loses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stablenets.engine.flow import Flow
from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.jacobian import layer_jacobians
from stablenets.probes.maps import Map, check_finite, flow_maps, inverse_maps, states

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def perturbation_growth(
    maps: Sequence[Map], x: Tensor, size: float = 1e-3, *, seed: int = 0
) -> Tensor:
    """(L + 1, B) ‖Y_l(x + δ) - Y_l(x)‖ / ‖δ‖ for one random δ an example of a batch x (B, *in),
    with ‖δ‖ = size ‖x‖.

    Not a derivative: what saturation or a large `size` does is seen too.
    """
    generator = torch.Generator().manual_seed(seed)
    δ = torch.randn(x.shape, generator=generator, dtype=torch.float64).to(x).flatten(1)
    δ = δ * (size * x.flatten(1).norm(dim=1, keepdim=True) / δ.norm(dim=1, keepdim=True))
    pairs = zip(states(maps, x), states(maps, x + δ.view_as(x)), strict=True)
    apart = torch.stack([(moved - still).flatten(1).norm(dim=1) for still, moved in pairs])
    return apart / apart[0]


def lyapunov(maps: Sequence[Map], x: Tensor, time: float) -> Tensor:
    """(B, n) finite-time Lyapunov exponents, largest first, of layers that keep the size of the
    state and span `time` = h L together.

    By a QR factorisation a layer: the product of all layers would lose to rounding what shrinks
    most. Their sum is log|det| / time exactly; one by one they approach log σ_i / time as the time
    grows.
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
    """(L + 1,) the largest difference between the states that inversion from the last one finds and
    the true ones, relative to the largest entry of those, for l = 0 ... L: what
    `backward='reverse'` lives with. x (B, width, ...).
    """
    found, true = states(*inverse_maps(flow, x))[::-1], states(*flow_maps(flow, x))
    return torch.stack(
        [
            (state - exact).abs().max() / exact.abs().max()
            for state, exact in zip(found, true, strict=True)
        ]
    )


def by_depth_figure(values: Tensor, label: str) -> Figure:
    """Growth or reconstruction error by depth, for values (L + 1,) or (L + 1, B)."""
    figure, (axes,) = new_figure(1)
    axes.plot(range(len(values)), values, color="#0072B2", linewidth=0.8)
    axes.set(xlabel="layer $l$", ylabel=label, yscale="log")
    return figure
