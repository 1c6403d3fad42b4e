"""What a plan consists of: trainings, and studies, which are measurements without training.

Each is run once, in a run folder whose name ends in the hash of all options that decide its
numbers. Both are jobs: see `execution.job`.
"""

from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any, ClassVar

import numpy as np
import torch

from stablenets.config import Resolved, resolve
from stablenets.config.command import command_words
from stablenets.config.defaults import as_plain_values, field_defaults
from stablenets.config.identity import differing_options, hash_identity
from stablenets.execution.job import RunContext
from stablenets.nets import Network, SequenceNetwork
from stablenets.runs.folder import FINISHED, PROBES, RunFolder
from stablenets.runs.provenance import command_line, session_entry
from stablenets.runs.session import Outcome, RunSession, finished_run, run_session
from stablenets.schema import check_ranges, flatten_keys, option
from stablenets.training.environment import pick_device
from stablenets.training.network import load_trained_network
from stablenets.training.run import train
from stablenets.training.signals import TERMINATING, end_on_signal

# First layer, output layer and evaluation together take about as long as this number of layers.
FIXED_COST = 20
Measured = tuple[dict[str, float], dict[str, np.ndarray]]  # metrics and small arrays, by name


@dataclass(frozen=True)
class Training:
    """A job that trains one network: a run of `train`.

    Args:
        values: The mapping that `config.resolve` takes.
        keep: Names of the arrays that the ledger keeps of it, from its probes or its metrics.
        needs: The jobs that must be finished before this one.

    Examples:
        >>> values = {"dataset": {"name": "digits"}, "net": {"family": "resnet"}, "epochs": 5}
        >>> training = Training(values, keep=("test_accuracy",))
        >>> training.run(RunContext(Path("runs"), command="make")).status
        'done'
    """

    values: Mapping[str, Any]
    keep: tuple[str, ...] = ()
    needs: tuple[Work, ...] = ()

    @cached_property
    def resolved(self) -> Resolved:
        return resolve(self.values)

    @cached_property
    def name(self) -> str:
        return self.resolved.name

    @property
    def dataset(self) -> str:
        return self.resolved.dataset_name

    @property
    def seed(self) -> int:
        return self.resolved.config.seeds.init

    @property
    def options(self) -> dict[str, Any]:
        """All resolved options by keys such as `net.family`: the columns of tables."""
        return flatten_keys(self.resolved.options)

    @property
    def cost_class(self) -> tuple[str, ...]:
        """Jobs of one cost class take time proportional to `cost`.

        The number of examples is known only after the data is read. So `limit` and `train_fraction`
        are part of the class.
        """
        run = self.resolved
        return (
            run.net.family,
            run.net.operator,
            run.dataset_name,
            str(run.common.limit),
            str(run.common.train_fraction),
        )

    @property
    def cost(self) -> float:
        """Layers times epochs, times the examples of an epoch if a task generates them."""
        run = self.resolved
        examples = getattr(run.dataset, "examples", 1)
        return ((run.config.depth or 0) + FIXED_COST) * run.config.epochs * examples

    @property
    def words(self) -> list[str]:
        """The arguments of the command `stablenets` that makes the same run."""
        return command_words(self.options)

    @property
    def command(self) -> str:
        """The command line that makes the same run."""
        return command_line(self.words)

    def trained(self, context: RunContext) -> Network | SequenceNetwork:
        """The network of the finished run, on the CPU in float64."""
        folder = context.runs / self.name
        net = load_trained_network(self.resolved, folder)
        return net.double().eval().requires_grad_(False)

    def run(self, context: RunContext) -> Outcome:
        """Make the run, unless it is finished."""
        execution = {
            "runs": str(context.runs),
            "device": context.device,
            "data_root": context.data_root,
            "stale": context.stale,
            "progress": "none",
            "wandb": {"mode": "disabled"},
        }
        return train(resolve({**self.values, **execution}), self.command)


