"""The launcher of Hydra sweeps: it runs the jobs of a sweep by the scheduler.

stablenets -m hydra/launcher=local hydra.launcher.jobs=4 net=plain,resnet seed=0,1,2
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn, JobStatus
from hydra.plugins.launcher import Launcher
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from stablenets.config.defaults import field_defaults
from stablenets.config.overrides import plain_options
from stablenets.errors import BadInput
from stablenets.execution.executor import EXECUTORS, make_executor
from stablenets.execution.job import Job
from stablenets.execution.scheduler import run_jobs
from stablenets.execution.sweep import (
    JobRecord,
    SweepRun,
    objective,
    plan_sweep_run,
    refused_outcome,
)
from stablenets.runs.session import Outcome

# Hydra accepts launchers of the package hydra_plugins only, and finds the class by this name
TARGET = "hydra_plugins.stablenets.SweepLauncher"


class SweepLauncher(Launcher):
    """Runs the jobs of a sweep by one of our executors; the options are in `hydra.launcher`."""

    def __init__(self, **_: Any) -> None:
        super().__init__()  # Hydra gives the options to setup() too

    def setup(
        self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig
    ) -> None:
        self.hydra_context, self.config = hydra_context, config
        options = plain_options(config.hydra.launcher)
        del options["_target_"]
        self.executor = make_executor(options.pop("executor"), options, "hydra.launcher")

    def launch(
        self, job_overrides: Sequence[Sequence[str]], initial_job_idx: int
    ) -> Sequence[JobReturn]:
        """Run the jobs, and return what Hydra's sweeper needs of each.

        Raises:
            BadInput: If the executor cannot be used here.
            SystemExit: If a signal stopped the sweep; the running jobs have been saved.
        """
        sweep = PlannedSweep(job_overrides, initial_job_idx, self.hydra_context, self.config)
        if sweep.jobs:
            context = sweep.jobs[0].context
            stopped_by = run_jobs(sweep.jobs, context, self.executor, sweep.on_finished)
            if stopped_by is not None:
                raise SystemExit(128 + stopped_by)
        return sweep.returns()


class PlannedSweep:
    """The jobs of a sweep with their records.

    Two jobs may be the same run; the run is made once, and both records say how it ended.

    Args:
        job_overrides: The words of each job.
        first: The number of the first job.
        hydra_context: What composes the options of a job.
        config: The configuration of the sweep.
    """

    def __init__(
        self,
        job_overrides: Sequence[Sequence[str]],
        first: int,
        hydra_context: HydraContext,
        config: DictConfig,
    ) -> None:
        self.jobs: list[SweepRun] = []
        self.records: list[JobRecord] = []
        self.names: list[str | None] = []  # the run of each record; None if it was refused
        self.outcomes: dict[str, Outcome] = {}
        for number, words in enumerate(job_overrides, start=first):
            composed = hydra_context.config_loader.load_sweep_config(config, list(words))
            with open_dict(composed):
                composed.hydra.job.id = composed.hydra.job.num = number
            hydra = composed.hydra
            folder = Path(hydra.sweep.dir, str(hydra.sweep.subdir)).absolute()
            record = JobRecord(folder, list(hydra.overrides.task))
            with open_dict(composed):
                del composed["hydra"]
            self._add(record, plain_options(composed))

    def _add(self, record: JobRecord, values: dict[str, Any]) -> None:
        self.records.append(record)
        try:
            run = plan_sweep_run(values, record.overrides, Path.cwd())
        except BadInput as error:
            self.names.append(None)
            record.write_outcome(refused_outcome(error))
            return
        record.write("waiting", run=run.name)
        if run.name not in self.names:
            self.jobs.append(run)
        self.names.append(run.name)

    def on_finished(self, job: Job, outcome: Outcome) -> None:
        """Write the records of a run that has ended."""
        self.outcomes[job.name] = outcome
        for name, record in zip(self.names, self.records, strict=True):
            if name == job.name:
                record.write_outcome(outcome)

    def returns(self) -> list[JobReturn]:
        """What Hydra's sweeper needs of each job, when all have ended."""
        return [
            JobReturn(
                overrides=record.overrides,
                status=JobStatus.COMPLETED,
                _return_value=objective(self.outcomes[name]) if name else None,
            )
            for name, record in zip(self.names, self.records, strict=True)
        ]


def register_launchers() -> None:
    """Make `hydra/launcher=NAME` known to Hydra for each executor; `local` is the default."""
    Plugins.instance().class_name_to_class[TARGET] = SweepLauncher
    store = ConfigStore.instance()
    for name, executor in EXECUTORS.items():
        node = {"_target_": TARGET, "executor": name} | field_defaults(executor)
        store.store(name, node, group="hydra/launcher")
        if name == "local":
            store.store("basic", node, group="hydra/launcher")  # the name of Hydra's own default
