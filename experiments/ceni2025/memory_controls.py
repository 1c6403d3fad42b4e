"""Beside claim 3: what is left of it without clipping, with α below 1, with the readout alone; and an LSTM that is made for long lags."""
from __future__ import annotations

import pandas as pd

from experiments.ceni2025.nets import RECURRENT
from experiments.ceni2025.recall import outcomes, solved
from stablenets.claims.results import Results

CONTROLS = {"unclipped": ", not clipped", "convex": ", α = 1 - 0.01/T", "readout": ", readout only", "chrono": ", chrono"}  # by group
NAMES = {
    "unclipped": "Without clipping roaRNN",
    "convex": "With α = 1 - 0.01/T, which for relu is the convex form with β = 0.01/T and W, U and b scaled up, it",
    "readout": "With the readout trained alone, W, U and b staying as they begin, it",
    "chrono": "LSTM with the chrono initialisation",
}


def told(results: Results) -> str:
    """A sentence for each control that has been run."""
    sentences = []
    for group, name in NAMES.items():
        rows = outcomes(results, group)
        if len(rows):
            parts = (f"{task} over {length:,} steps {solved(own)}"
                     + (f", largest training loss {own['highest'].max():.2g}" if group == "unclipped" else "")
                     for (task, length), own in rows.groupby(["task", "length"]))
            sentences.append(f" {name}: {'; '.join(parts)}.")
    return "".join(sentences)


def rates_table(results: Results) -> pd.DataFrame:
    """Every family by learning rate, at one lag."""
    rows = outcomes(results, "memory_rates")
    return pd.DataFrame([{
        "task": row.task, "length": row.length, "net": RECURRENT[row.family][0], "rate": row.rate,
        "solved at step": solved(rows.loc[[row.Index]]), "error at the end, test": row.end, "loss / memoryless": row.loss,
        "ended": row.status} for row in rows.sort_values(["task", "family", "rate"]).itertuples()])
