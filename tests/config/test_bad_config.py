"""Wrong options end with exit code 2 and one line: key, value and remedy. No file is changed."""

import re
from dataclasses import dataclass

import pytest

from stablenets.config import resolve
from stablenets.config.extras import install_extra
from stablenets.config.overrides import OF_PACKAGES
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, ResNet
from stablenets.schema import option

CONV = ("dataset=digits", "net=resnet_conv")
KINDS = {
    # refused while Hydra composes the options, or before
    "unknown key": (["depthh=3"], ["depthh: unknown key", "did you mean depth?", "epochs"]),
    "unknown key in a group": (
        ["net.widhts=[3]"],
        ["net.widhts: unknown key", "net=antisymmetric", "did you mean widths?", "gamma"],
    ),
    "unknown key in a mapping": (
        ["seeds={split: 0, ordr: 1}"],
        ["seeds.ordr: unknown key", "did you mean order?"],
    ),
    "unknown key with +": (["+foo=1"], ["foo: unknown key", "known here: ", "depth"]),
    "unknown key in a group with +": (
        ["+optim.rate=1"],
        ["optim.rate: unknown key", "known here: ", "lr"],
    ),
    "known key with +": (["+depth=3"], ["+depth=3: ", "write depth=3"]),
    "deleting what is not there": (["~foo"], ["'foo' does not exist"]),
    "deleting a group": (["~net"], ["net: missing"]),
    "unknown net": (
        ["net=antisymetric"],
        ["net=antisymetric: did you mean antisymmetric?", "plain"],
    ),
    "unknown dataset": (["dataset=mnits"], ["dataset=mnits: did you mean mnist?", "digits"]),
    "a profile, which belongs to reproduce": (
        ["profile=paper"],
        ["profile: unknown key", "stablenets reproduce PAPER --profile paper"],
    ),
    "an option by its last name": (["lr=0.1"], ["lr: unknown key", "write optim.lr=0.1"]),
    "an option of families by its last name": (["+gamma=1"], ["write net.gamma=1"]),
    "an earlier name": (["flow=reverse"], ["flow: unknown key", "write backward=reverse"]),
    "a name of other packages": (["batch_size=8"], ["write batch=8"]),
    "unknown short run": (["debug=huge"], ["debug=huge: one of: smoke"]),
    "option of another family": (
        ["net.alpha=0.1"],
        ["net.alpha: ", "net=antisymmetric has no option alpha", "net=roamlp, roarnn", "gamma"],
    ),
    "option of another data set": (
        ["dataset.length=9"],
        ["dataset.length: ", "dataset=ellipses has no option length", "adding, ", "copy"],
    ),
    "family without its options": (["net.family=roarnn"], ["net.family=roarnn: ", "net=roarnn"]),
    "data set without its options": (["dataset.name=copy"], ["dataset.name=copy", "dataset=copy"]),
    "unknown flag": (["--resolv"], ["--resolv: unknown flag", "did you mean --resolve?"]),
    "flag that needs another": (["--resolve"], ["--resolve", "--cfg"]),
    "sweep with no job at a time": (
        ["-m", "hydra.launcher.jobs=0"],
        ["hydra.launcher.jobs=0: must be >= 1"],
    ),
    "unknown key of Hydra": (["hydra.foo=1"], ["hydra.foo"]),
    "unknown experiment": (["experiment=nope"], ["experiment=nope: "]),
    "unknown group": (["nett=plain"], ["nett: unknown key", "did you mean net?"]),
    "unknown launcher": (["hydra/launcher=foo"], ["hydra/launcher=foo: one of: ", "slurm"]),
    "a group by a number": (["net=3"], ["net=3: one of: antisymmetric"]),
    "a group by null": (["net=null"], ["net=null: one of: antisymmetric"]),
    "a group by nothing": (["net="], ["net=: one of: antisymmetric"]),
    "a section as a plain value": (["wandb=online"], ["wandb=online: ", "write wandb.mode=online"]),
    "a section switched off": (["wandb=off"], ["wandb=off: ", "write wandb.mode=disabled"]),
    "seeds as one seed": (["seeds=3"], ["seeds=3: ", "write seed=3"]),
    "no value": (["depth"], ["depth: cannot be read as key=value"]),
    "no key": (["=3"], ["=3: no key", "KEY=3"]),
    "an open bracket": (["net.widths=[3"], ["net.widths=[3: cannot be read as key=value", "[1,2]"]),
    "two equal signs": (["depth=4=5"], ["depth=4=5: cannot be read as key=value"]),
    "a sweep without -m": (["seed=0,1"], ["seed=0,1: several values; add -m"]),
    "a reference to nothing": (["depth=${foo}"], ["depth: ", "'foo' not found", "plain value"]),
    "a reference to no variable": (
        ["depth=${oc.env:STABLENETS_NO_SUCH}"],
        ["depth: ", "STABLENETS_NO_SUCH", "plain value"],
    ),
    "an option of a run in a section": (["net.depth=5"], ["net.depth: ", "write depth=5"]),
    "a range of seeds": (["seed=0-2"], ["seed=0-2: ", "seed=0,1,2"]),
    "a long range of seeds": (["seed=0-99"], ["seed=0-99: ", "seed=range(0,100)"]),
    "an unknown option of a launcher": (
        ["hydra.launcher.job=2"],
        ["hydra.launcher.job: unknown key", "did you mean jobs?", "devices"],
    ),
    "a launcher of a package": (
        ["hydra/launcher=submitit_slurm"],
        ["hydra/launcher=slurm", "stablenets[slurm]", "EXTRAS=1"],
    ),
    "values given twice": (["-m", "seed=0,1", "seed=2"], ["seed: given twice", "seed=2"]),
    "two widths": (["width=16", "net.widths=[8]"], ["width=16 net.widths=[8]: ", "leave one"]),
    "a flag of other programs": (["--net", "resnet"], ["--net: ", "type net=resnet"]),
    "such a flag with =": (["--learning-rate=1"], ["type optim.lr=1"]),
    "a key without =": (["epochs", "3"], ["epochs: ", "type epochs=3"]),
    "spaces around =": (["net", "=", "resnet"], ["net: ", "type net=resnet"]),
    "a flag without its value": (["--cfg", "net=resnet"], ["--cfg net=resnet: ", "--cfg job"]),
    # type and range
    "a word for a number": (["depth=deep"], ["depth=deep: expected a whole number"]),
    "a fraction for a whole number": (["depth=3.5"], ["depth=3.5: expected a whole number"]),
    "a number for a switch": (["compile=2"], ["compile=2: expected true or false"]),
    "a switch for a number": (["depth=true"], ["depth=true: expected a whole number"]),
    "null where a value is needed": (["batch=null"], ["batch=null: expected a whole number"]),
    "a number for a list": (["net.widths=8"], ["net.widths=8: expected a list", "net.widths=[8]"]),
    "a word in a list": (["net.widths=[a]"], ["net.widths[0]=a: expected a whole number"]),
    "a list for a data set": (["dataset.name=[digits]"], ["dataset.name=[digits]: ", "one of: "]),
    "a list for a family": (["net.family=[resnet]"], ["net.family=[resnet]: ", "one of: "]),
    "a list for a whole number": (["depth=[3]"], ["depth=[3]: expected a whole number"]),
    "no widths": (["net.widths=[]"], ["net.widths=[]: expected at least 1"]),
    "more than 64 bits": (
        ["batch=100000000000000000000"],
        ["batch=100000000000000000000: must be"],
    ),
    "infinite rate": (["optim.lr=inf"], ["optim.lr=inf: expected a finite number"]),
    "rate that is no number": (["optim.lr=nan"], ["optim.lr=nan: expected a finite number"]),
    "infinite rate, as yaml has it": (["optim.lr=.inf"], ["optim.lr=.inf: expected a number"]),
    "fewer than no layers": (["depth=-1"], ["depth=-1: must be >= 0"]),
    "empty batch": (["batch=0"], ["batch=0: must be >= 1"]),
    "rate of nought": (["optim.lr=0"], ["optim.lr=0.0: must be > 0"]),
    "momentum of one": (
        ["optim=sgd", "optim.momentum=1"],
        ["optim.momentum=1.0: must be >= 0", "< 1"],
    ),
    "negative seed": (["seed=-1"], ["seed=-1: must be >= 0"]),
    "negative seed of order": (["seeds.order=-2"], ["seeds.order=-2: must be >= 0"]),
    "a seed of more than 32 bits": (
        ["seed=4294967296"],
        ["seed=4294967296: must be", "<= 4294967295"],
    ),
    "too much held out": (
        ["dataset.validation_fraction=0.9"],
        ["dataset.validation_fraction=0.9: must be >= 0 and <= 0.5"],
    ),
    "unknown flow": (
        ["backward=backwards"],
        ["backward=backwards: one of: checkpoint, plain, reverse, store"],
    ),
    "unknown precision": (
        ["precision=float16"],
        ["precision=float16: ", "bfloat16, bfloat16_fused, float32, float64"],
    ),
    "unknown activation": (["net.activation=tan"], ["net.activation=tan: did you mean tanh?"]),
    "unknown wandb mode": (
        ["wandb.mode=on"],
        ["wandb.mode=on: ", "auto, disabled, offline, online"],
    ),
    "unknown device": (["device=tpu"], ["device=tpu: one of: auto, cpu, cuda"]),
    "device without a sense": (
        ["device=cuda:99999999999999"],
        ["device=cuda:99999999999999: not a device", "cuda:N"],
    ),
    # options that cannot go together
    "patience without validation": (
        ["patience=5", "dataset.validation_fraction=0"],
        ["patience=5", "dataset.validation_fraction=0 ", "dataset.validation_fraction=0.1"],
    ),
    "time without layers": (
        ["depth=0", "T=2"],
        ["T=2.0: at depth=0 no time passes", "leave T out"],
    ),
    "levels without layers": (
        ["depth=0", "levels=1"],
        ["levels=1: depth=0 cannot be halved", "multiple of 2"],
    ),
    "units without layers": (
        [
            "dataset=digits",
            "net.operator=conv",
            "net.opening=conv",
            "net.head=mean",
            "net.widths=[4,8]",
            "depth=0",
        ],
        ["depth=0: fewer layers than the 2 units", "depth>=2"],
    ),
    "no layers to share β": (
        ["net=roamlp", "depth=0"],
        ["net.beta_scaling=depth: ", "depth=0", "give depth>=1", "beta_scaling=fixed"],
    ),
    "a step that float32 cannot hold": (["h=1e308", "depth=1"], ["h=1e+308: must be <= 1e+30"]),
    "a negative number that float32 cannot hold": (
        ["net.gamma=-1e300"],
        ["net.gamma=-1e+300: must be"],
    ),
    "sequences longer than memory": (
        ["net=rnn", "dataset=adding", "depth=null", "dataset.length=100000000"],
        ["dataset.length=100000000: must be >= 2 and <= 100000"],
    ),
    "h and T": (["h=1", "T=1"], ["h=1.0 T=1.0: give one of the two", "T = h * depth"]),
    "h without a step": (
        ["net=plain", "h=0.1"],
        ["h=0.1: net.family=plain has no step size", "leave h out"],
    ),
    "T without a step": (
        ["net=plain", "T=3"],
        ["T=3.0: net.family=plain has no step size", "leave T out"],
    ),
    "reverse without an inverse": (
        ["net=resnet", "backward=reverse"],
        ["backward=reverse: net.family=resnet has no inverse", "backward=checkpoint"],
    ),
    "convolution of points": (
        ["net=resnet_conv"],
        ["net.operator=conv: dataset.name=ellipses is planar", "net.operator=dense"],
    ),
    "sequence without recurrence": (
        ["dataset=sdigits"],
        ["dataset.name=sdigits: a sequence needs a recurrent family"],
    ),
    "dense units": (
        ["net.widths=[8,8]"],
        ["net.widths=[8, 8]: a dense net has one unit", "net.operator=conv"],
    ),
    "one width for two units": (
        [*CONV, "width=8"],
        ["width=8: one width for a net of 2 units", "net.widths=[8, ...]"],
    ),
    "an opening of images for points": (
        ["net.opening=conv"],
        ["net.operator=dense net.opening=conv: ", "net.opening is one of: linear"],
    ),
    "a dense net with the ends of a convolutional preset": (
        ["dataset=digits", "net=antisymmetric_conv", "net.operator=dense"],
        ["net.operator=dense net.opening=conv net.head=mean: ", "net.head is one of: linear"],
    ),
    "final time of a net without a step": (
        ["net=plain", "net.T=3"],
        ["net.T=3.0: net.family=plain has no step size", "net.T=1.0"],
    ),
    "bias of a net without biases": (
        ["dataset=digits", "net=resnet_bn", "net.bias=scalar"],
        ["net.bias=scalar: net.family=resnet_bn has no biases"],
    ),
    "layers of a recurrent net": (
        ["dataset=psdigits", "net=rnn", "net.blocks=[3]"],
        ["net.blocks=[3]: net.family=rnn ", "net.blocks=null"],
    ),
    "pad into too little": (
        ["net.opening=pad", "width=1"],
        ["width=1: net.opening=pad cannot hold the 2 inputs", "width>=2"],
    ),
    "fewer layers than units": (
        [*CONV, "depth=1"],
        ["depth=1: fewer layers than the 2 units", "depth>=2"],
    ),
    "shrinking widths": (
        [*CONV, "net.widths=[16,8]"],
        ["net.widths=[16, 8]: ", "cannot shrink", "rising order"],
    ),
    "images pooled away": (
        [*CONV, "depth=5", "net.widths=[4,4,4,4,4]"],
        ["net.widths=[4, 4, 4, 4, 4]: ", "8x8", "at most 4 units"],
    ),
    "momentum with adam": (
        ["optim.momentum=0.9"],
        ["optim.momentum=0.9: belongs to optim.name=sgd", "optim=sgd"],
    ),
    "a mean square without adam": (
        ["optim=sgd", "optim.beta2=0.9"],
        ["optim.beta2=0.9: belongs to optim.name=adam", "optim=adam"],
    ),
    "milestones out of order": (
        ["optim=sgd", "optim.milestones=[0.7,0.3]"],
        ["optim.milestones=[0.7, 0.3]: ", "rising order"],
    ),
    "smoothed labels without classes": (
        ["net=rnn", "dataset=adding", "depth=null", "optim.label_smoothing=0.1"],
        [
            "optim.label_smoothing=0.1: dataset.name=adding has no classes",
            "optim.label_smoothing=0",
        ],
    ),
    "smoothness without time": (
        ["net=plain", "optim.smoothness=1"],
        ["optim.smoothness=1.0: net.family=plain", "optim.smoothness=0"],
    ),
    "freezing what is not there": (
        ["optim.frozen=[K,W]"],
        ["optim.frozen=[W]: no learned tensor of the layers of net.family=", "one of: K, b"],
    ),
    "freezing a filter": (
        ["net=roarnn", "dataset=psdigits", "depth=null", "optim.frozen=[O]"],
        ["optim.frozen=[O]: no learned tensor", "one of: U, W, b"],
    ),
    "a spectrum after the end": (
        ["probe.spectrum_epochs=[1,3]"],
        ["probe.spectrum_epochs=[1, 3]: epoch 3 is beyond epochs=2"],
    ),
    "crops of points": (
        ["dataset.augment=crop_flip"],
        ["dataset.augment=crop_flip: ", "ellipses is planar", "dataset.augment=none"],
    ),
    # folders
    "runs where nothing can be": (["runs=/proc/x"], ["runs=/proc/x: cannot write ", "runs=DIR"]),
    "a sweep where nothing can be": (["runs=/proc/x", "-m"], ["/proc/x", "runs=DIR"]),
}


