"""The choices in the options are the keys of the registries, which they do not import."""

import dataclasses

import pytest

from stablenets.config.options import Config, Net, Optim
from stablenets.engine.flow import BACKWARD_MODES
from stablenets.engine.operators import OPERATORS
from stablenets.nets.assembling import TRANSITIONS
from stablenets.nets.ends import HEADS, OPENINGS
from stablenets.training.optim import SCHEDULES

REGISTRIES = {
    (Net, "operator"): OPERATORS,
    (Net, "transition"): TRANSITIONS,
    (Net, "opening"): [kind for kinds in OPENINGS.values() for kind in kinds],
    (Net, "head"): [kind for kinds in HEADS.values() for kind in kinds],
    (Optim, "schedule"): SCHEDULES,
    (Config, "backward"): BACKWARD_MODES,
}


@pytest.mark.parametrize(
    ("cls", "name"), REGISTRIES, ids=[f"{cls.__name__}-{name}" for cls, name in REGISTRIES]
)
def test_choices_are_the_keys_of_the_registry(cls, name):
    fields = {field.name: field for field in dataclasses.fields(cls)}
    assert set(fields[name].metadata["choices"]) == set(REGISTRIES[cls, name])
