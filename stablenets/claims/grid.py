"""Grids: the runs of a paper by profile, written as keywords.

    RUNS = {
        "depth": grid(
            planar,
            family=["resnet", "antisymmetric"],
            depth=per_profile(smoke=[4], quick=[4, 64], full=[4, 16, 64, 256]),
            epochs=per_profile(smoke=5, quick=250, full=300),
            seed=seeds(smoke=2, quick=3, full=5),
        )
    }

A list or a range is an axis. The grid has one run for each combination of members of the axes.
Every other value is the same for all runs. If a value is given by profile, the grid has no runs at
the other profiles.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from stablenets.claims.work import Work
from stablenets.errors import BadInput
from stablenets.schema import suggest

SMOKE, *_ = PROFILES = ("smoke", "quick", "full", "paper")
Make = Callable[..., Work | Iterable[Work] | None]
FIRST_TUNING_SEED = 100  # seeds from here on are in no table of results


@dataclass(frozen=True)
class PerProfile:
    """A value of a grid that depends on the profile; made by `per_profile`."""

    values: dict[str, Any]


@dataclass(frozen=True)
class Seeds:
    """The seeds of a grid; made by `seeds` or `tuning_seeds`.

    Args:
        counts: The number of seeds by profile.
        first: The first seed.
        is_adjustable: Whether a number of seeds that the user asks for replaces `counts`.
    """

    counts: dict[str, int]
    first: int = 0
    is_adjustable: bool = True


def per_profile(**values: Any) -> PerProfile:
    """A value for each profile: smoke, quick, full, paper. Profiles that are missing have no runs.

    Args:
        values: The value by profile; a list is an axis.

    Returns:
        A value for `grid`.

    Raises:
        BadInput: If there is no such profile.

    Examples:
        >>> per_profile(quick=[4, 64], full=[4, 16, 64, 256])
        PerProfile(values={'quick': [4, 64], 'full': [4, 16, 64, 256]})
    """
    check_profiles(values)
    return PerProfile(values)


def seeds(**counts: int) -> Seeds:
    """Seeds from 0 on: their number by profile, unless the user asks for another number.

    Args:
        counts: The number of seeds by profile.

    Returns:
        An axis for `grid`.
    """
    check_profiles(counts)
    return Seeds(counts)


def tuning_seeds(first: int = FIRST_TUNING_SEED, **counts: int) -> Seeds:
    """Seeds for the choice of settings, which are in no table of results; their number is fixed.

    Args:
        first: The first seed.
        counts: The number of seeds by profile.

    Returns:
        An axis for `grid`.
    """
    check_profiles(counts)
    return Seeds(counts, first, is_adjustable=False)


def check_profiles(names: Iterable[str]) -> None:
    """Raise `BadInput` if one of the names is no profile."""
    for name in names:
        if name not in PROFILES:
            raise BadInput(f"{name}: no profile; {suggest(name, PROFILES)}")


@dataclass(frozen=True)
class Grid:
    """Runs by profile. Each part of a grid is a function that makes runs, and its arguments.

    `+` joins two grids. `then` makes a grid of studies, one of each run.
    """

    parts: tuple[tuple[Make, dict[str, Any]], ...]

    def __add__(self, other: Grid) -> Grid:
        return Grid(self.parts + other.parts)

    def then(self, study: Callable[[Any], Work]) -> Grid:
        """The grid of the studies that measure the runs of this grid."""

        def measured(make: Make) -> Make:
            return lambda **arguments: [study(work) for work in listed(make(**arguments))]

        return Grid(tuple((measured(make), axes) for make, axes in self.parts))

    def works(self, profile: str, count: int | None = None) -> list[Work]:
        """The runs at a profile.

        Args:
            profile: The profile.
            count: The number of seeds that the user asks for; None for that of the profile.
        """
        return [
            work
            for make, axes in self.parts
            if (values := values_at(axes, profile, count)) is not None
            for combination in itertools.product(*values.values())
            for work in listed(make(**dict(zip(values, combination, strict=True))))
        ]


def grid(make: Make, **axes: Any) -> Grid:
    """The grid of all combinations of the axes.

    Args:
        make: Takes the arguments of one combination; returns a run, several runs, or None if there
            is no such run.
        axes: Arguments of `make`. See the module for axes and values by profile.

    Returns:
        A grid, to which others can be added.
    """
    return Grid(((make, axes),))


def values_at(axes: dict[str, Any], profile: str, count: int | None) -> dict[str, list] | None:
    """The members of each axis at a profile; None if the profile has no runs."""
    found: dict[str, list] = {}
    for name, value in axes.items():
        if isinstance(value, Seeds):
            number = value.counts.get(profile, 0)
            if number and count is not None and value.is_adjustable:
                number = count
            value = range(value.first, value.first + number)
        if isinstance(value, PerProfile):
            if profile not in value.values:
                return None
            value = value.values[profile]
        found[name] = list(value) if isinstance(value, list | range) else [value]
    return found


def listed(made: Work | Iterable[Work] | None) -> list[Work]:
    """What `make` of a grid returned, as a list."""
    if made is None:
        return []
    return list(made) if isinstance(made, Iterable) else [made]
