"""Claim 4: the range of the norms through training, and whether T and penalties control it, seed by
seed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from stablenets import statistics
from stablenets.claims.claim import Finding, verdict
from stablenets.claims.results import Results
from stablenets.statistics import Estimate

from .alternating import BATCH, EVERY, Alternating

ROUNDING = 1e-9
STATED = (1.0, 17.0)  # L4DC 2021, Fig. 2: H1, 64 layers, 960 iterations
DEAR = 1.0  # points of accuracy that a penalty may cost
USUAL = Alternating()
SETTINGS = {
    "T": "final time T",
    "alpha": "authors' penalty on changes, alpha",
    "weight_decay": "our penalty on sizes, decay",
}
PENALTIES = ("alpha", "weight_decay")


@dataclass(frozen=True)
class Effect:
    """What a level of a setting does to H1, seed by seed, against the lowest level."""

    setting: str
    level: float
    without: float  # the lowest level
    growth: Estimate  # of the logarithm of the largest norm of an example through training
    lower: str  # in how many seeds it is
    accuracy: float  # points that it gains, in the mean

    @property
    def lowers(self) -> bool:
        return self.growth.high < 0

    @property
    def controls(self) -> bool:
        return self.lowers and self.accuracy >= -DEAR

    @property
    def gain(self) -> str:
        return (  # the sum makes a minus nought a nought
            f"{round(self.accuracy, 1) + 0.0:+.1f} points of accuracy"
        )

    @property
    def factor(self) -> str:
        """The geometric mean of the seeds' ratios, with its interval."""
        return str(
            Estimate(
                *(
                    math.exp(value)
                    for value in (self.growth.value, self.growth.low, self.growth.high)
                ),
                self.growth.n,
            )
        )


def levels(results: Results, setting: str, metric: str) -> pd.DataFrame:
    """A metric of the H1 nets that differ in this setting alone: a row a seed, a column a level."""
    rows = results["control"]
    for other in SETTINGS.keys() - {setting}:
        rows = rows[rows[other] == getattr(USUAL, other)]
    return rows.pivot(index="seed", columns=setting, values=metric)


def effects(results: Results, setting: str) -> list[Effect]:
    norms, accuracy = (levels(results, setting, metric) for metric in ("highest", "test_accuracy"))
    without = norms.columns[0]
    return [
        Effect(
            setting,
            level,
            without,
            statistics.paired(norms[level].map(math.log), norms[without].map(math.log)),
            f"{(norms[level] < norms[without]).sum()} of {len(norms)}",
            100 * (accuracy[level] - accuracy[without]).mean(),
        )
        for level in norms.columns[1:]
    ]


def exploding(results: Results) -> Finding:
    rows, control = results["through"], results["control"]
    ours = rows[rows["net"] == "H1"]
    inside = (ours["mean_highest"] <= STATED[1]) & (ours["mean_lowest"] >= STATED[0] - 0.001)
    slack = bool((control["end_highest"] <= control["bound"] * (1 + ROUNDING)).all())
    longest = effects(results, "T")[-1]
    rises = longest.growth.low > 0
    penalties = {setting: effects(results, setting) for setting in PENALTIES}
    return Finding(
        verdict(
            bool(inside.all()),
            rises,
            *(any(effect.controls for effect in found) for found in penalties.values()),
            given=slack,
        ),
        f"norm of the batch mean {ours['mean_lowest'].min():.3f} to"
        f" {ours['mean_highest'].max():.1f}; largest norm of an example"
        f" {ours['highest'].median():.3g} (median of seeds), by T = {longest.level:g} instead of"
        f" {longest.without:g} ×{longest.factor}, by "
        + ", ".join(
            f"{effect.setting} {effect.level:g} ×{effect.factor} at {effect.gain}"
            for effect in map(telling, penalties.values())
        ),
        note=(
            f"H1, {ours['layers'].iloc[0]} layers, T = {USUAL.T:g}, {ours['epochs'].iloc[0]} epochs"
            f" of 32 iterations: the norm of the mean of B over the training batch of {BATCH},"
            f" which the paper draws, stays inside [{STATED[0]:g}, {STATED[1]:g}] in {inside.sum()}"
            f" of {len(inside)} seeds (to three digits from below). What controls the norms is"
            f" judged by the largest ‖B_l‖ of a test point through training, every {EVERY}"
            " iterations, against the same seed at the lowest level (table `control`)"
        )
        + ("; one seed has no interval and decides nothing" if longest.growth.n == 1 else "")
        + ". "
        + times(results, longest)
        + " "
        + " ".join(costs(setting, found) for setting, found in penalties.items())
        + f" The upper bound Π(1 + h ‖K_j‖²), a theorem, {'holds' if slack else 'fails'} for ‖B_0‖"
        " after training in all of them, at a median distance of"
        f" ×{(control['bound'] / control['end_highest']).median():.0e}.",
    )


def telling(found: list[Effect]) -> Effect:
    """The first level that controls the norms, else the highest."""
    return next((effect for effect in found if effect.controls), found[-1])


def times(results: Results, longest: Effect) -> str:
    """What T does to the norms and to the weights."""
    before, after = (levels(results, "T", f"weights_{when}") for when in ("before", "after"))
    gap = statistics.paired(after[longest.without], after[longest.level])
    return (
        f"From T = {longest.without:g} to {longest.level:g} the norms "
        + (
            "rise"
            if longest.growth.low > 0
            else "fall"
            if longest.lowers
            else "neither rise nor fall beyond doubt"
        )
        + f". The mean ‖K_j‖_2 is {before.median().median():.1f} before training and after it "
        + ", ".join(f"{value:.1f} at T = {T:g}" for T, value in after.median().items())
        + (
            ", larger at the smaller T."
            if gap.low > 0
            else ", smaller at the smaller T."
            if gap.high < 0
            else ", no difference beyond doubt."
        )
    )


def costs(setting: str, found: list[Effect]) -> str:
    """What the levels of a penalty do to the norms and to the accuracy."""
    told = [f"{effect.level:g} ×{effect.factor} at {effect.gain}" for effect in found]
    kept = [f"{effect.level:g}" for effect in found if effect.controls]
    dear = [f"{effect.level:g}" for effect in found if effect.lowers and not effect.controls]
    return (
        f"{SETTINGS[setting][0].upper()}{SETTINGS[setting][1:]}, against {found[0].without:g}:"
        f" {'; '.join(told)}. Lower beyond doubt, at a cost of at most {DEAR:g} point:"
        f" {' and '.join(kept) or 'none'}"
        + (f"; at a greater cost: {' and '.join(dear)}." if dear else ".")
    )


def control_table(results: Results) -> pd.DataFrame:
    found = [effect for setting in SETTINGS for effect in effects(results, setting)]
    return pd.DataFrame(
        [
            {
                "setting": SETTINGS[effect.setting],
                "level": effect.level,
                "lowest level": effect.without,
                "largest norm, factor": effect.factor,
                "lower in seeds": effect.lower,
                "accuracy, points": effect.accuracy,
                "mean ‖K_j‖ after": (
                    levels(results, effect.setting, "weights_after")[effect.level].median()
                ),
                "mean ‖K_j‖ after, lowest level": (
                    levels(results, effect.setting, "weights_after")[effect.without].median()
                ),
            }
            for effect in found
        ]
    )