@dataclass(frozen=True)
class Study:
    """Base class of studies: measurements that are a pure function of their options.

    The fields are the options, made with `schema.option`. A field may be another job, which then
    runs first. `key` names the study in the hash of its runs: it never changes, even if the
    class gets another name. `version` is raised when the study measures something else.

    Examples:
        >>> @dataclass(frozen=True)
        ... class Growth(Study):
        ...     key = "mypaper/growth"
        ...     depth: int = option(16, low=1)
        ...
        ...     def measure(self, context):
        ...         return {"growth": 1.01**self.depth}, {}
        >>> Growth(32).run(RunContext(Path("runs"), command="make")).summary
        {'growth': 1.37...}
    """

    key: ClassVar[str] = ""  # paper/study

    # Subclasses may replace these four by a constant, a field or a cached property. An annotation
    # would turn them into fields, and a plain property could not be replaced by a field.
    version = 1
    cost = 1.0

    @cached_property
    def dataset(self) -> str:
        return ""

    @cached_property
    def seed(self) -> int | None:
        return None

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def further_defaults(cls) -> dict[str, Any]:
        """Defaults of options that are not fields."""
        return {}

    def measure(self, context: RunContext) -> Measured:
        """Metrics and small arrays by name; each study defines it."""
        raise TypeError(f"{type(self).__name__} measures nothing")

    @property
    def needs(self) -> tuple[Work, ...]:
        """The fields that are jobs."""
        return tuple(value for value in vars(self).values() if isinstance(value, Training | Study))

    @property
    def options(self) -> dict[str, Any]:
        """All options on which the numbers depend: key, version and fields of the study."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        named = {
            name: value.name if isinstance(value, Training | Study) else value
            for name, value in values.items()
        }
        return as_plain_values({"study": self.key, "version": self.version, **named})

    @cached_property
    def name(self) -> str:
        return study_name(self.options, study_defaults(type(self)))

    @property
    def cost_class(self) -> tuple[str, ...]:
        """Jobs of one cost class take time proportional to `cost`."""
        return (type(self).__name__,)

    def run(self, context: RunContext) -> Outcome:
        """Measure and write the results to the run folder, unless that is done.

        A run that this study needs is made first, if it is missing or damaged.
        """
        folder = RunFolder(context.runs / self.name)
        if finished := finished_run(folder, context.stale):
            return finished
        for needed in self.needs:
            if not finished_run(RunFolder(context.runs / needed.name), context.stale):
                outcome = needed.run(context)
                if outcome.status not in FINISHED:
                    return dataclasses.replace(outcome, folder=folder.path)
        work = partial(self._measure_in_session, context)
        return run_session(folder, work, stale=context.stale)

    def _measure_in_session(self, context: RunContext, session: RunSession) -> Outcome:
        entry = session_entry(pick_device(context.device), 1, context.command) | {
            "data": {"source": self.dataset, "digests": {}},
            "seeds": {"init": self.seed},
        }
        execution = dataclasses.asdict(context) | {"runs": str(context.runs)}
        session.begin(self.options, execution, entry)
        torch.set_num_threads(1)
        with end_on_signal(session.interrupt, TERMINATING):  # there is nothing to save
            metrics, arrays = self.measure(context)
            buffer = io.BytesIO()
            # numpy's stub: one of the arrays could be the argument `allow_pickle`
            np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]
            session.write(PROBES, buffer.getbuffer())
            return session.finish("done", metrics)


@dataclass(frozen=True)
class TrainedNetStudy(Study):
    """Base class of studies of one trained network; its training gives data set and seed."""

    training: Training = option()

    @cached_property
    def dataset(self) -> str:
        return self.training.dataset

    @cached_property
    def seed(self) -> int:
        return self.training.seed


Work = Training | Study


def study_defaults(cls: type[Study]) -> dict[str, Any]:
    """The defaults of all options of a study: its fields and `further_defaults`."""
    return field_defaults(cls) | cls.further_defaults()


def study_name(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The name of a study's run folder: key, options that differ from their defaults, and hash.

    A seed is always part of it.
    """
    identity = differing_options(options, defaults, always=("seed",))
    shown = sorted(identity.keys() - {"study", "version"}, key=lambda name: (name == "seed", name))
    chosen = [f"{name}_{identity[name]}" for name in shown]
    words = [
        re.sub(r"[^\w.+-]+", "_", word) for word in (identity["study"].replace("/", "-"), *chosen)
    ]
    return "-".join([*words, hash_identity(identity)])


def in_dependency_order(groups: Sequence[Sequence[Work]]) -> list[Work]:
    """The jobs of a plan, each once and after all jobs that it needs.

    Args:
        groups: The groups of the plan, in order.
    """
    found: dict[str, Work] = {}

    def add(work: Work) -> None:
        for earlier in work.needs:
            add(earlier)
        found.setdefault(work.name, work)

    for group in groups:
        for work in group:
            add(work)
    return list(found.values())
