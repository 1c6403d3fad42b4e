"""A paper: its runs, claims, tables and figures.

    paper = Paper("example2026", "Example 2026, A title", RUNS)

    @paper.claim("1", kind="paper", source="Section 4", runs=["deep"])
    def deep_nets_train(results):
        '''Deep nets train.'''
        yield ahead_of(mean_over_seeds(results["deep"], TEST_ACCURACY), 90.0, "accuracy", "%")

    @paper.table("deep", runs=["deep"])
    def deep_table(results):
        '''Test accuracy by depth.'''
        return results["deep"][["depth", "test_accuracy"]]

The docstring of a check is the sentence of its claim. The docstring of the function of a table or a
figure is its caption. Both can be given to the decorator instead.

The module that defines `paper` and the modules that add to it belong to one paper.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pandas as pd

from stablenets.claims.criteria import Criterion
from stablenets.claims.grid import Grid
from stablenets.claims.results import Plan, Results

if TYPE_CHECKING:
    from matplotlib.animation import Animation
    from matplotlib.figure import Figure

FINDINGS_AT = "full"
OVER_SEEDS = "95 % confidence intervals over seeds"  # what brackets in a table are by default
PAPER, THEOREM, OURS = CLAIM_KINDS = ("paper", "theorem", "ours")
KIND_MEANINGS = {
    PAPER: "an empirical statement of the paper",
    THEOREM: "holds by construction; we check it numerically",
    OURS: "a control or an extension that the paper does not state",
}
Check = Callable[[Results], Iterable[Criterion]]


def place_of_id(id: str) -> tuple[int, str]:
    """The key by which claims are sorted: 2a, 2b, 10; an id without a number comes last."""
    number = re.match(r"\d+", id)
    return (int(number[0]) if number else sys.maxsize, id)


@dataclass(frozen=True)
class DeclaredClaim:
    """A statement and the criteria that decide it.

    Args:
        id: Its number within the paper.
        sentence: The statement, in words that a newcomer understands.
        kind: One of CLAIM_KINDS.
        source: Where the paper makes the statement.
        runs: Groups of runs that the check reads. It is called if all these runs have a result.
        check: From results to criteria.
        published: The paper's value; '' if it states none.
        data: Data sets that the statement is about. Runs on other data decide nothing. Empty if
            the data do not matter.
        figure: The figure that shows the criteria; '' for none.
    """

    id: str
    sentence: str
    kind: str
    source: str
    runs: tuple[str, ...]
    check: Check
    published: str = ""
    data: tuple[str, ...] = ()
    figure: str = ""


@dataclass(frozen=True)
class Display:
    """A table, a figure or an animation.

    Args:
        runs: Groups of runs that it shows.
        make: From results to the table, figure or animation.
        caption: What it shows, in words that are true of any results.
        finding: What to see in it at the profile FINDINGS_AT. At other profiles it is not printed.
        is_partial: Whether it is made as soon as one run has a result, not only if all have one.
        intervals: What the intervals in brackets of a table are.
    """

    runs: tuple[str, ...]
    make: Callable[[Results], Figure | pd.DataFrame | Animation]
    caption: str
    finding: str = ""
    is_partial: bool = False
    intervals: str = OVER_SEEDS

    def text(self, profile: str) -> str:
        """The caption at a profile, followed by the finding if it is about this profile."""
        return f"{self.caption} {self.finding if profile == FINDINGS_AT else ''}".rstrip()


@dataclass(frozen=True)
class Paper:
    """All that is run, decided and shown of one paper, or of a comparison that claims nothing.

    Args:
        handle: Its short name, which is also the name of its folder and of that of its results.
        title: Authors, year and title.
        runs: Its grids of runs, by the name of the group.
        notation: The symbols and short names that its pages use, in one or two sentences; of a
            comparison, what its runs have in common.
    """

    handle: str
    title: str
    runs: Mapping[str, Grid]
    notation: str = ""
    claims: list[DeclaredClaim] = field(default_factory=list, init=False)
    tables: dict[str, Display] = field(default_factory=dict, init=False)
    figures: dict[str, Display] = field(default_factory=dict, init=False)
    animations: dict[str, Display] = field(default_factory=dict, init=False)

    @property
    def page(self) -> str:
        """The name of the page in the folder of a profile."""
        return "claims.md" if self.claims else "tables.md"

    def plan(self, profile: str, seeds: int | None = None) -> Plan:
        """The runs of a profile by group.

        Args:
            profile: One of PROFILES.
            seeds: The number of seeds of each setting; None for that of the profile.
        """
        return {group: runs.works(profile, seeds) for group, runs in self.runs.items()}

    def claim(
        self,
        id: str,
        sentence: str = "",
        *,
        kind: str,
        source: str,
        runs: Sequence[str],
        published: str = "",
        data: Sequence[str] = (),
        figure: str = "",
    ) -> Callable[[Check], Check]:
        """Add a claim, whose check is the decorated function; see `DeclaredClaim`.

        Without `sentence`, the docstring of the check is the sentence.
        """
        assert kind in CLAIM_KINDS, f"{id}: kind {kind} is none of {CLAIM_KINDS}"
        self.check_groups(runs)

        def add(check: Check) -> Check:
            if id in (claim.id for claim in self.claims):
                raise ValueError(f"{self.handle}: claim {id} is declared twice")
            text = sentence or docstring_text(check).removesuffix(".")
            self.claims.append(
                DeclaredClaim(
                    id, text, kind, source, tuple(runs), check, published, tuple(data), figure
                )
            )
            self.claims.sort(key=lambda claim: place_of_id(claim.id))
            return check

        return add

    def table(
        self, name: str, *, runs: Sequence[str], caption: str = "", **further: Any
    ) -> Callable[[Any], Any]:
        """Add a table, made by the decorated function; see `Display`."""
        return self.display(self.tables, name, runs, caption, **further)

    def figure(
        self, name: str, *, runs: Sequence[str], caption: str = "", **further: Any
    ) -> Callable[[Any], Any]:
        """Add a figure, made by the decorated function; see `Display`."""
        return self.display(self.figures, name, runs, caption, **further)

    def animation(
        self, name: str, *, runs: Sequence[str], caption: str = "", **further: Any
    ) -> Callable[[Any], Any]:
        """Add an animation, made by the decorated function; see `Display`."""
        return self.display(self.animations, name, runs, caption, **further)

    def display(
        self,
        displays: dict[str, Display],
        name: str,
        runs: Sequence[str],
        caption: str,
        finding: str = "",
        is_partial: bool = False,
        intervals: str = OVER_SEEDS,
    ) -> Callable[[Any], Any]:
        """Add a table, a figure or an animation to its collection.

        Without `caption`, the docstring of the decorated function is the caption.
        """
        self.check_groups(runs)

        def add(make: Any) -> Any:
            if name in displays:
                raise ValueError(f"{self.handle}: {name} is declared twice")
            text = caption or docstring_text(make)
            displays[name] = Display(tuple(runs), make, text, finding, is_partial, intervals)
            return make

        return add

    def check_groups(self, groups: Sequence[str]) -> None:
        """Raise `KeyError` if a group has no runs."""
        for group in groups:
            if group not in self.runs:
                raise KeyError(f"{self.handle}: no group {group}; one of {', '.join(self.runs)}")


def docstring_text(function: Callable[..., Any]) -> str:
    """The docstring of a function in one line; a function without one is a `TypeError`."""
    if not function.__doc__:
        raise TypeError(f"{function.__name__}: give a text to its decorator, or a docstring")
    return " ".join(function.__doc__.split())
