"""Pictures of one run from its probe arrays; colours that survive colour blindness and print."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def new_figure(panels: int, width: float = 5.0, height: float = 3.6) -> tuple[Figure, np.ndarray]:
    """A figure outside pyplot's global state, so that drawing never needs a display."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, height), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    return figure, np.atleast_1d(figure.subplots(1, panels))


def gradient_heatmap(probes: dict[str, np.ndarray]) -> Figure:
    """log10 of ‖dLoss/dY_l‖ over depth (rows) and steps (columns)."""
    figure, (axes,) = new_figure(1)
    norms = probes["state_gradients"]
    with np.errstate(divide="ignore", invalid="ignore"):
        shades = np.log10(norms).T
    shades[~np.isfinite(shades)] = np.nan  # a gradient of exactly 0, or an overflow, is left blank
    mesh = axes.pcolormesh(
        edges(probes["steps"]), edges(probes["depths"]), shades, cmap="viridis", shading="flat"
    )
    axes.set(xlabel="training step", ylabel="layer $l$")
    figure.colorbar(mesh, ax=axes, label=r"$\log_{10}\,\|\partial\mathrm{Loss}/\partial Y_l\|$")
    return figure


def pixels(figure: Figure) -> np.ndarray:
    """(height, width, 4) uint8."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def edges(starts: np.ndarray) -> np.ndarray:
    """Cells from each start to the next; the last is as wide as the one before."""
    last = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)
    return np.append(starts, last)
