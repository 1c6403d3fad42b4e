"""How close a Jacobian is to an isometry, whose singular values are all 1 (Ceni 2025)."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.maps import Map
from stablenets.probes.spectrum import singular_values

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Isometry(NamedTuple):
    """How far singular values are from 1, as `measure_isometry` returns it.

    Attributes:
        low: The smallest singular value.
        median: The median.
        high: The largest singular value.
        spread: The root mean square of log σ, where σ are the singular values. It is 0 for an
            isometry. A spread of r means that a typical σ is near exp(r) or exp(-r). It is infinite
            if a value is 0.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> round(probes.measure_isometry(torch.tensor([0.5, 2.0])).spread, 4)  # log 2
        0.6931
    """

    low: float
    median: float
    high: float
    spread: float


def measure_isometry(values: Tensor) -> Isometry:
    """Return how far singular values are from 1.

    Args:
        values: Singular values in any shape, of one example or many. NaN is left out.

    Returns:
        An `Isometry`.

    Raises:
        BadInput: If all values are NaN.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> probes.measure_isometry(torch.ones(4))
        Isometry(low=1.0, median=1.0, high=1.0, spread=0.0)
    """
    values = values.flatten().double()
    values = values[~values.isnan()]
    if not len(values):
        raise BadInput(
            "values: all are NaN; take more steps of estimate_singular_values, or full_jacobian at"
            " fewer dimensions"
        )
    if (values < 0).any():
        raise BadInput(f"values: {float(values.min()):g} is negative, so it is no singular value")
    spread = values.log().square().mean().sqrt()
    median = values.quantile(0.5)  # torch's median takes the lower of two
    return Isometry(float(values.min()), float(median), float(values.max()), float(spread))


def sweep_isometry(
    make: Callable[..., Map], x: Tensor, grid: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """Return how close to an isometry a net is, for each combination of its settings.

    Args:
        make: Builds a net from one value of each setting, given by name.
        x: One example (*in) at which the Jacobian is taken.
        grid: The values of each setting.

    Returns:
        One row per combination: the settings, and low, median, high and spread of `Isometry`.

    Raises:
        BadInput: If a setting has no values.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> rows = probes.sweep_isometry(lambda c: lambda x: c * x, torch.zeros(3), {"c": [1, 2]})
        >>> [(row["c"], row["high"]) for row in rows]
        [(1, 1.0), (2, 2.0)]
    """
    if empty := [name for name, values in grid.items() if not values]:
        raise BadInput(f"grid[{empty[0]}]=[]: no combination is left; give it at least one value")
    rows = []
    for combination in itertools.product(*grid.values()):
        settings = dict(zip(grid, combination, strict=True))
        rows.append(settings | measure_isometry(singular_values(make(**settings), x))._asdict())
    return rows


def plot_isometry(rows: Sequence[Mapping[str, Any]], against: str) -> Figure:
    """Return a figure of the singular values against one setting.

    Args:
        rows: As returned by `sweep_isometry`.
        against: The setting on the horizontal axis. Each combination of the others is one line.

    Returns:
        A matplotlib figure: medians as lines, smallest to largest value as bands.

    Examples:
        >>> import torch
        >>> from stablenets import probes
        >>> rows = probes.sweep_isometry(lambda c: lambda x: c * x, torch.zeros(3), {"c": [1, 2]})
        >>> figure = probes.plot_isometry(rows, against="c")
    """
    figure, (axes,) = new_figure(1)
    names = [name for name in rows[0] if name not in (*Isometry._fields, against)]
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(", ".join(f"{name} {row[name]}" for name in names), []).append(row)
    for label, members in lines.items():
        positions = [row[against] for row in members]
        low, median, high = ([row[name] for row in members] for name in ("low", "median", "high"))
        (line,) = axes.plot(positions, median, "o-", markersize=3, label=label)
        axes.fill_between(positions, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel=against, ylabel="singular values", xscale="log", yscale="log")
    if names:
        axes.legend(frameon=False)
    return figure
