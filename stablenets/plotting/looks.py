"""Colour and marker of each family of networks, so that it looks the same in all papers.

There are more families than colours that readers can distinguish. Families of one paper have
different colours; families of two papers may have the same one. In all papers, ResNets are orange
circles and plain networks are grey crosses. The main family of a paper is blue.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from stablenets.plotting.style import COLOURS

BLUE, ORANGE, GREEN, PINK, YELLOW, SKY, *_ = COLOURS
GREY = "0.4"
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
    "checkpoint": {"colour": YELLOW, "marker": "o"},
    "reverse": {"colour": BLUE, "marker": "o"},
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


def looks_in_turn(keys: Iterable[Any], **style: Any) -> dict[Any, dict[str, Any]]:
    """Colours in a fixed order, for lines that are not families, such as step sizes or schemes.

    Args:
        keys: What distinguishes the lines.
        style: Further arguments of `axes.plot`, the same for all lines.

    Returns:
        The looks by key.
    """
    return {key: {"colour": colour, **style} for key, colour in zip(keys, COLOURS, strict=False)}
