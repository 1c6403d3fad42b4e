"""Views of the comparison: the one with which the HTML report starts, and links to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

Configurations = Sequence[Mapping[str, Any]]
MOST_SIDE_BY_SIDE = 6
DEEP = 1000  # layers


def starting_view(configurations: Configurations) -> dict[str, list[str]]:
    """The filters without an address: the results on the data set with the most families."""
    results = [one for one in configurations if one["purpose"] == "results"]
    families: dict[str, set[str]] = {}
    for one in results or configurations:
        families.setdefault(one["dataset"], set()).add(one["family"])
    if not families:
        return {}
    most = max(families, key=lambda dataset: len(families[dataset]))
    return {"dataset": [most], "purpose": [(results or configurations)[0]["purpose"]]}


def views_to_start_from(configurations: Configurations) -> list[dict[str, str]]:
    """Links to views: gradients of plain and of antisymmetric nets, spectra, the deepest nets.

    A view is left out if no configuration has what it shows.
    """
    found = []
    results = [one for one in configurations if one["purpose"] == "results"]
    for family in ("plain", "antisymmetric"):
        if chosen := gradients_by_depth([one for one in configurations if one["family"] == family]):
            params = {
                "family": family,
                "purpose": "results",
                "metric": "gradient_ratio",
                "run": identities(chosen),
            }
            found.append(view(f"gradients of {family} nets over depth and training", params))
    if chosen := [one for one in results if "spectrum_last" in one["lines"]]:
        params = {"metric": "singular_min", "run": identities(chosen[:MOST_SIDE_BY_SIDE])}
        found.append(view("singular values", params))
    deep = sorted({one["depth"] for one in results if (one["depth"] or 0) >= DEEP})
    if deep:
        depths = ",".join(map(str, deep))
        found.append(view(f"{DEEP:,} layers and more", {"depth": depths, "purpose": "results"}))
    return found


def gradients_by_depth(configurations: Configurations) -> list[Mapping[str, Any]]:
    """The results at the depths of one data set, then the deepest nets measured during training.

    The latter may come from a search. Nets whose gradient at the first layer is 0 are left out:
    they have nothing to draw.
    """
    drawn = [
        one
        for one in configurations
        if one["heat"] and one["depth"] and one["values"].get("gradient_ratio", [0])[0]
    ]
    by_dataset: dict[str, dict[int, Mapping[str, Any]]] = {}
    results = [one for one in drawn if one["purpose"] == "results"]
    for one in sorted(results, key=lambda one: (one["label"] == "", one["seeds"])):
        by_dataset.setdefault(one["dataset"], {})[one["depth"]] = one
    if not by_dataset:
        return []
    most = max(by_dataset.values(), key=len)
    depths = [most[depth] for depth in sorted(most)][-(MOST_SIDE_BY_SIDE - 2) :]
    often = sorted(
        (one for one in drawn if len(one["heat"]["steps"]) > 2 and one not in depths),
        key=lambda one: (one["depth"], one["seeds"]),
    )
    return [*depths, *often[-2:]]


def identities(configurations: Configurations) -> str:
    """The names of configurations in an address."""
    return ",".join(one["id"] for one in configurations)


def view(title: str, params: Mapping[str, str]) -> dict[str, str]:
    """A link of the page."""
    return {"title": title, "query": urlencode(params, safe=",")}
