"""The options of a run, each with its meaning, type, limits and default.

A data set and a family of networks add options of their own to the groups `dataset` and `net`;
they are defined beside its code. This module does not import torch, so that `stablenets --help`
answers at once. Its choices therefore repeat the keys of registries; a test compares them.
"""

from __future__ import annotations

from dataclasses import dataclass

from stablenets.schema import option

# These options say where and how a run is executed. They are not part of its identity.
EXECUTION_KEYS = (
    "device",
    "threads",
    "data_root",
    "download",
    "tolerance",
    "runs",
    "force",
    "stale",
    "checkpoint_seconds",
    "progress",
    "wandb",
)
STALE = ("keep", "redo")  # what to do with finished runs of other code
BETA2 = 0.999  # the default of torch.optim.Adam
# Generators use 32 bits of a seed. A larger seed would repeat the numbers of a smaller one.
LARGEST_SEED = 2**32 - 1


@dataclass(frozen=True)
class Net:
    """The options of `net` that all families have."""

    family: str = option(doc="architecture family; on the command line, choose it by net=FAMILY")
    operator: str = option(
        "dense",
        "linear maps of a layer: dense for vectors, conv for images",
        choices=("dense", "conv"),
    )
    widths: list[int] = option(
        [32],
        "features of each unit, or channels of each unit of a convolutional net; a dense or"
        " recurrent net has one unit",
        low=1,
        high=65536,
        min_items=1,
    )
    blocks: list[int] | None = option(
        None, "layers of each unit; null: depth split equally", low=1, high=1_000_000
    )
    transition: str = option(
        "before_first_block",
        "how the width and resolution change from one unit to the next: before the first block of"
        " the new unit, after it, or inside it by a stride of 2",
        choices=("before_first_block", "after_first_block", "strided_first_block"),
    )
    opening: str = option(
        "linear",
        "map from an example to the first state; dense: linear, pad (zeros appended), spread or"
        " opposite (two inputs placed far apart); conv: conv, conv_bn_relu, pad_channels",
        choices=(
            "linear",
            "pad",
            "spread",
            "opposite",
            "conv",
            "conv_bn_relu",
            "pad_channels",
        ),
    )
    head: str = option(
        "linear",
        "map from the last state to the outputs; dense: linear; conv: mean over pixels, the same"
        " after batch norm and relu, or flatten",
        choices=("linear", "mean", "bn_relu_mean", "flatten"),
    )
    head_hidden: int = option(
        0, "relu units of a hidden layer in the head; 0: no hidden layer", low=0, high=65536
    )
    T: float = option(1.0, "final time of this net if neither h nor T is given", above=0.0)
    gain: float = option(
        1.0, "initial kernels have standard deviation gain / sqrt(fan_in)", low=0.0
    )


@dataclass(frozen=True)
class Optim:
    """The options of `optim`."""

    name: str = option("adam", "optimiser", choices=("sgd", "adam", "adamw"))
    lr: float = option(0.003, "learning rate; with a schedule, its largest value", above=0.0)
    momentum: float = option(0.0, "momentum, for sgd only", low=0.0, below=1.0)
    beta2: float = option(
        BETA2, "decay of the mean squared gradient, for adam and adamw only", low=0.0, below=1.0
    )
    weight_decay: float = option(
        0.0, "factor of the weights in the update; adamw decouples it from the gradient", low=0.0
    )
    smoothness: float = option(
        0.0, "factor of the smoothness in time, 1/(2h) Σ‖θ_{j+1} - θ_j‖², in the loss", low=0.0
    )
    label_smoothing: float = option(
        0.0, "fraction of each target that is spread evenly over all classes", low=0.0, below=1.0
    )
    clip_norm: float | None = option(
        None, "largest norm of the gradient, longer ones are scaled down; null: any", above=0.0
    )
    schedule: str = option(
        "constant",
        "learning rate over the run: constant, step (drops at the milestones), cosine (to 0),"
        " onecycle (rises, then falls by a cosine)",
        choices=("constant", "step", "cosine", "onecycle"),
    )
    milestones: list[float] = option(
        [0.5, 0.75],
        "schedule=step: fractions of the run after which the rate drops",
        above=0.0,
        below=1.0,
    )
    drop_factor: float = option(
        0.1, "schedule=step: factor of the rate at each milestone", above=0.0, high=1.0
    )
    warmup: float = option(
        0.3, "schedule=onecycle: fraction of the run in which the rate rises", above=0.0, below=1.0
    )
    frozen: list[str] = option(
        [], "learned tensors of the layers that keep their initial values, by name: [K] or [W,b]"
    )


@dataclass(frozen=True)
class Seeds:
    """The options of `seeds`. They are separate, so that a training seed never changes the data."""

    split: int = option(
        0, "seed of the validation split and of generated data", low=0, high=LARGEST_SEED
    )
    permutation: int = option(
        0, "seed of the pixel permutation of psmnist and psdigits", low=0, high=LARGEST_SEED
    )
    init: int | None = option(
        None, "seed of the initial weights; null: the run's seed", low=0, high=LARGEST_SEED
    )
    order: int | None = option(
        None, "seed of the order of the examples; null: the run's seed", low=0, high=LARGEST_SEED
    )


