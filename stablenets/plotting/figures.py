"""Figures that need no display: a new empty one, a heat map of gradient norms, and their files."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Limits of the colours for log10 of a gradient norm. They are the same in all heat maps, so that a
# colour means the same in two runs. Values beyond a limit have its colour.
GRADIENT_SCALE = (-12.0, 4.0)
COLUMN = 3.15  # width of a column of a paper, in inches


def new_figure(panels: int, width: float = 5.0, height: float = 3.6) -> tuple[Figure, np.ndarray]:
    """Return a matplotlib figure with panels side by side, and the axes of the panels.

    The figure is outside of pyplot's global state, so no display is needed.

    Args:
        panels: Number of panels.
        width: Width of one panel in inches.
        height: Height of the figure in inches.

    Returns:
        The figure and its axes, an array (panels,).

    Examples:
        >>> from stablenets.plotting.figures import new_figure
        >>> figure, (left, right) = new_figure(2)
        >>> lines = left.plot([0, 1], [1, 2])
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width * panels, height), layout="constrained", dpi=150)
    FigureCanvasAgg(figure)
    return figure, np.atleast_1d(figure.subplots(1, panels))


def new_column(panels: int, height: float = 2.0) -> tuple[Figure, np.ndarray]:
    """Return a figure as wide as a column of a paper, 8 cm, with panels one below the other.

    Letters of the style of papers keep their size there: 8 points and more.

    Args:
        panels: Number of panels.
        height: Height of one panel in inches.

    Returns:
        The figure and its axes, an array (panels,).

    Examples:
        >>> figure, (above, below) = new_column(2)
        >>> figure.get_size_inches().tolist()
        [3.15, 4.0]
    """
    figure, axes = new_grid(panels, 1, width=COLUMN, height=height * panels)
    return figure, axes[:, 0]


def new_grid(
    rows: int, columns: int, width: float, height: float, **shared: Any
) -> tuple[Figure, np.ndarray]:
    """Return a figure with rows of panels, and their axes (rows, columns).

    Args:
        rows: Number of rows.
        columns: Number of panels in a row.
        width: Width of the figure in inches.
        height: Height of the figure in inches.
        shared: Further arguments of `figure.subplots`, such as `sharey`.
    """
    figure, _ = new_figure(1, width=width, height=height)
    figure.clear()
    return figure, figure.subplots(rows, columns, squeeze=False, **shared)


def gradient_heatmap(probes: dict[str, np.ndarray]) -> Figure:
    """Return a heat map of log10 ‖dLoss/dY_l‖: depth upwards, training steps to the right.

    The colour scale is the same for all runs.

    Args:
        probes: Arrays of a run: steps (P,), depths (D,), state_gradients (P, D). Norms that are 0
            or not finite are left blank.

    Returns:
        A matplotlib figure.

    Examples:
        >>> import numpy as np
        >>> from stablenets.plotting.figures import gradient_heatmap
        >>> arrays = {"steps": np.arange(3), "depths": np.arange(2)}
        >>> figure = gradient_heatmap(arrays | {"state_gradients": np.ones((3, 2))})
    """
    figure, (axes,) = new_figure(1)
    norms = probes["state_gradients"]
    with np.errstate(divide="ignore", invalid="ignore"):
        shades = np.log10(norms).T
    shades[~np.isfinite(shades)] = np.nan
    mesh = axes.pcolormesh(
        cell_edges(probes["steps"]),
        cell_edges(probes["depths"]),
        shades,
        vmin=GRADIENT_SCALE[0],
        vmax=GRADIENT_SCALE[1],
        cmap="viridis",
        shading="flat",
    )
    axes.set(xlabel="training step", ylabel="layer $l$")
    figure.colorbar(
        mesh, ax=axes, extend="both", label=r"$\log_{10}\,\|\partial\mathrm{Loss}/\partial Y_l\|$"
    )
    return figure


def write_figure(figure: Figure, stem: Path, caption: str, origin: str) -> None:
    """Write a figure as png and svg, with its caption and origin in the metadata."""
    figure.savefig(
        stem.with_suffix(".png"), dpi=200, metadata={"Description": caption, "Source": origin}
    )
    figure.savefig(
        stem.with_suffix(".svg"), metadata={"Date": None, "Description": caption, "Source": origin}
    )


def render_pixels(figure: Figure) -> np.ndarray:
    """Return the drawn figure as RGBA pixels, (height, width, 4) uint8."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.asarray(canvas.buffer_rgba())


def cell_edges(starts: np.ndarray) -> np.ndarray:
    """Return cell edges: a cell ends where the next starts; the last two are equally wide."""
    last = starts[-1] + (starts[-1] - starts[-2] if len(starts) > 1 else 1)
    return np.append(starts, last)
