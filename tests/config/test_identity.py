"""Runs have the same hash if, and only if, the options that decide their numbers are the same."""

import pytest
import yaml

from stablenets.config.identity import training_name
from stablenets.runs.folder import config_text
from stablenets.schema import flatten_keys

SAME = {
    "width": (["width=8"], ["net.widths=[8]"]),
    "time or step": (["T=3"], ["h=0.75"]),
    "time or step, where the last bits differ": (["depth=3", "T=0.3"], ["depth=3", "h=0.1"]),
    "the default time of the net": ([], ["T=5"]),
    "whole or fraction": (["T=2"], ["T=2.0"]),
    "one seed or its parts": (["seed=3"], ["seeds.init=3", "seeds.order=3"]),
    "a part wins": (["seeds.init=3", "seeds.order=3"], ["seed=9", "seeds.init=3", "seeds.order=3"]),
    "the group or its key": (["optim=adamw", "optim.weight_decay=0"], ["optim.name=adamw"]),
    "order on the command line": (["depth=8", "seed=1"], ["seed=1", "depth=8"]),
    "a default that is typed": ([], ["backward=store", "precision=float32", "seed=0"]),
}
EXECUTION = (
    "progress=lines",
    "wandb.mode=offline",
    "wandb.project=other",
    "wandb.group=g",
    "wandb.tags=[a,b]",
    "device=auto",
    "threads=2",
    "runs=elsewhere",
    "data_root=elsewhere",
    "download=true",
    "force=true",
    "stale=redo",
    "checkpoint_seconds=1",
    "tolerance=0.5",
)
NUMBERS = (
    "depth=5",
    "width=9",
    "T=4",
    "seed=1",
    "seeds.split=1",
    "seeds.permutation=1",
    "seeds.init=1",
    "seeds.order=1",
    "epochs=3",
    "evaluate_every=2",
    "patience=5",
    "batch=17",
    "backward=checkpoint",
    "precision=float64",
    "compile=true",
    "deterministic=false",
    "net=resnet",
    "net.gamma=0.1",
    "net.gain=0.5",
    "net.activation=relu",
    "net.bias=scalar",
    "net.opening=pad",
    "net.head_hidden=3",
    "optim=sgd",
    "optim.lr=0.1",
    "optim.beta2=0.9",
    "optim.clip_norm=1",
    "optim.label_smoothing=0.1",
    "optim.smoothness=0.1",
    "optim.schedule=cosine",
    "optim.frozen=[K]",
    "dataset=peaks",
    "dataset.limit=100",
    "dataset.validation_fraction=0.2",
    "dataset.train_points=900",
    "levels=1",
    "probe.every=3",
    "probe.depths=3",
    "probe.spectrum_epochs=[1]",
    "probe.spectrum_examples=2",
    "probe.singular_values=8",
)


@pytest.mark.parametrize("way", SAME)
def test_hash_does_not_depend_on_how_options_are_typed(resolved, way):
    one, other = (resolved(*overrides) for overrides in SAME[way])
    assert one.identity == other.identity
    assert one.name == other.name


def test_execution_options_do_not_enter_the_hash(resolved):
    assert resolved(*EXECUTION).hash == resolved().hash


def test_options_that_change_numbers_enter_the_hash(resolved):
    hashes = {override: resolved(override).hash for override in (*NUMBERS, "seed=0")}
    assert len(set(hashes.values())) == len(hashes)


def test_every_option_is_sorted_into_execution_or_numbers(tiny):
    """A new option belongs in EXECUTION or NUMBERS above. Decide which when you add it."""
    sorted_in = {
        override.partition("=")[0].partition(".")[0] for override in (*EXECUTION, *NUMBERS, "h=")
    }
    assert sorted_in == set(tiny())


def test_name_is_readable_and_ends_in_the_hash(resolved):
    run = resolved("net=resnet", "depth=8", "seed=3")
    assert run.name == f"resnet-dense-ellipses-L8-s3-{run.hash}"
    assert len(run.hash) == 12
    assert int(run.hash, 16) >= 0


def test_name_follows_from_the_written_config_yaml(resolved):
    run = resolved(
        "optim.lr=1e-7",
        "net.gamma=1e-5",
        "T=0.1",
        "depth=3",
        "probe.spectrum_epochs=[1,2]",
        "wandb.tags=[a]",
    )
    written = yaml.safe_load(config_text(run.options, {"threads": 1, "wandb": {"tags": ["a"]}}))
    assert written.pop("execution") == {"threads": 1, "wandb": {"tags": ["a"]}}
    assert written == run.options
    assert training_name(flatten_keys(written)) == run.name


def test_an_option_at_its_default_is_not_in_the_identity(resolved):
    run = resolved("levels=0", "optim.frozen=[]", "net.head_hidden=0")
    assert not {"levels", "optim.frozen", "net.head_hidden"} & run.identity.keys()
    assert {"levels", "optim", "net"} <= run.options.keys()


def test_depth_step_widths_seeds_data_and_family_always_enter(resolved):
    always = {
        "depth",
        "h",
        "net.widths",
        "net.blocks",
        "dataset.name",
        "net.family",
        "seeds.split",
        "seeds.permutation",
        "seeds.init",
        "seeds.order",
    }
    assert always <= resolved("net.widths=[32]").identity.keys()
