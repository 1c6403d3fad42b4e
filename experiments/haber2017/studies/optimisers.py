"""The study that compares the authors' optimiser with Adam."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np

from stablenets.claims.work import Measured, RunContext, Study
from stablenets.config import resolve
from stablenets.schema import flatten_keys, option

from ..optimisers.block_descent import BlockDescent
from ..optimisers.race import run_race
from ..trainings import planar


@dataclass(frozen=True)
class OptimiserRace(Study):
    """Block coordinate descent compared with Adam on a planar problem.

    Adam gets as much CPU time as block descent took, and its learning rate cycle ends with it.

    Metrics; NAME is `descent` or `adam`:
        seconds: CPU time of block descent.
        NAME_test_error: Test error of the iterate with the lowest validation error, as the paper
            chooses it.
        NAME_objective: Objective on the training data at the end.
        descent_work: Products with the Hessian.
        adam_work: Gradients.

    Arrays, with one entry for the start and one for each iteration or epoch:
        NAME_seconds, NAME_objective, NAME_test_error: CPU time, objective and test error.
    """

    key = "haber2017/optimiser_race"

    dataset: str = option("swiss_roll")
    family: str = option("resnet")
    layers: int = option(16, low=1)
    iterations: int = option(40, "of block descent", low=1)
    smoothness: float = option(1e-4, low=0.0)
    seed: int = option(0, low=0)
    batch: int = option(
        512, "examples of an iteration of block descent, and of its products; at most all", low=1
    )
    rate: float | None = option(None, "of Adam; null: that of the family", above=0.0)
    width: int | None = option(None, "features; null: those of Meganet", low=1)

    @property
    def descent(self) -> BlockDescent:
        """The options of block descent."""
        return BlockDescent(iterations=self.iterations, batch=self.batch, sample=self.batch)

    @property
    def options(self) -> dict[str, Any]:
        return super().options | flatten_keys({"descent": dataclasses.asdict(self.descent)})

    @classmethod
    def further_defaults(cls) -> dict[str, Any]:
        return flatten_keys({"descent": dataclasses.asdict(BlockDescent())})

    @property
    def cost(self) -> float:
        return self.layers * self.iterations

    def measure(self, context: RunContext) -> Measured:
        # The number of epochs does not matter, because the time limits Adam.
        problem = planar(
            *(self.dataset, self.family, self.layers, self.seed, 1),
            smoothness=self.smoothness,
            rate=self.rate,
            width=self.width,
        )
        traces = run_race(resolve(problem.values), self.descent)
        metrics = {"seconds": traces["block descent"].seconds[-1]}
        arrays: dict[str, np.ndarray] = {}
        for optimiser, name in {"block descent": "descent", "adam": "adam"}.items():
            trace = traces[optimiser]
            metrics |= {
                f"{name}_test_error": trace.test_error[trace.best],
                f"{name}_objective": trace.objective[-1],
                f"{name}_work": trace.work[-1],
            }
            arrays |= {
                f"{name}_seconds": np.array(trace.seconds),
                f"{name}_objective": np.array(trace.objective),
                f"{name}_test_error": np.array(trace.test_error),
            }
        return metrics, arrays
