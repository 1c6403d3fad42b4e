"""Every file under configs/ begins with its command, has keys of the schema, and describes a run
that works.
"""

import dataclasses
import json
import re
from functools import cache
from itertools import takewhile
from pathlib import Path

import pytest
import yaml
from conftest import compose

from stablenets.cli import advise_experiment
from stablenets.config import resolve
from stablenets.config.groups import CONFIGS, group_choices
from stablenets.config.options import Config, Net, Optim, Probe, Seeds, Wandb
from stablenets.data import DATASETS, CommonDataOptions
from stablenets.errors import BadInput
from stablenets.execution.launcher import register_launchers
from stablenets.nets import FAMILIES, RECURRENT_FAMILIES
from stablenets.training.run import train

# A data set of each kind that needs no file. It replaces data sets that do.
EMBEDDED = {"planar": "ellipses", "image": "digits", "sequence": "psdigits"}
WITHOUT_FILES = {
    name for name, kind in DATASETS.items() if "digits" in name or kind().facts.kind == "planar"
} | {"adding", "copy"}
ALL = FAMILIES
SHRUNK = ("debug=smoke", "epochs=1", "dataset.limit=32", "batch=16")


def fields(*parts: type) -> set[str]:
    return {field.name for part in parts for field in dataclasses.fields(part)}


def train_to_the_end(run) -> None:
    """Train, and check that the run folder has the status of the outcome."""
    outcome = train(run)
    assert (outcome.status, outcome.exit_code) in {("done", 0), ("diverged", 0)}, outcome.message
    assert json.loads((outcome.folder / "status.json").read_text())["status"] == outcome.status


def head(path: Path) -> list[str]:
    """The comments at the beginning of a file."""
    return list(takewhile(lambda line: line.startswith("#"), path.read_text().splitlines()))


def command(path: Path) -> list[str]:
    """The words of the command in the first comments of a file; of a sweep, its first job."""
    line = next((line for line in head(path) if line.startswith("# stablenets ")), "# stablenets")
    return [
        re.sub(r"=([^,\[]*),.*", r"=\1", word)
        for word in line.split()[2:]
        if word != "-m" and not word.startswith("hydra")
    ]


PATHS = sorted(CONFIGS.rglob("*.yaml"))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.relative_to(CONFIGS).as_posix())
def test_file_begins_with_a_command_that_can_be_run(path):
    overrides = command(path)
    assert overrides, f"{path}: begin with `# stablenets ...`"
    if path != CONFIGS / "config.yaml":
        group, name = path.relative_to(CONFIGS).with_suffix("").as_posix().split("/", 1)
        sign = "+" if group == "cluster" else ""  # the group is not in config.yaml
        assert f"{sign}{group}={name}" in overrides
    register_launchers()
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
        resolve(compose(f"net={net}", f"dataset={dataset}", "debug=smoke"))
    except BadInput:
        return False
    return True


@cache
def fitting_nets(dataset: str) -> list[str]:
    return [net for net in group_choices("net") if fits(net, dataset)]


def depth_of(family: str, widths: list[int]) -> str:
    """A depth for a short run; a recurrent family has the length of its sequences."""
    return "null" if family in RECURRENT_FAMILIES else str(max(4, 2 * len(widths)))


@pytest.mark.parametrize("net", group_choices("net"))
def test_net_trains_on_every_kind_of_data_that_it_takes(net, resolved):
    taken = [dataset for dataset in EMBEDDED.values() if net in fitting_nets(dataset)]
    assert taken, f"net={net} fits no embedded dataset"
    options = compose(f"net={net}")["net"]
    depth = depth_of(options["family"], options["widths"])
    for dataset in taken:
        words = (f"net={net}", f"dataset={dataset}", *SHRUNK, "net.blocks=null", f"depth={depth}")
        train_to_the_end(resolved(*words))


@pytest.mark.parametrize("name", group_choices("experiment"))
def test_experiment_runs_shrunk(name, resolved):
    real = resolve(compose(f"experiment={name}"))
    embedded = EMBEDDED[real.dataset.facts.kind]
    dataset = real.dataset_name if real.dataset_name in WITHOUT_FILES else embedded
    words = [f"experiment={name}", f"dataset={dataset}", *SHRUNK]
    words += ["net.blocks=null", f"depth={depth_of(real.net.family, real.net.widths)}"]
    words += [f"levels={min(real.config.levels, 1)}"]
    if real.dataset.is_generated:
        words += ["dataset.length=20"]
    train_to_the_end(resolved(*words, "probe.spectrum_epochs=[]"))


@pytest.mark.parametrize("name", group_choices("experiment"))
def test_experiment_begins_with_its_time_and_the_result_to_expect(name):
    comments = "\n".join(head(CONFIGS / "experiment" / f"{name}.yaml"))
    assert "# Time: " in comments
    assert "# Result: " in comments


@pytest.mark.parametrize(
    ("experiment", "profile"),
    [
        ("ceni2025/adding", "full"),
        ("ceni2025/copy", "full"),
        ("ceni2025/deep", "full"),
        ("ceni2025/psdigits", "quick"),
        ("ceni2025/psmnist", "full"),
        ("galimberti2023/double_moons", "full"),
        ("galimberti2023/mnist", "full"),
        ("haber2017/swiss_roll_antisymmetric", "full"),
        ("haber2017/swiss_roll_resnet", "full"),
        ("haber2017/swiss_roll_verlet", "full"),
        ("haber2017/swiss_roll_verlet_levels", "full"),
    ],
)
def test_experiment_is_a_run_of_the_committed_results(experiment, profile):
    ledger = CONFIGS.parent / "results" / experiment.split("/")[0] / profile / "ledger.csv"
    made = {row.partition(",")[0] for row in ledger.read_text().splitlines()}
    names = {resolve(compose(f"experiment={experiment}", f"seed={seed}")).name for seed in (0, 1)}
    assert len(names) == 2
    assert names <= made


@pytest.mark.parametrize("name", [name for name in group_choices("experiment") if "/" in name])
def test_experiment_is_advised_for_its_data_set_and_net(name):
    entries = yaml.safe_load((CONFIGS / "experiment" / f"{name}.yaml").read_text())["defaults"]
    sets = {key: value for entry in entries for key, value in entry.items()}
    pair = {"dataset": sets["override /dataset"], "net": sets["override /net"]}
    advised = advise_experiment(pair).partition("experiment=")[2].split(" ")[0]
    assert advised == name.removesuffix("_levels")
