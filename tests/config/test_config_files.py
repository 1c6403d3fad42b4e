"""Every file under configs/ is a promise: it names its command, its keys are the schema's, and what
it describes runs.
"""

import dataclasses
import json
import re
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
from conftest import compose

from stablenets.config import resolve
from stablenets.config.composition import CONFIGS, group_choices
from stablenets.config.options import Config, Net, Optim, Probe, Seeds, Wandb
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, RECURRENT
from stablenets.training.run import train

# A dataset of each kind that needs no file, and what it stands in for where an experiment asks for
# files.
EMBEDDED = {"planar": "ellipses", "image": "digits", "sequence": "psdigits"}
WITHOUT_FILES = {
    name for name, kind in DATASETS.items() if "digits" in name or kind().facts.kind == "planar"
} | {"adding", "copy"}
ALL = FAMILIES | RECURRENT
SHRUNK = ("profile=smoke", "epochs=1", "dataset.limit=32", "batch=16")


def files(group: str) -> list[str]:
    """The choices of a group, by the name that the command line takes."""
    return sorted(
        path.relative_to(CONFIGS / group).with_suffix("").as_posix()
        for path in (CONFIGS / group).rglob("*.yaml")
    )


def fields(*parts: type) -> set[str]:
    return {field.name for part in parts for field in dataclasses.fields(part)}


def finished(run) -> None:
    outcome = train(run)
    assert (outcome.status, outcome.exit_code) in {("done", 0), ("diverged", 0)}, outcome.message
    assert json.loads((outcome.folder / "status.json").read_text())["status"] == outcome.status


def head(path: Path) -> list[str]:
    """The comments that a file begins with."""
    return list(takewhile(lambda line: line.startswith("#"), path.read_text().splitlines()))


def command(path: Path) -> list[str]:
    """The overrides of the command in a file's first comments; of a sweep, its first job."""
    line = next((line for line in head(path) if line.startswith("# stablenets ")), "# stablenets")
    words = takewhile(
        lambda word: not word.startswith("("), line.split()[2:]
    )  # a remark may follow in parentheses
    return [
        re.sub(r"=([^,\[]*),.*", r"=\1", word)
        for word in words
        if word != "-m" and not word.startswith("hydra")
    ]


PATHS = sorted(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_file_begins_with_a_command_that_can_be_run(path):
    overrides = command(path)
    assert overrides, f"{path}: begin with `# stablenets ...`"
    if path != CONFIGS / "config.yaml":
        group, name = path.relative_to(CONFIGS).with_suffix("").as_posix().split("/", 1)
        assert f"{group}={name}" in overrides
    resolve(compose(*overrides))


@pytest.mark.parametrize("net", group_choices("net"))
def test_all_options_of_a_net_can_be_typed(net):
    values = compose(f"net={net}")["net"]
    assert set(values) == fields(Net, ALL[values["family"]])


@pytest.mark.parametrize("dataset", DATASETS)
def test_all_options_of_a_dataset_can_be_typed(dataset):
    values = compose(f"dataset={dataset}")["dataset"]
    assert set(values) == {"name"} | fields(CommonDataOptions, DATASETS[dataset])


@pytest.mark.parametrize("optim", group_choices("optim"))
def test_all_options_of_an_optimiser_can_be_typed(optim):
    values = compose(f"optim={optim}")["optim"]
    assert set(values) == fields(Optim)
    assert values["name"] == optim


def test_all_options_of_a_run_can_be_typed():
    values = compose()
    assert set(values) == fields(Config)
    assert (set(values["seeds"]), set(values["probe"]), set(values["wandb"])) == (
        fields(Seeds),
        fields(Probe),
        fields(Wandb),
    )


def fits(net: str, dataset: str) -> bool:
    try:
        resolve(compose(f"net={net}", f"dataset={dataset}", "profile=smoke"))
    except BadInput:
        return False
    return True


@cache
def fitting_nets(dataset: str) -> list[str]:
    return [net for net in group_choices("net") if fits(net, dataset)]


@pytest.mark.parametrize("net", group_choices("net"))
def test_net_trains_on_every_kind_of_data_that_it_takes(net, resolved):
    taken = [dataset for dataset in EMBEDDED.values() if net in fitting_nets(dataset)]
    assert taken, f"net={net} fits no embedded dataset"
    for dataset in taken:
        depth = (
            "null"
            if compose(f"net={net}")["net"]["family"] in RECURRENT
            else max(4, 2 * len(compose(f"net={net}")["net"]["widths"]))
        )
        finished(
            resolved(
                f"net={net}", f"dataset={dataset}", *SHRUNK, "net.blocks=null", f"depth={depth}"
            )
        )


@pytest.mark.parametrize("name", files("experiment"))
def test_experiment_runs_shrunk(name, resolved):
    real = resolve(compose(f"experiment={name}"))
    instead = (
        []
        if real.dataset_name in WITHOUT_FILES
        else [f"dataset={EMBEDDED[real.dataset.facts.kind]}"]
    )
    finished(
        resolved(
            f"experiment={name}",
            *instead,
            *SHRUNK,
            "net.blocks=null",
            f"depth={max(4, 2 * len(real.net.widths))}",
            "probe.spectrum_epochs=[]",
        )
    )
