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

    family: str = option(doc="kind of layer, or of recurrent step; choose it by net=FAMILY")
    operator: str = option(
        "dense",
        "linear map of a layer: dense (a matrix, for vectors), conv (3x3 convolutions, for images)",
        choices=("dense", "conv"),
    )
    widths: list[int] = option(
        [32],
        "number of features of each unit, in a convolutional network of channels. A unit is a group"
        " of layers with one width; a dense or recurrent network has one unit",
        low=1,
        high=65536,
        min_items=1,
    )
    blocks: list[int] | None = option(
        None,
        "number of layers of each unit; null: depth is divided equally among the units",
        low=1,
        high=1_000_000,
    )
    transition: str = option(
        "before_first_block",
        "where width and resolution change between two units. before_first_block: before the first"
        " block of the new unit; after_first_block: after this block; strided_first_block: inside"
        " this block, by a convolution of stride 2. A block is one residual layer",
        choices=("before_first_block", "after_first_block", "strided_first_block"),
    )
    opening: str = option(
        "linear",
        "map from an example to the first state. For dense: linear (learned), pad (zeros are"
        " appended). For dense and two inputs, with zeros in all other features: spread (the inputs"
        " become the first and the last feature), opposite (the first feature and the one at 3/4 of"
        " the width). For conv: conv (a learned convolution), conv_bn_relu (then batch norm and"
        " relu), pad_channels (zero channels are appended)",
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
        "map from the last state to the outputs. For dense: linear. For conv: mean (a linear map of"
        " the mean of each channel over all pixels), bn_relu_mean (the same after batch norm and"
        " relu), flatten (a linear map of all pixels)",
        choices=("linear", "mean", "bn_relu_mean", "flatten"),
    )
    head_hidden: int = option(
        0,
        "number of relu neurons of a hidden layer in the head; 0: no hidden layer",
        low=0,
        high=65536,
    )
    T: float = option(
        1.0, "default of this family for the final time T, if neither h nor T is given", above=0.0
    )
    gain: float = option(
        1.0,
        "scale of the initial weights: their standard deviation is gain / sqrt(fan_in), where"
        " fan_in is the number of inputs of one output",
        low=0.0,
    )


@dataclass(frozen=True)
class Optim:
    """The options of `optim`."""

    name: str = option("adam", "optimiser", choices=("sgd", "adam", "adamw"))
    lr: float = option(0.003, "learning rate; with a schedule, its largest value", above=0.0)
    momentum: float = option(0.0, "momentum, for sgd only", low=0.0, below=1.0)
    beta2: float = option(
        BETA2,
        "decay rate of the running mean of squared gradients, for adam and adamw only",
        low=0.0,
        below=1.0,
    )
    weight_decay: float = option(
        0.0,
        "factor of the weight decay, which acts on matrices and kernels, not on biases and batch"
        " norms. sgd and adam add it to the gradient, adamw applies it to the weights directly",
        low=0.0,
    )
    smoothness: float = option(
        0.0,
        "factor of a penalty in the loss on changes of the weights from layer to layer:"
        " 1/(2h) Σ‖θ_{j+1} - θ_j‖², where θ_j are the weights of layer j",
        low=0.0,
    )
    label_smoothing: float = option(
        0.0,
        "fraction of the target probability that is divided equally among all classes",
        low=0.0,
        below=1.0,
    )
    clip_norm: float | None = option(
        None,
        "largest norm of the gradient; a longer gradient is scaled down to it; null: no limit",
        above=0.0,
    )
    schedule: str = option(
        "constant",
        "how the learning rate changes during the run: constant; step (drops at the milestones);"
        " cosine (falls to 0); onecycle (rises from lr/25 to lr, then falls to 0)",
        choices=("constant", "step", "cosine", "onecycle"),
    )
    milestones: list[float] = option(
        [0.5, 0.75],
        "schedule=step: fractions of the run after which the learning rate drops",
        above=0.0,
        below=1.0,
    )
    drop_factor: float = option(
        0.1,
        "schedule=step: factor by which the learning rate is multiplied at each milestone",
        above=0.0,
        high=1.0,
    )
    warmup: float = option(
        0.3,
        "schedule=onecycle: fraction of the run in which the learning rate rises",
        above=0.0,
        below=1.0,
    )
    frozen: list[str] = option(
        [], "weights of the layers that are not trained, by name, such as [K] or [W,b]"
    )


@dataclass(frozen=True)
class Seeds:
    """The options of `seeds`. They are separate, so that a training seed never changes the data."""

    split: int = option(
        0,
        "seed of the choice of validation examples, and of generated data",
        low=0,
        high=LARGEST_SEED,
    )
    permutation: int = option(
        0, "seed of the pixel permutation of psmnist and psdigits", low=0, high=LARGEST_SEED
    )
    init: int | None = option(
        None, "seed of the initial weights; null: the value of seed", low=0, high=LARGEST_SEED
    )
    order: int | None = option(
        None, "seed of the order of the examples; null: the value of seed", low=0, high=LARGEST_SEED
    )


