"""How each network is trained, with its chosen settings.

Rates and penalties are our choice, by validation on seeds that are in no other table: tables
`rates`, `penalties`, `depth_rates` and `level_rates` of profile full. Batch, schedule and all
settings of the image networks are ours too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from stablenets.claims.work import Training

from .published import FINAL_TIMES, HALF_WIDTHS, WIDTHS

FAMILIES = ("resnet", "antisymmetric", "verlet", "leapfrog_haber")
STABLE = FAMILIES[1:]
RATES = {"resnet": 0.03, "antisymmetric": 0.03, "verlet": 0.01, "leapfrog_haber": 0.03}
PENALTIES = {"resnet": 5e-4, "antisymmetric": 5e-5, "verlet": 5e-5, "leapfrog_haber": 5e-5}
SMOOTHED = ("resnet", "antisymmetric", "verlet")  # leapfrog takes as long as these three together
DEEP = 64  # layers from which a planar network counts as deep
# Networks that are compared by depth: the four families, equally wide and with as many parameters,
# and two of them half as wide, as in Meganet
HALF = {"verlet_half": "verlet", "leapfrog_half": "leapfrog_haber"}
NETS = (*FAMILIES, *HALF)
LARGEST_STEP = 1.0  # of these networks; the final time of shallow ones is shorter for it
# Their rates by data set, for few layers and from DEEP on, chosen at TUNED_DEPTHS
TUNED_DEPTHS = [16, 64]
DEPTH_RATES: dict[str, tuple[dict[str, float], dict[str, float]]] = {
    "ellipses": (
        dict(zip(NETS, (0.1, 0.01, 0.01, 0.03, 0.03, 0.03), strict=True)),
        dict(zip(NETS, (0.01, 0.01, 0.003, 0.03, 0.03, 0.03), strict=True)),
    ),
    "swiss_roll": (
        dict.fromkeys(NETS, 0.03),
        dict(zip(NETS, (0.03, 0.03, 0.03, 0.01, 0.01, 0.03), strict=True)),
    ),
    "peaks": (
        dict(zip(FAMILIES, (0.1, 0.1, 0.03, 0.03), strict=True)),
        dict(zip(FAMILIES, (0.1, 0.1, 0.1, 0.03), strict=True)),
    ),
}
# Rates of training by levels and from scratch, both at a constant rate
LEVEL_RATES = {
    "by levels": dict.fromkeys(FAMILIES, 0.01),
    "from scratch": dict.fromkeys(FAMILIES, 0.01),
}
LEVEL_PATIENCE = 20  # epochs without a lower validation loss after which a level ends
CURVES = ("train_loss", "test_accuracy")
# gradient norms at the first step and at the last one
PROBE = {"every": 1_000_000, "depths": 24, "spectrum_examples": 0}


def planar(
    dataset: str,
    family: str,
    depth: int,
    seed: int,
    epochs: int,
    smoothness: float = 0.0,
    levels: int = 0,
    needs: tuple[Training, ...] = (),
    *,
    curves: tuple[str, ...] = (),
    rate: float | None = None,
    schedule: str = "onecycle",
    patience: int | None = None,
    width: int | None = None,
    T: float | None = None,
    net: Mapping[str, Any] | None = None,
) -> Training:
    """A network on points in the plane.

    Args:
        dataset: The data set.
        family: The family.
        depth: Layers.
        seed: The seed of split, initial weights and order.
        epochs: Epochs.
        smoothness: The penalty on changes of the weights over depth.
        levels: The number of doublings before this depth.
        needs: The runs of the coarser levels.
        curves: What the ledger keeps of each epoch.
        rate: The learning rate; None for that of the family.
        schedule: The schedule of the learning rate.
        patience: Epochs without a lower validation loss after which training stops.
        width: Features; None for those of Meganet.
        T: The final time; None for that of Meganet.
        net: Options of the network that differ.
    """
    is_half = family in HALF.values()
    time = FINAL_TIMES[dataset] if T is None else T
    return Training(
        {
            "dataset": {"name": dataset},
            "depth": depth,
            "T": time if family in FAMILIES else None,  # a plain net has no step
            "levels": levels,
            "epochs": epochs,
            "patience": patience,
            "batch": 128,
            "net": {
                "family": family,
                "widths": [width or (HALF_WIDTHS if is_half else WIDTHS)[dataset]],
                "opening": "pad",
                "bias": "scalar",
                **(net or {}),
            },
            "optim": {
                "name": "adam",
                "lr": rate or RATES.get(family, RATES["resnet"]),
                "schedule": schedule,
                "smoothness": smoothness,
            },
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=("depths", "state_gradients", *curves),
        needs=needs,
    )


def net_by_depth(
    net: str,
    dataset: str,
    depth: int,
    seed: int,
    epochs: int,
    *,
    limits_step: bool = True,
    rate: float | None = None,
) -> Training | None:
    """A network that is compared by depth; None if there is no such network.

    Args:
        net: One of NETS. Half a width differs from the whole one on two of the data sets.
        dataset: The data set.
        depth: Layers.
        seed: The seed.
        epochs: Epochs.
        limits_step: Whether h is at most LARGEST_STEP; if not, the final time is that of Meganet,
            and only networks for which this makes a difference exist.
        rate: The learning rate; None for the chosen one.
    """
    width, T = WIDTHS[dataset], FINAL_TIMES[dataset]
    if net in HALF:
        if width == HALF_WIDTHS[dataset]:
            return None
        width = HALF_WIDTHS[dataset]
    if limits_step:
        T = min(T, LARGEST_STEP * depth)
    elif LARGEST_STEP * depth >= T:
        return None
    rate = rate or DEPTH_RATES[dataset][depth >= DEEP][net]
    return planar(dataset, HALF.get(net, net), depth, seed, epochs, rate=rate, width=width, T=T)


def image(
    dataset: dict[str, Any],
    family: str,
    depth: int,
    seed: int,
    epochs: int,
    levels: int = 0,
    needs: tuple[Training, ...] = (),
) -> Training:
    """A network of 3x3 convolutions on images."""
    return Training(
        {
            "dataset": dataset,
            "depth": depth,
            "T": 5.0,
            "levels": levels,
            "epochs": epochs,
            "batch": 64,
            "net": {
                "family": family,
                "operator": "conv",
                "widths": [8],
                "opening": "conv",
                "head": "flatten",
            },
            "optim": {"name": "adam", "lr": 0.005, "schedule": "onecycle"},
            "probe": PROBE,
            "seed": seed,
            "seeds": {"split": seed},
        },
        keep=("depths", "state_gradients"),
        needs=needs,
    )


def chain(
    make: Callable[..., Training], first: int, doublings: int, **arguments: Any
) -> list[Training]:
    """The levels of multilevel training: `first` layers, then twice as many at each doubling."""
    trainings: list[Training] = []
    for levels in range(doublings + 1):
        needs = tuple(trainings[-1:])
        depth = first * 2**levels
        trainings.append(make(depth=depth, levels=levels, needs=needs, **arguments))
    return trainings


def penalised_chain(family: str, smoothness: float | None = None, **arguments: Any):
    """A chain on the swiss roll with the penalty of the family, or with the given one."""
    penalty = PENALTIES[family] if smoothness is None else smoothness
    return chain(
        planar,
        dataset="swiss_roll",
        family=family,
        smoothness=penalty,
        **arguments,
    )


def by_levels(family: str, rate: float | None = None, **arguments: Any) -> list[Training]:
    """A chain at a constant rate whose levels end when the validation loss no longer falls."""
    return penalised_chain(
        family,
        rate=rate or LEVEL_RATES["by levels"][family],
        schedule="constant",
        patience=LEVEL_PATIENCE,
        curves=(*CURVES, "validation_accuracy"),
        **arguments,
    )


def from_scratch(family: str, rate: float | None = None, **arguments: Any) -> Training:
    """The last network of a chain from random weights, with the same penalty and schedule."""
    return planar(
        "swiss_roll",
        family,
        smoothness=PENALTIES[family],
        rate=rate or LEVEL_RATES["from scratch"][family],
        schedule="constant",
        curves=(*CURVES, "validation_accuracy"),
        **arguments,
    )


def smoothed_net(is_penalised: bool, family: str, **arguments: Any) -> Training:
    """The last level of a short chain, with or without the penalty."""
    return penalised_chain(family, None if is_penalised else 0.0, **arguments)[-1]


def penalty_trial(family: str, smoothness: float, **arguments: Any) -> Training:
    """The last level of a short chain with a penalty that is tried."""
    return chain(planar, dataset="swiss_roll", family=family, smoothness=smoothness, **arguments)[
        -1
    ]


def deep_trial(change: tuple[str, Mapping[str, Any]], **arguments: Any) -> Training:
    """One of the deepest networks on the swiss roll, with one thing changed."""
    family, changed = change
    return planar("swiss_roll", family, curves=CURVES, **arguments, **changed)