@pytest.mark.parametrize("kind", KINDS)
def test_bad_config_is_refused_in_one_line(refused, kind):
    overrides, says = KINDS[kind]
    refused(*overrides, says=says)


@pytest.mark.parametrize(
    "word", ["depthh=3", "net=antisymetric", "net=3", "depth", "depth=-1", "depth=${foo}"]
)
def test_bad_word_is_refused_without_other_words(run_cli, tmp_path, word):
    """Without --run and -m, Hydra composes the configuration in another part of its code."""
    result = run_cli(word, small=False)
    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"stablenets: {word[:5]}")
    assert result.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "has_hint"), [("net=nope", True), ("optim=nope", False), ("experiment=nope", False)]
)
def test_plugins_are_named_only_where_they_add_names(refused, word, has_hint):
    assert ("--plugins" in refused(word, says=[word])) == has_hint


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"dataset": "digits", "net": {"family": "resnet"}}, "{'name': 'digits'}"),
        ({"dataset": {"name": "cancer"}, "net": {"family": "resnet"}}, "STABLENETS_PLUGINS"),
    ],
)
def test_options_in_python(options, says):
    with pytest.raises(BadInput, match=re.escape(says)):
        resolve(options)


def test_an_option_of_a_family_that_all_families_have(monkeypatch):
    @dataclass(frozen=True)
    class Own(ResNet):
        gain: float = option(2.0, "another gain")

    monkeypatch.setitem(FAMILIES, "own", Own)
    with pytest.raises(BadInput, match=r"^net=own: Own defines gain.*another name"):
        resolve({"dataset": {"name": "digits"}, "net": {"family": "own"}})


