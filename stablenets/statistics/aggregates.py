"""Comparisons over several tasks with few runs of each, by Agarwal et al. 2021 (rliable).

Scores are a mapping from a task to the scores of its independent runs (n,), higher is better. The
intervals are percentiles of a stratified bootstrap: the runs are drawn again within each task.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np

from stablenets.statistics import LEVEL, Estimate

Scores = Mapping[str, Sequence[float] | np.ndarray]
DRAWS = 2000  # of the bootstrap


def interquartile_mean(scores: Scores, draws: int = DRAWS) -> Estimate:
    """Return the mean of the middle half of all scores of all tasks.

    The smallest and the largest quarter are left out, each rounded down to a number of scores.

    Args:
        scores: Scores by task.
        draws: Draws of the bootstrap.

    Returns:
        An `Estimate`. With one run in a task there is no interval: low and high are NaN.

    Examples:
        >>> interquartile_mean({"a": [0.0, 1.0, 2.0, 9.0]}).value
        1.5
    """
    tasks = [np.asarray(own, dtype=np.float64) for own in scores.values()]
    return bootstrap(tasks, lambda drawn: middle_mean(np.concatenate(drawn, -1)), draws)


def middle_mean(values: np.ndarray) -> np.ndarray:
    """The mean of the middle half along the last axis."""
    ordered, cut = np.sort(values, -1), values.shape[-1] // 4
    return ordered[..., cut : values.shape[-1] - cut].mean(-1)


def probability_of_improvement(ours: Scores, theirs: Scores, draws: int = DRAWS) -> Estimate:
    """Return the probability that a run of ours scores higher than one of theirs, on a random task.

    Ties count half, as in the statistic of Mann and Whitney.

    Args:
        ours: Scores by task.
        theirs: Scores of the same tasks.
        draws: Draws of the bootstrap.

    Returns:
        An `Estimate` between 0 and 1. With one run in a task there is no interval.

    Examples:
        >>> probability_of_improvement({"a": [1.0, 3.0]}, {"a": [2.0, 2.0]}).value
        0.5
    """
    if ours.keys() != theirs.keys():
        raise ValueError(f"tasks {', '.join(ours)} and {', '.join(theirs)}: they must be the same")
    samples = [np.asarray(own[task], dtype=np.float64) for own in (ours, theirs) for task in ours]

    def chance(drawn: Sequence[np.ndarray]) -> np.ndarray:
        pairs = zip(drawn[: len(ours)], drawn[len(ours) :], strict=True)
        return np.mean([win_rate(first, second) for first, second in pairs], axis=0)

    return bootstrap(samples, chance, draws)


def win_rate(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The fraction of pairs in which the first is larger, ties half, over the last axis of each."""
    difference = first[..., :, None] - second[..., None, :]
    return ((np.sign(difference) + 1) / 2).mean((-2, -1))


def performance_profile(
    scores: Scores, thresholds: Sequence[float] | np.ndarray, draws: int = DRAWS
) -> list[Estimate]:
    """Return for each threshold the fraction of runs that score more, as a mean over tasks.

    Args:
        scores: Scores by task.
        thresholds: Thresholds (k,).
        draws: Draws of the bootstrap.

    Returns:
        An `Estimate` for each threshold.

    Examples:
        >>> [each.value for each in performance_profile({"a": [0.2, 0.8]}, [0.0, 0.5, 1.0])]
        [1.0, 0.5, 0.0]
    """
    tasks = [np.asarray(own, dtype=np.float64) for own in scores.values()]
    return [bootstrap(tasks, partial(fraction_above, threshold), draws) for threshold in thresholds]


def fraction_above(threshold: float, tasks: Sequence[np.ndarray]) -> np.ndarray:
    """The fraction of scores above a threshold, over the last axis, as a mean over tasks."""
    return np.mean([(own > threshold).mean(-1) for own in tasks], axis=0)


def bootstrap(
    samples: Sequence[np.ndarray],
    statistic: Callable[[Sequence[np.ndarray]], np.ndarray],
    draws: int = DRAWS,
    seed: int = 0,
) -> Estimate:
    """Return a statistic of several samples with the percentile interval of a bootstrap.

    Args:
        samples: Samples (n,), each drawn again on its own.
        statistic: From samples (..., n) to values (...).
        draws: How often the samples are drawn again.
        seed: The seed of the draws, so that a table is the same when it is made again.

    Returns:
        An `Estimate` whose n is the size of the smallest sample. If that is one, there is no
        interval.
    """
    value, smallest = float(statistic(samples)), min(map(len, samples))
    if smallest < 2:
        return Estimate(value, np.nan, np.nan, smallest)
    random = np.random.default_rng(seed)
    drawn = [own[random.integers(len(own), size=(draws, len(own)))] for own in samples]
    tail = 50 * (1 - LEVEL)
    low, high = np.percentile(statistic(drawn), [tail, 100 - tail])
    return Estimate(value, float(low), float(high), smallest)
