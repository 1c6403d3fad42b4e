"""Every key of a run with its type, range and default: the dataset's own and the family's own
options stand with those.

Nothing is decided here. `config.resolve` makes every choice and gives the run its identity.
"""

from __future__ import annotations

from dataclasses import dataclass

from stablenets.engine.flow import BACKWARD_MODES
from stablenets.engine.operators import OPERATORS
from stablenets.nets.assembling import HEADS, OPENINGS, TRANSITIONS
from stablenets.schema import option

PRECISIONS = ("float32", "float64", "bfloat16", "bfloat16_fused")
EXECUTION_KEYS = (
    "profile",
    "device",
    "threads",
    "data_root",
    "download",
    "tolerance",
    "runs",
    "force",
    "checkpoint_seconds",
    "progress",
    "wandb",
)  # where and how a run is executed: no part of its identity
BETA2 = 0.999  # torch's
MOST = (
    2**32 - 1
    # generators use 32 bits of a seed: a larger one would give the numbers of another under its own
    # hash
)


@dataclass(frozen=True)
class Net:
    """What all families share; a family's own options stand beside these in the same group."""

    family: str = option(doc="a key of nets.FAMILIES")
    operator: str = option("dense", choices=tuple(OPERATORS))
    widths: list[int] = option([32], "features of each unit", low=1, high=65536, min_items=1)
    blocks: list[int] | None = option(
        None, "layers of each unit; null: depth shared out equally", low=1, high=1_000_000
    )
    transition: str = option(
        "before_first_block",
        "where the first block of a further unit works: at the unit's width, still at the width and"
        " resolution of the unit before, or from one to the other with stride 2",
        choices=TRANSITIONS,
    )
    opening: str = option(
        "linear", choices=tuple(kind for kinds in OPENINGS.values() for kind in kinds)
    )
    head: str = option("linear", choices=tuple(kind for kinds in HEADS.values() for kind in kinds))
    head_hidden: int = option(
        0,
        "relu units of a layer between the last state and the head's affine map; 0: none",
        low=0,
        high=65536,
    )
    T: float = option(1.0, "final time, where neither h nor T is given", above=0.0)
    gain: float = option(
        1.0, "initial kernels have standard deviation gain / sqrt(fan_in)", low=0.0
    )


@dataclass(frozen=True)
class Optim:
    name: str = option("adam", choices=("sgd", "adam", "adamw"))
    lr: float = option(0.003, above=0.0)
    momentum: float = option(0.0, "sgd only", low=0.0, below=1.0)
    beta2: float = option(
        BETA2, "adam, adamw: what a step keeps of the mean squared gradient", low=0.0, below=1.0
    )
    weight_decay: float = option(0.0, low=0.0)
    smoothness: float = option(0.0, "factor of 1/(2h) Σ‖θ_{j+1} - θ_j‖²", low=0.0)
    label_smoothing: float = option(
        0.0,
        "share of each target that training spreads evenly over all classes",
        low=0.0,
        below=1.0,
    )
    clip_norm: float | None = option(None, "largest norm of the gradient", above=0.0)
    schedule: str = option("constant", choices=("constant", "step", "cosine", "onecycle"))
    milestones: list[float] = option(
        [0.5, 0.75], "shares of the run after which the rate drops", above=0.0, below=1.0
    )
    drop_factor: float = option(0.1, above=0.0, high=1.0)
    warmup: float = option(0.3, "share of the run that the rate rises", above=0.0, below=1.0)
    frozen: list[str] = option(
        [],
        "learned tensors of the layers that stay as they are drawn, by name: random features, a"
        " reservoir",
    )


@dataclass(frozen=True)
class Seeds:
    """Kept apart, so that a training seed never moves the data."""

    split: int = option(0, low=0, high=MOST)
    permutation: int = option(0, low=0, high=MOST)
    init: int | None = option(None, "null: the run's seed", low=0, high=MOST)
    order: int | None = option(None, "null: the run's seed", low=0, high=MOST)


@dataclass(frozen=True)
class Probe:
    every: int = option(50, "steps between two measurements of gradient norms; 0: none", low=0)
    depths: int = option(64, "at how many log-spaced depths", low=2, high=4096)
    spectrum_epochs: list[int] = option(
        [], "epochs after which the Jacobian is measured, besides start and end", low=1
    )
    spectrum_examples: int = option(
        1, "examples whose Jacobian is measured; 0: none", low=0, high=64
    )
    singular_values: int = option(64, "singular values kept of each", low=2)


@dataclass(frozen=True)
class Wandb:
    mode: str = option(
        "auto",
        "auto: online where a key is set up, else offline",
        choices=("auto", "online", "offline", "disabled"),
    )
    project: str = option("stablenets")
    group: str | None = option(None)
    tags: list[str] = option([])


@dataclass(frozen=True, kw_only=True)
class Config:
    """One run. Fields below `device` say where and how it is made and are no part of its
    identity.
    """

    dataset: dict = option(doc="a group of keys")
    net: dict = option(doc="a group of keys")
    optim: Optim = option(Optim())
    depth: int | None = option(
        None,
        "layers of all units together, 0: opening and head alone; null: those of net.blocks",
        low=0,
        high=1_000_000,
    )
    width: int | None = option(None, low=1, high=65536)
    h: float | None = option(None, above=0.0)
    T: float | None = option(None, above=0.0)
    levels: int = option(
        0,
        "doublings that lead to this depth, each net starting from the one before",
        low=0,
        high=20,
    )
    epochs: int = option(20, "of each level", low=1, high=1_000_000)
    evaluate_every: int = option(
        1,
        "epochs between two evaluations on validation and test, which the last epoch always has",
        low=1,
    )
    batch: int = option(64, low=1)
    seed: int = option(0, low=0, high=MOST)
    seeds: Seeds = option(Seeds())
    backward: str = option("store", choices=tuple(BACKWARD_MODES))
    precision: str = option(
        "float32",
        "bfloat16: products under autocast; bfloat16_fused: norms and "
        "activations in one pass as well, with sums in another order",
        choices=PRECISIONS,
    )
    compile: bool = option(False)
    deterministic: bool = option(True)
    probe: Probe = option(Probe())
    profile: str = option("quick", choices=("smoke", "quick", "full", "paper"))
    device: str = option("auto")
    threads: int = option(1, low=1, high=1024)
    data_root: str | None = option(None)
    download: bool = option(False)
    tolerance: float = option(
        0.01,
        "backward=reverse only: largest relative error of a reconstructed first state",
        above=0.0,
    )
    runs: str = option("runs")
    force: bool = option(False)
    checkpoint_seconds: float = option(30.0, low=0.0)
    progress: str = option("auto", choices=("auto", "bar", "lines", "none"))
    wandb: Wandb = option(Wandb())