@dataclass(frozen=True)
class Probe:
    """The options of `probe`: what is measured during training."""

    every: int = option(
        50, "training steps between two measurements of gradient norms by depth; 0: none", low=0
    )
    depths: int = option(
        64,
        "largest number of depths at which gradient norms are measured, spaced logarithmically",
        low=2,
        high=4096,
    )
    spectrum_epochs: list[int] = option(
        [],
        "epochs after which singular values of the Jacobian are measured; before and after the"
        " training they are always measured",
        low=1,
    )
    spectrum_examples: int = option(
        1,
        "number of test examples at which singular values of the Jacobian are measured; 0: none",
        low=0,
        high=64,
    )
    singular_values: int = option(
        64, "largest number of singular values that are stored of each Jacobian", low=2
    )


@dataclass(frozen=True)
class Wandb:
    """The options of `wandb`: the logging service Weights & Biases."""

    mode: str = option(
        "auto",
        "online: runs are sent while they train; offline: they are logged in their folders;"
        " disabled: nothing is logged; auto: $WANDB_MODE, or else online if an API key is set up"
        " and offline if not",
        choices=("auto", "online", "offline", "disabled"),
    )
    project: str | None = option(
        None, "project that the runs are logged to; null: $WANDB_PROJECT, or else stablenets"
    )
    entity: str | None = option(
        None, "user or team of the project; null: $WANDB_ENTITY, or else your account's default"
    )
    group: str | None = option(
        None,
        "group of the run in wandb; null: the name of the run without its seed, so that runs that"
        " differ only in the seed form a group",
    )
    tags: list[str] = option([], "tags in wandb, besides data set, family and commit")
    weights: bool = option(False, "also log the trained weights, as an artifact")


@dataclass(frozen=True, kw_only=True)
class Config:
    """All options of one run. `EXECUTION_KEYS` are not part of its identity."""

    dataset: dict = option(doc="choose the data set by dataset=NAME")
    net: dict = option(doc="choose the net by net=NAME")
    optim: Optim = option(Optim())
    depth: int | None = option(
        None,
        "number of layers of all units together; 0: only opening and head. null: for a recurrent"
        " family the length of the sequences; for others the sum of net.blocks, or 64 if that is"
        " null",
        low=0,
        high=1_000_000,
    )
    width: int | None = option(
        None,
        "number of features of each layer, for a network with one unit; null: net.widths",
        low=1,
        high=65536,
    )
    h: float | None = option(None, "step size; null: T / depth. Give h or T, not both", above=0.0)
    T: float | None = option(
        None, "final time; null: h * depth if h is given, and net.T if not", above=0.0
    )
    levels: int = option(
        0,
        "multilevel training: how often the depth is doubled until it is `depth`. Each network"
        " starts from the weights of the one before, interpolated in time",
        low=0,
        high=20,
    )
    epochs: int = option(
        20, "number of epochs of training; with levels, of each level", low=1, high=1_000_000
    )
    evaluate_every: int = option(
        1, "epochs between two evaluations; the last epoch is always evaluated", low=1
    )
    patience: int | None = option(
        None,
        "number of epochs without a lower validation loss after which training stops; with levels,"
        " each level stops for itself; null: all epochs are made",
        low=1,
    )
    batch: int = option(64, "number of examples of a training step", low=1)
    seed: int = option(
        0, "seed of initial weights and of the order of examples", low=0, high=LARGEST_SEED
    )
    seeds: Seeds = option(Seeds())
    backward: str = option(
        "store",
        "states kept for the backward pass. store: all; checkpoint: about sqrt(depth); reverse: the"
        " last one only, for reversible families; plain: all, and layers run one after the other",
        choices=("store", "checkpoint", "reverse", "plain"),
    )
    precision: str = option(
        "float32",
        "number format. float32 and float64: of weights and data; bfloat16: matrix products in"
        " bfloat16, by autocast; bfloat16_fused: also a norm and its activation in one pass, which"
        " adds numbers in another order",
        choices=("float32", "float64", "bfloat16", "bfloat16_fused"),
    )
    compile: bool = option(False, "compile the network by torch.compile")
    deterministic: bool = option(True, "use torch's deterministic algorithms only")
    probe: Probe = option(Probe())
    device: str = option("auto", "cpu, cuda, cuda:N, or auto: cuda if there is one")
    threads: int = option(1, "number of threads on the CPU", low=1, high=1024)
    data_root: str | None = option(
        None, "folder of the data files; null: $STABLENETS_DATA, or else ./data"
    )
    download: bool = option(False, "download missing data files")
    tolerance: float = option(
        0.01,
        "backward=reverse: the run fails if the reconstruction error, the relative error of the"
        " recomputed first state, is larger",
        above=0.0,
    )
    runs: str = option("runs", "folder of the run folders")
    force: bool = option(False, "repeat a finished run; the old folder is kept under another name")
    stale: str = option(
        "keep",
        "what to do with a finished run that another version of the code has made: keep it, or"
        " redo it as with force=true",
        choices=STALE,
    )
    checkpoint_seconds: float = option(30.0, "seconds between two checkpoints", low=0.0)
    progress: str = option(
        "auto",
        "how progress is shown: bar, lines (one now and then), or none; auto: a bar in a terminal,"
        " lines elsewhere",
        choices=("auto", "bar", "lines", "none"),
    )
    wandb: Wandb = option(Wandb())