@dataclass(frozen=True)
class Probe:
    """The options of `probe`: what is measured during training."""

    every: int = option(
        50, "training steps between two measurements of gradient norms by depth; 0: none", low=0
    )
    depths: int = option(
        64,
        "number of depths, spaced logarithmically, at which norms are measured",
        low=2,
        high=4096,
    )
    spectrum_epochs: list[int] = option(
        [],
        "epochs after which singular values of the Jacobian are measured, besides start and end",
        low=1,
    )
    spectrum_examples: int = option(
        1, "examples at which the Jacobian is measured; 0: none", low=0, high=64
    )
    singular_values: int = option(64, "singular values stored of each Jacobian", low=2)


@dataclass(frozen=True)
class Wandb:
    """The options of `wandb`: the logging service Weights & Biases."""

    mode: str = option(
        "auto",
        "auto: $WANDB_MODE, or else online if an API key is set up and offline if not",
        choices=("auto", "online", "offline", "disabled"),
    )
    project: str | None = option(
        None, "project that the runs are logged to; null: $WANDB_PROJECT, or else stablenets"
    )
    entity: str | None = option(
        None, "user or team of the project; null: $WANDB_ENTITY, or else your account's default"
    )
    group: str | None = option(
        None, "group of the run; null: the name of the run without its seed, so that seeds average"
    )
    tags: list[str] = option([], "tags besides those of data set, family and commit")
    weights: bool = option(False, "also log the trained weights, as an artifact")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All options of one run. `EXECUTION_KEYS` are not part of its identity."""

    dataset: dict = option(doc="choose the data set by dataset=NAME")
    net: dict = option(doc="choose the net by net=NAME")
    optim: Optim = option(Optim())
    depth: int | None = option(
        None,
        "layers of all units together; 0: only opening and head; null: the sum of net.blocks, or"
        " 64, or the length of the sequences for a recurrent family",
        low=0,
        high=1_000_000,
    )
    width: int | None = option(
        None, "features of a net with one unit; null: net.widths", low=1, high=65536
    )
    h: float | None = option(None, "step size; null: T / depth", above=0.0)
    T: float | None = option(
        None, "final time h * depth; null: it follows from h, or is net.T", above=0.0
    )
    levels: int = option(
        0,
        "multilevel training: how often the depth is doubled up to `depth`, each net starting from"
        " the weights of the one before, interpolated in time",
        low=0,
        high=20,
    )
    epochs: int = option(20, "epochs of training, of each level", low=1, high=1_000_000)
    evaluate_every: int = option(
        1, "epochs between two evaluations; the last epoch is always evaluated", low=1
    )
    patience: int | None = option(
        None,
        "training, or a level of it, stops after this many epochs without a lower validation loss;"
        " null: it makes all epochs",
        low=1,
    )
    batch: int = option(64, "examples of a training step", low=1)
    seed: int = option(
        0, "seed of initial weights and of the order of examples", low=0, high=LARGEST_SEED
    )
    seeds: Seeds = option(Seeds())
    backward: str = option(
        "store",
        "states kept for the backward pass: store keeps all, checkpoint about sqrt(depth), reverse"
        " the last one only (reversible families); plain keeps all and fuses nothing",
        choices=("store", "checkpoint", "reverse", "plain"),
    )
    precision: str = option(
        "float32",
        "bfloat16: matrix products under autocast; bfloat16_fused: also norms and activations in"
        " one pass, with sums in another order",
        choices=("float32", "float64", "bfloat16", "bfloat16_fused"),
    )
    compile: bool = option(False, "compile the network by torch.compile")
    deterministic: bool = option(True, "use torch's deterministic algorithms only")
    probe: Probe = option(Probe())
    device: str = option("auto", "cpu, cuda, cuda:N, or auto: cuda if there is one")
    threads: int = option(1, "threads of torch on the CPU", low=1, high=1024)
    data_root: str | None = option(
        None, "folder of the data files; null: $STABLENETS_DATA, or else ./data"
    )
    download: bool = option(False, "download missing data files")
    tolerance: float = option(
        0.01,
        "backward=reverse: the run fails if the relative error of the reconstructed first state"
        " is larger",
        above=0.0,
    )
    runs: str = option("runs", "folder of the run folders")
    force: bool = option(False, "repeat a finished run; the old folder is kept under another name")
    stale: str = option(
        "keep",
        "a finished run that other code has made: keep it, or redo it like force=true",
        choices=STALE,
    )
    checkpoint_seconds: float = option(30.0, "seconds between two checkpoints", low=0.0)
    progress: str = option(
        "auto",
        "bar, a line now and then, or none; auto: bar in a terminal, else lines",
        choices=("auto", "bar", "lines", "none"),
    )
    wandb: Wandb = option(Wandb())
