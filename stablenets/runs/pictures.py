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
    draw_heatmap(axes, probes)
    return figure


def pixels(figure: Figure) -> np.ndarray:
    """(height, width, 4) uint8."""
    figure.canvas.draw()
    return np.asarray(figure.canvas.buffer_rgba())


def draw_heatmap(axes, probes: dict[str, np.ndarray]) -> None:
    norms = probes["state_gradients"]
    with np.errstate(divide="ignore", invalid="ignore"):
        shades = np.log10(norms).T
    shades[~np.isfinite(shades)] = np.nan  # a gradient of exactly 0, or an overflow, is left blank
    mesh = axes.pcolormesh(edges(probes["steps"]), edges(probes["depths"]), shades, cmap="viridis", shading="flat")
    axes.set(xlabel="training step", ylabel="layer $l$")
    axes.figure.colorbar(mesh, ax=axes, label=r"$\log_{10}\,\|\partial\mathrm{Loss}/\partial Y_l\|$")


def edges(starts: np.ndarray) -> np.ndarray:
    """Cells from each start to the next; the last is as wide as the one before."""
    last = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)
    return np.append(starts, last)


def draw_profiles(axes, probes: dict[str, np.ndarray], count: int = 5) -> None:
    """‖dLoss/dY_l‖ against depth at a few moments of training, early to late."""
    from matplotlib import colormaps
    chosen = np.unique(np.linspace(0, len(probes["steps"]) - 1, count).round().astype(int))
    for rank, index in enumerate(chosen):
        axes.semilogy(probes["depths"], probes["state_gradients"][index], color=colormaps["viridis"](0.9 * rank / max(1, len(chosen) - 1)),
                      label=f"step {probes['steps'][index]}")
    axes.set(xlabel="layer $l$", ylabel=r"$\|\partial\mathrm{Loss}/\partial Y_l\|$")
    axes.legend(frameon=False, fontsize="small")


def draw_spectra(axes, probes: dict[str, np.ndarray]) -> None:
    """Singular values of dY_L/dY_0 by rank, one line an epoch at which they were measured."""
    from matplotlib import colormaps
    epochs = probes["spectrum_epochs"]
    for rank, (epoch, values) in enumerate(zip(epochs, probes["singular_values"], strict=True)):
        axes.semilogy(np.arange(1, values.shape[1] + 1), values.T, color=colormaps["viridis"](0.9 * rank / max(1, len(epochs) - 1)),
                      label=[f"after epoch {epoch}"] + [None] * (len(values) - 1))
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel="rank", ylabel=r"singular value of $\partial Y_L/\partial Y_0$")
    axes.legend(frameon=False, fontsize="small")
