"""What a plan is made of: trainings, and studies, which are measurements without training.

Both are made once, in a run folder named by the hash of all that decides their numbers, and both
end in the same vocabulary.
"""

from __future__ import annotations

import dataclasses
import io
import re
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from stablenets.config import Resolved, resolve
from stablenets.config.defaults import as_plain_values, field_defaults
from stablenets.config.identity import differing_options, hash_identity
from stablenets.errors import BadInput, Busy
from stablenets.nets import Network, SequenceNetwork
from stablenets.runs import files, provenance
from stablenets.runs.folder import RunFolder
from stablenets.runs.lock import Lock
from stablenets.schema import check_ranges, flatten_keys, format_value, option
from stablenets.training.run import Outcome, broken, finished_run, pick_device, train, trained

ENDS = 20  # layers that take about as long as what a run has besides: opening, head, evaluation
Measured = tuple[dict[str, float], dict[str, np.ndarray]]  # metrics and small arrays, by name


@dataclass(frozen=True)
class RunContext:
    """Where and how work is made; nothing of it enters a hash."""

    runs: Path
    command: str  # that a person typed
    device: str = "auto"
    data_root: str | None = None
    profile: str = "quick"


@dataclass(frozen=True)
class Training:
    """A run of `train`, from the mapping that `config.resolve` takes. `keep` names the arrays that
    the ledger keeps of it, of its probes or its metrics; `needs` is the work that must be finished
    before it.
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
        """What tables tell rows apart by: the resolved configuration with keys as `net.family`."""
        return flatten_keys(self.resolved.options)

    @property
    def cost_class(self) -> tuple[str, ...]:
        """Work of one kind takes a time in proportion to its size. How many examples a limit or a
        share leaves is known when they are read, so that work is of one kind where it has the
        same.
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
        run = self.resolved
        drawn = getattr(run.dataset, "examples", 1)  # in an epoch, of a task without end
        return ((run.config.depth or 0) + ENDS) * run.config.epochs * drawn

    @property
    def words(self) -> list[str]:
        """The same run on the command line of `stablenets`."""
        chosen = {"dataset.name": "dataset", "net.family": "net", "optim.name": "optim"}
        return [
            f"{chosen.get(key, key)}={word(value)}"
            for key, value in flatten_keys(self.values).items()
        ]

    def trained(self, place: RunContext) -> Network | SequenceNetwork:
        """The network of the finished run, on the CPU in float64."""
        return (
            trained(self.resolved, self.resolved.dataset.facts, place.runs / self.name)
            .double()
            .eval()
            .requires_grad_(False)
        )

    def make(self, place: RunContext) -> Outcome:
        sys.argv[1:] = self.words  # provenance names the command that makes this run alone
        manner = {
            "runs": str(place.runs),
            "device": place.device,
            "data_root": place.data_root,
            "profile": place.profile,
            "progress": "none",
            "wandb": {"mode": "disabled"},
        }
        return train(resolve({**self.values, **manner}))


@dataclass(frozen=True)
class Study:
    """Base of the studies: fields are options, made with `schema.option`, and `measure` is a pure
    function of them.

    `key` names the study in the hash of its runs: it never changes, whatever the class is called. A
    study counts its `version` up when what it measures changes. A field may be other work, which is
    then finished before.
    """

    key: ClassVar[str] = ""  # paper/study

    # facts of a study, which a subclass may state anew or have as fields; annotated they would come
    # first among its fields
    version = 1
    dataset = ""
    seed = None
    cost = 1.0

    def __post_init__(self) -> None:
        check_ranges(self)

    @classmethod
    def further_defaults(cls) -> dict[str, Any]:
        """Defaults of options that are not fields."""
        return {}

    def measure(self, place: RunContext) -> Measured:
        raise TypeError(f"{type(self).__name__} measures nothing")

    @property
    def needs(self) -> tuple[Work, ...]:
        return tuple(value for value in vars(self).values() if isinstance(value, Training | Study))

    @property
    def options(self) -> dict[str, Any]:
        """All that decides the numbers, as plain values: key and version of the study, and its
        fields.
        """
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
        return (type(self).__name__,)

    def make(self, place: RunContext) -> Outcome:
        if finished := finished_run(RunFolder(place.runs / self.name)):
            return finished
        device = pick_device(place.device)
        folder = RunFolder.create(place.runs, self.name)
        with Lock(folder.path):
            history = provenance.load(folder.path)
            session = provenance.session(device, 1) | {
                "command": place.command,
                "data": {"source": self.dataset, "digests": {}},
                "seeds": {"init": self.seed},
            }
            begun = time.monotonic()
            folder.write_config(self.options, dataclasses.asdict(place) | {"runs": str(place.runs)})
            folder.set_status("running")
            torch.set_num_threads(1)
            try:
                metrics, arrays = self.measure(place)
                buffer = io.BytesIO()
                np.savez_compressed(buffer, **arrays)
                files.write(folder.path / "probes.npz", buffer.getbuffer())
                session["wall_s"] = round(time.monotonic() - begun, 3)
                files.write_json(folder.path / "provenance.json", [*history, session])
                folder.set_status("done", summary=metrics, rows=0, wall_s=session["wall_s"])
            except BadInput:
                raise
            except Exception as error:
                reason = f"{type(error).__name__}: {' '.join(str(error).split()) or 'no message'}"
                return broken(
                    folder, f"{reason}; the traceback is in {folder.path / 'log.txt'}", reason
                )
        return Outcome(folder.path, "done", f"{folder.path}: done", metrics)


@dataclass(frozen=True)
class TrainedNetStudy(Study):
    """Base of what is measured on one trained net: it has that training's data set and seed."""

    training: Training = option()

    @property
    def dataset(self) -> str:
        return self.training.dataset

    @property
    def seed(self) -> int:
        return self.training.seed


Work = Training | Study


def attempt(work: Work, place: RunContext) -> Outcome:
    """Make one piece of work; whatever is wrong with its input is an outcome too, and stops no
    other.
    """
    try:
        return work.make(place)
    except Busy as error:
        return Outcome(place.runs / work.name, "busy", str(error), exit_code=error.exit_code)
    except BadInput as error:
        return Outcome(place.runs / work.name, "failed", str(error), exit_code=error.exit_code)


def study_defaults(cls: type[Study]) -> dict[str, Any]:
    """The defaults of a study's options; what a study measures beside its fields is stated by its
    class.
    """
    return field_defaults(cls) | cls.further_defaults()


def study_name(options: Mapping[str, Any], defaults: Mapping[str, Any]) -> str:
    """The name of a study's run folder: its key, the options that differ from their defaults, and
    their hash. A seed always enters.
    """
    identity = differing_options(options, defaults, always=("seed",))
    shown = sorted(identity.keys() - {"study", "version"}, key=lambda name: (name == "seed", name))
    chosen = [f"{name}_{identity[name]}" for name in shown]
    words = [
        re.sub(r"[^\w.+-]+", "_", word) for word in (identity["study"].replace("/", "-"), *chosen)
    ]
    return "-".join([*words, hash_identity(identity)])


def unique(groups: Sequence[Sequence[Work]]) -> list[Work]:
    """Every piece of work of a plan once, what it needs before itself."""
    found: dict[str, Work] = {}

    def add(work: Work) -> None:
        for earlier in work.needs:
            add(earlier)
        found.setdefault(work.name, work)

    for group in groups:
        for work in group:
            add(work)
    return list(found.values())


def word(value: Any) -> str:
    """A value as Hydra reads it."""
    return (
        f"[{','.join(map(word, value))}]"
        if isinstance(value, list | tuple)
        else str(format_value(value))
    )
