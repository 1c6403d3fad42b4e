"""Views of the comparison: the one with which the HTML report starts, and links to others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

Configurations = Sequence[Mapping[str, Any]]
MOST_SIDE_BY_SIDE = 6
DEEP = 1000  # layers
SIDE_BY_SIDE = ("plain", "resnet", "antisymmetric")


def starting_view(configurations: Configurations) -> dict[str, list[str]]:
    """The filters without an address: results on one data set from one source.

    They are those with the most families. Runs of one source were made to be compared.
    """
    results = [one for one in configurations if one["purpose"] == "results"] or configurations
    families: dict[tuple[str, str], set[str]] = {}
    for one in results:
        for origin in one["origins"]:
            families.setdefault((one["dataset"], origin), set()).add(one["family"])
    if not families:
        return {}
    dataset, origin = max(families, key=lambda place: len(families[place]))
    return {"dataset": [dataset], "origin": [origin], "purpose": [results[0]["purpose"]]}


def views_to_start_from(configurations: Configurations) -> list[dict[str, str]]:
    """Links to views: families side by side, one family by depth, spectra, curves, deepest nets.

    A view is left out if no configuration has what it shows.
    """
    found = []
    results = [one for one in configurations if one["purpose"] == "results"]
    if start := starting_view(configurations):
        params = {key: ",".join(values) for key, values in start.items()}
        chosen = deepest_of_families([one for one in results if is_shown(one, start)])
        if len(chosen) == len(SIDE_BY_SIDE):
            names, depth = ", ".join(SIDE_BY_SIDE), chosen[0]["depth"]
            params |= {"family": ",".join(SIDE_BY_SIDE), "depth": str(depth)}
            params |= {"metric": "gradient_ratio", "run": identities(chosen)}
            found.append(view(f"gradients at depth {depth}: {names}", params))
    for family in ("plain", "antisymmetric"):
        if chosen := gradients_by_depth([one for one in configurations if one["family"] == family]):
            datasets = sorted({one["dataset"] for one in chosen})
            params = {
                "family": family,
                "dataset": ",".join(datasets),
                "metric": "gradient_ratio",
                "run": identities(chosen),
            }
            found.append(view(f"gradients of {family} nets over depth and training", params))
    if start and (chosen := with_spectrum([one for one in results if is_shown(one, start)])):
        params = {key: ",".join(values) for key, values in start.items()}
        params |= {"depth": str(chosen[0]["depth"]), "metric": "singular_min"}
        found.append(view("singular values", params | {"run": identities(chosen)}))
    if chosen := with_curves_and_spectra(results):
        params = {"dataset": chosen[0]["dataset"], "purpose": "results", "kept": "curves,spectra"}
        title = f"learning curves and singular values of the same runs: {chosen[0]['dataset']}"
        found.append(view(title, params | {"run": identities(chosen)}))
    deep = sorted({one["depth"] for one in results if (one["depth"] or 0) >= DEEP})
    if deep:
        depths = ",".join(map(str, deep))
        found.append(view(f"{DEEP:,} layers and more", {"depth": depths, "purpose": "results"}))
    return found


def is_shown(one: Mapping[str, Any], start: Mapping[str, list[str]]) -> bool:
    """Whether a result is in the starting view."""
    return one["dataset"] in start["dataset"] and start["origin"][0] in one["origins"]


def deepest_of_families(configurations: Configurations) -> list[Mapping[str, Any]]:
    """A configuration of each family of SIDE_BY_SIDE, all of the largest depth that they share."""
    by_place = {
        (one["family"], one["depth"]): one
        for one in configurations
        if one["family"] in SIDE_BY_SIDE and "gradients_last" in one["lines"]
    }
    depths = [{depth for name, depth in by_place if name == family} for family in SIDE_BY_SIDE]
    shared = set.intersection(*depths)
    return [by_place[family, max(shared)] for family in SIDE_BY_SIDE] if shared else []


def with_spectrum(configurations: Configurations) -> list[Mapping[str, Any]]:
    """One configuration of each of some families, with singular values, all of the largest depth.

    The families of SIDE_BY_SIDE come first.
    """
    found = [one for one in configurations if "spectrum_last" in one["lines"]]
    depth = max((one["depth"] or 0 for one in found), default=0)
    of_family = {one["family"]: one for one in found if (one["depth"] or 0) == depth}
    names = sorted(of_family, key=lambda name: (name not in SIDE_BY_SIDE, name))
    return [of_family[name] for name in names[:MOST_SIDE_BY_SIDE]]


def with_curves_and_spectra(configurations: Configurations) -> list[Mapping[str, Any]]:
    """Some configurations of which both were kept, of the data set that has most of them."""
    by_dataset: dict[str, list[Mapping[str, Any]]] = {}
    for one in configurations:
        if {"curves", "spectra"} <= {*one["kept"]}:
            by_dataset.setdefault(one["dataset"], []).append(one)
    return max(by_dataset.values(), key=len, default=[])[:MOST_SIDE_BY_SIDE]


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
    for one in sorted(results, key=lambda one: (not one["settings"], one["seeds"])):
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
