"""How networks, data sets, blocks and layouts are called on the pages."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from stablenets.claims.comparing import compare_pairs
from stablenets.claims.criteria import Criterion

NAMES = {  # of architectures; the leapfrog of Haber & Ruthotto is another one
    "hamiltonian": "Hamiltonian",
    "leapfrog": "leapfrog",
    "midpoint": "midpoint",
    "resnet_bn": "ResNet",
    "revnet": "RevNet",
}
SPELLED_IN_TABLE = NAMES | {"leapfrog": "Leapfrog", "midpoint": "MidPoint"}  # Leapfrog-26
CONVOLUTIONS = {"hamiltonian": 4, "midpoint": 2, "leapfrog": 2, "resnet_bn": 2, "revnet": 4}
DATA_NAMES = {
    "digits": "digits, 8x8",
    "cifar10": "CIFAR-10",
    "cifar100": "CIFAR-100",
    "stl10": "STL-10",
}
BLOCK_NAMES = {
    "none": "one bias",
    "shift": "two biases",
    "batch": "batch norms",
    "": "as published",  # ResNet and RevNet
}
LAYOUT_NAMES = {
    "strided_first_block": "first block of a unit strided",
    "after_first_block": "wider after the first block",
    "before_first_block": "wider before the first block",
}
LABELS = NAMES | DATA_NAMES


def with_names(rows: pd.DataFrame) -> pd.DataFrame:
    """The rows with `layers`, counted as the paper does, and `net`, the paper's name."""
    layers = rows["net.family"].map(CONVOLUTIONS) * rows["depth"] + 2
    names = rows["net.family"].map(SPELLED_IN_TABLE)
    return rows.assign(layers=layers, net=names + "-" + layers.astype(str))


def compare_nets(criterion, rows: pd.DataFrame, pairs, threshold: float) -> Iterator[Criterion]:
    """One criterion for each pair of networks, by the paper's names."""
    return compare_pairs(criterion, with_names(rows), "net", pairs, threshold)
