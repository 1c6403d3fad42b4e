"""What a run of a memory task came to: adding two marked numbers, or saying ten symbols again,
after so many steps.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from stablenets.claims.results import Results
from stablenets.claims.work import Training

SUM = 0.01  # mean squared error at which the adding problem is solved; always saying 1 has 1/6
SYMBOLS, NAMED, RECALLED = (
    10,
    8,
    0.99,
)  # of the copy problem: recalled, out of how many, and the share that must be right


def memoryless(task: str, length: int) -> float:
    """The loss of the best answer without memory."""
    return 1 / 6 if task == "adding" else SYMBOLS * math.log(NAMED) / (length + 2 * SYMBOLS)


def wrong(task: str, length: int, arrays: dict[str, np.ndarray], split: str) -> np.ndarray:
    """What a task is judged by, by epoch: the squared error, or the share of symbols that are not
    said again, a wrong blank counted too.
    """
    if task == "adding":
        return arrays[f"{split}_loss"]
    return np.minimum(1.0, (1 - arrays[f"{split}_accuracy"]) * (length + 2 * SYMBOLS) / SYMBOLS)


def error(work: Training, results: Results, split: str) -> np.ndarray:
    return wrong(work.dataset, work.resolved.dataset.length, results.arrays(work.name), split)


def solved_at(work: Training, results: Results) -> float:
    """The step after which a run had solved its task on the validation sequences; infinite where it
    never had, did not come to its end, or had lost it again on the test sequences there.
    """
    limit = SUM if work.dataset == "adding" else 1 - RECALLED
    met, last = (
        np.flatnonzero(error(work, results, "validation") < limit),
        error(work, results, "test"),
    )
    holds = results.ledger[work.name].status == "done" and len(last) and last[-1] < limit
    return float(results.arrays(work.name)["step"][met[0]]) if len(met) and holds else math.inf


def outcomes(results: Results, *groups: str) -> pd.DataFrame:
    """A row a run."""
    found = []
    for group in groups:
        for work in results.works((group,)):
            arrays, entry, run = results.arrays(work.name), results.ledger[work.name], work.resolved
            last, known = (
                error(work, results, "test"),
                arrays["train_loss"][np.isfinite(arrays["train_loss"])],
            )
            found.append(
                {
                    "run": work.name,
                    "group": group,
                    "task": work.dataset,
                    "length": run.dataset.length,
                    "family": run.net.family,
                    "seed": work.seed,
                    "status": entry.status,
                    "filter": getattr(run.dynamics, "filter", ""),
                    "rate": run.config.optim.lr,
                    "warmup": run.config.optim.warmup,
                    "input_scale": getattr(run.dynamics, "input_scale", math.nan),
                    "clip_norm": run.config.optim.clip_norm,
                    "parameters": entry.metrics.get("parameters", math.nan),
                    "steps": entry.metrics.get("steps", math.nan),
                    "wall_s": float(entry.provenance["wall_s"]),
                    "solved_at": solved_at(work, results),
                    "end": float(last[-1]) if len(last) else math.nan,
                    "validation": (
                        float(error(work, results, "validation")[-1]) if len(last) else math.nan
                    ),
                    "highest": float(known.max()) if len(known) else math.nan,
                    "loss": (
                        float(arrays["test_loss"][-1])
                        / memoryless(work.dataset, run.dataset.length)
                        if len(last)
                        else math.nan
                    ),
                }
            )
    return pd.DataFrame(found)


def solved(rows: pd.DataFrame) -> str:
    times = rows["solved_at"]
    if not np.isfinite(times).any():
        return "not solved"
    share = (
        "" if np.isfinite(times).all() else f" ({np.isfinite(times).sum()} of {len(times)} seeds)"
    )
    return f"at step {times[np.isfinite(times)].median():.0f}{share}"