def test_missing_packages_name_both_ways_to_install_them():
    assert all(part in install_extra("search") for part in ("stablenets[search]", "EXTRAS=1"))
    assert OF_PACKAGES["hydra/sweeper=optuna"] == install_extra("search")


def test_a_device_that_is_not_here(refused, monkeypatch):
    import torch

    monkeypatch.setattr(
        torch.cuda, "device_count", lambda: 0
    )  # the same test on a machine with a GPU
    refused("device=cuda", says=["device=cuda: not on this machine", "device=cpu or device=auto"])
    refused(
        "device=cuda:3", says=["device=cuda:3: not on this machine", "device=cpu or device=auto"]
    )


def test_a_family_of_two_halves_needs_an_even_width(resolved, monkeypatch):
    from stablenets.nets import Capabilities

    monkeypatch.setattr(ResNet, "capabilities", Capabilities(order=1, split=True))
    with pytest.raises(
        BadInput, match=r"^width=7: net\.family=resnet splits .*; use an even width$"
    ):
        resolved("net=resnet", "width=7")


def test_runs_inside_a_file(refused, tmp_path):
    (tmp_path / "notes.txt").write_text("kept")
    for place in ("notes.txt", "notes.txt/runs"):
        refused(
            f"runs={tmp_path / place}", says=[f"runs={tmp_path / place}: cannot write ", "runs=DIR"]
        )
