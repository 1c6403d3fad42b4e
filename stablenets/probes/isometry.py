"""How near a Jacobian is to an isometry, all of whose singular values are 1: by depth, and by
whatever a net is made from (Ceni 2025).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from stablenets.errors import BadInput
from stablenets.plotting.figures import new_figure
from stablenets.probes.jacobian import singular_values
from stablenets.probes.maps import Map

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Isometry(NamedTuple):
    """Of singular values: the smallest, the median and the largest, and how far they are from 1 on
    a logarithmic scale.
    """

    low: float
    median: float
    high: float
    # the root mean square of log σ: 0 for an isometry, about r where σ lies around exp(±r);
    # infinite if some σ is 0
    spread: float


def isometry_of(values: Tensor) -> Isometry:
    """From singular values in any shape, of one example or many; what is not known (NaN) is left
    out.
    """
    values = values.flatten().double()
    values = values[~values.isnan()]
    if not len(values):
        raise BadInput(
            "values: none is a number; take more steps of golub_kahan, or fewer dimensions and"
            " full_jacobian"
        )
    return Isometry(
        *(
            float(end)
            for end in (
                values.min(),
                values.median(),
                values.max(),
                values.log().square().mean().sqrt(),
            )
        )
    )


def isometry_over(
    make: Callable[..., Map], x: Tensor, grid: Mapping[str, Sequence[Any]]
) -> list[dict[str, Any]]:
    """One row for each combination of the grid: its values by name, and the `Isometry` of
    `make(**values)` at one example x (*in).

    isometry_over(lambda beta, depth: Flow(RoaMLP(beta=beta), 64, depth), x, {"beta": [0.5, 1.0],
    "depth": [16, 256]})
    """
    if empty := [name for name, values in grid.items() if not values]:
        raise BadInput(f"grid[{empty[0]}]=[]: no combination is left; give it at least one value")
    rows = []
    for combination in itertools.product(*grid.values()):
        chosen = dict(zip(grid, combination, strict=True))
        rows.append(chosen | isometry_of(singular_values(make(**chosen), x))._asdict())
    return rows


def isometry_figure(rows: Sequence[Mapping[str, Any]], against: str) -> Figure:
    """Singular values from the smallest to the largest, with the median, against one name of the
    grid; a line for each of the rest.
    """
    figure, (axes,) = new_figure(1)
    names = [name for name in rows[0] if name not in (*Isometry._fields, against)]
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        lines.setdefault(", ".join(f"{name} {row[name]}" for name in names), []).append(row)
    for label, members in lines.items():
        low, median, high = torch.tensor(
            [[row["low"], row["median"], row["high"]] for row in members]
        ).T
        positions = [row[against] for row in members]
        (line,) = axes.plot(positions, median, "o-", markersize=3, label=label)
        axes.fill_between(positions, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
    axes.axhline(1, color="0.6", linewidth=0.8, zorder=0)
    axes.set(xlabel=against, ylabel="singular values", xscale="log", yscale="log")
    if names:
        axes.legend(frameon=False)
    return figure
