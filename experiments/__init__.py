"""A folder a paper: the plan (which runs, by profile), the studies, the claims, the figures. A new
one is a folder and a line here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from stablenets.claims.paper import Paper

PAPERS = {
    "haber2017": "experiments.haber2017",
    "chang2018": "experiments.chang2018",
    "galimberti2023": "experiments.galimberti2023",
    "ceni2025": "experiments.ceni2025",
}


def load(handle: str) -> Paper:
    return importlib.import_module(PAPERS[handle]).PAPER
