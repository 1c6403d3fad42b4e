"""Numbers of others: the paper's table of CIFAR nets, its few-data figure, and what independent
replications reached.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A net of the paper's table: millions of parameters as printed and accuracies in per cent, on
    CIFAR-10 and CIFAR-100.
    """

    name: str
    parameters: tuple[str, str | None]
    cifar10: float
    cifar100: float | None


TABLE = {  # by the net's file in configs/net
    "resnet_32": Row("ResNet-32", ("0.46", "0.47"), 92.86, 70.05),
    "revnet_38": Row("RevNet-38", ("0.46", "0.48"), 92.76, 71.04),
    "hamiltonian_74": Row("Hamiltonian-74", ("0.43", "0.44"), 92.76, 69.78),
    "midpoint_26": Row("MidPoint-26", ("0.50", "0.51"), 91.16, 67.25),
    "leapfrog_26": Row("Leapfrog-26", ("0.50", "0.51"), 91.92, 69.14),
    "resnet_110": Row("ResNet-110", ("1.73", "1.73"), 94.26, 73.56),
    "revnet_110": Row("RevNet-110", ("1.73", "1.74"), 94.24, 74.60),
    "hamiltonian_218": Row("Hamiltonian-218", ("1.68", "1.69"), 94.02, 73.89),
    "midpoint_62": Row("MidPoint-62", ("1.78", "1.79"), 92.76, 70.98),
    "leapfrog_62": Row("Leapfrog-62", ("1.78", "1.79"), 93.40, 72.28),
    "resnet_1202": Row("ResNet-1202", ("19.4", None), 92.07, None),
    "hamiltonian_1202": Row("Hamiltonian-1202", ("9.70", None), 93.84, None),
}
STL10 = 85.5  # Hamiltonian; the only number on STL-10 that we know of

# Others' runs of about the same nets, CIFAR-10 and CIFAR-100. The Hamiltonian net twice by one
# person (a semester report, EPFL 2021, five runs); the baselines by MemCNN, in TensorFlow and in
# PyTorch, ResNet-32 and RevNet-38 also by a small PyTorch project (tbung/pytorch-revnet). The code
# of Bohn, Griebel and Kannan (2021) saves nets from 92.7, 70.1 and on STL-10 79.7 % on, which is a
# threshold and no result.
REPLICATIONS = {
    "hamiltonian_74": {
        "cifar10": "85.52 ± 0.23 by the recipe, 91.58 ± 0.14 enhanced",
        "cifar100": "62.68 ± 0.38 by the recipe, 70.23 ± 0.19 enhanced",
    },
    "hamiltonian_218": {"cifar10": "92.11 with 18 blocks a unit and 1.45 M, enhanced"},
    "resnet_32": {
        "cifar10": "92.74 and 92.86 (MemCNN); 92.02 (tbung)",
        "cifar100": "69.10 and 69.81 (MemCNN)",
    },
    "revnet_38": {
        "cifar10": "93.14 and 92.80 (MemCNN); 91.98 (tbung)",
        "cifar100": "71.17 and 69.90 (MemCNN)",
    },
    "resnet_110": {"cifar10": "93.99 and 93.55 (MemCNN)", "cifar100": "73.30 and 72.40 (MemCNN)"},
    "revnet_110": {"cifar10": "94.02 and 94.10 (MemCNN)", "cifar100": "74.00 and 73.30 (MemCNN)"},
}
STL10_REPLICATIONS = "69.96 by the recipe, 80.33 enhanced"  # by the same person

# The few-data figure: per cent of the training data, accuracies read off a picture of it to half a
# point. That it is CIFAR-10 is inferred from its level; which depths it shows is not known.
FEW = {
    0.5: (37.0, 32.4),
    1: (42.0, 35.2),
    2: (52.8, 44.4),
    3: (61.5, 48.5),
    4: (66.8, 53.1),
    5: (68.4, 60.5),
    6: (73.8, 64.0),
    7: (76.1, 70.2),
    8: (76.3, 69.4),
    9: (76.3, 73.4),
    10: (79.3, 74.9),
    11: (81.2, 76.0),
    12: (81.5, 78.3),
    13: (82.4, 79.8),
    14: (83.1, 80.2),
    15: (83.7, 81.9),
    16: (84.6, 81.8),
    17: (84.3, 83.0),
    18: (84.7, 83.5),
    19: (85.1, 84.3),
    20: (85.4, 84.3),
}


def printed(dataset: str, *nets: str) -> str:
    """Accuracies of the paper's table."""
    return ", ".join(f"{getattr(TABLE[net], dataset):.2f} %" for net in nets)


def differences(*pairs: tuple[str, str]) -> str:
    """Differences of the paper's accuracies on CIFAR-10."""
    gaps = [f"{TABLE[ours].cifar10 - TABLE[theirs].cifar10:+.2f}" for ours, theirs in pairs]
    return f"{', '.join(gaps)} points"


FEW_GAP_AT_5 = FEW[5][0] - FEW[5][1]
