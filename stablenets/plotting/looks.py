"""Colour and marker of each family of networks, so that it looks the same in all papers.

There are more families than colours that readers can distinguish. Families of one paper have
different colours; families of two papers may have the same one. In all papers, ResNets are orange
circles and plain networks are grey crosses. The main family of a paper is blue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from stablenets.plotting.style import COLOURS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, *_ = COLOURS
GREY = "0.4"
MARKER_OF = {BLUE: "s", ORANGE: "o", GREEN: "D", PINK: "v", YELLOW: "^", SKY: "P", GREY: "x"}
MARKER_OF |= {"0.1": "X", COLOURS[6]: "X", COLOURS[7]: "*"}
MOST_MARKERS = 7  # of one line
LOOKS = {
    "plain": (GREY, "x"),
    "resnet": (ORANGE, "o"),
    "resnet_bn": (ORANGE, "o"),
    "revnet": (YELLOW, "v"),
    "antisymmetric": (BLUE, "s"),
    "verlet": (GREEN, "D"),
    "leapfrog_haber": (PINK, "v"),
    "hamiltonian": (BLUE, "s"),
    "midpoint": (GREEN, "^"),
    "leapfrog": (PINK, "D"),
    "ms1": (BLUE, "o"),
    "ms2": (SKY, "s"),
    "ms3": (GREEN, "D"),
    "hdnn": (ORANGE, "^"),
    "hdnn_ones": (YELLOW, "v"),  # J of ones
    "semi_implicit": (PINK, "P"),
    "roamlp": (BLUE, "s"),
    "roarnn": (BLUE, "s"),
    "lstm": (ORANGE, "o"),
    "gru": (GREEN, "D"),
    "rnn": (PINK, "v"),
}
BACKWARD_LOOKS = {  # what is kept for the backward pass
    "store": {"colour": ORANGE, "marker": "o"},
    "checkpoint": {"colour": YELLOW, "marker": "^"},
    "reverse": {"colour": BLUE, "marker": "s"},
}


def family_looks(names: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """Label, colour and marker by family, as `plot_lines` takes them.

    Args:
        names: How families are called in the legend.

    Returns:
        The looks of those families that have one.
    """
    return {
        family: dict(zip(("label", "colour", "marker"), (name, *LOOKS[family]), strict=True))
        for family, name in names.items()
        if family in LOOKS
    }


def distinct_style(
    axes: Axes, colour: str, places: Sequence[float] | np.ndarray, style: Mapping[str, Any]
) -> dict[str, Any]:
    """The style of a line with a marker, so that lines are told apart in grey as well.

    A line without marker gets that of its colour, unless it has dashes or no width. Lines with many
    points have a few markers, at other points than the lines that are there already.

    Args:
        axes: The axes on which the line will be.
        colour: The colour of the line.
        places: The numbers on the horizontal axis (P,).
        style: Arguments of `axes.plot`.

    Returns:
        Arguments of `axes.plot`.
    """
    found = {"markersize": 4} | dict(style)
    is_plain = found.get("linestyle", "-") == "-" and found.get("linewidth", 1) != 0
    if is_plain and not found.get("marker"):
        found["marker"] = MARKER_OF.get(colour, "")
    if found.get("marker") and len(places) > 2 * MOST_MARKERS:
        every = -(-len(places) // MOST_MARKERS)
        shift = every * len(axes.get_lines()) // 5 % every
        found.setdefault("markevery", (shift, every))
    return found


def looks_in_turn(keys: Iterable[Any], **style: Any) -> dict[Any, dict[str, Any]]:
    """Colours in a fixed order, for lines that are not families, such as step sizes or schemes.

    Args:
        keys: What distinguishes the lines.
        style: Further arguments of `axes.plot`, the same for all lines.

    Returns:
        The looks by key.
    """
    return {key: {"colour": colour, **style} for key, colour in zip(keys, COLOURS, strict=False)}
