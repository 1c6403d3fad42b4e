"""Published numbers: the paper's CIFAR table and figure for few data, and replications by others.

Sources: docs/papers/chang2018.md.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """A row of the paper's table.

    Args:
        name: The network.
        parameters: Millions of parameters with 10 and with 100 classes, as printed.
        cifar10: Test accuracy in %.
        cifar100: Test accuracy in %; None if not printed.
    """

    name: str
    parameters: tuple[str, str | None]
    cifar10: float
    cifar100: float | None


# The rows by the name of the preset in configs/net.
TABLE = {
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
# The source of statements that we know from others only.
SECOND_HAND = "a semester report, EPFL 2021, that quotes the paper; we have not seen the sentence"
STL10 = 85.5  # test accuracy in % of the Hamiltonian network; no other value is known

# Test accuracies in % of similar networks in independent work. The Hamiltonian networks are from a
# semester report (EPFL 2021, five runs): by the paper's recipe as its author read it, and with
# changes. The baselines are from MemCNN, in TensorFlow and in PyTorch. ResNet-32 and RevNet-38 are
# also from tbung/pytorch-revnet. The code of Bohn, Griebel and Kannan (2021) is not listed: its
# 92.7, 70.1 and (STL-10) 79.7 % are thresholds for saving a network, not results.
REPLICATIONS = {
    "hamiltonian_74": {
        "cifar10": "85.52 ± 0.23 (EPFL, recipe), 91.58 ± 0.14 (EPFL, changed)",
        "cifar100": "62.68 ± 0.38 (EPFL, recipe), 70.23 ± 0.19 (EPFL, changed)",
    },
    "hamiltonian_218": {
        "cifar10": "92.11 (EPFL, changed; 18 blocks in a unit as here, but 1.45 million parameters)"
    },
    "resnet_32": {
        "cifar10": "92.74 (MemCNN, TensorFlow), 92.86 (MemCNN, PyTorch), 92.02 (tbung)",
        "cifar100": "69.10 (MemCNN, TensorFlow), 69.81 (MemCNN, PyTorch)",
    },
    "revnet_38": {
        "cifar10": "93.14 (MemCNN, TensorFlow), 92.80 (MemCNN, PyTorch), 91.98 (tbung)",
        "cifar100": "71.17 (MemCNN, TensorFlow), 69.90 (MemCNN, PyTorch)",
    },
    "resnet_110": {
        "cifar10": "93.99 (MemCNN, TensorFlow), 93.55 (MemCNN, PyTorch)",
        "cifar100": "73.30 (MemCNN, TensorFlow), 72.40 (MemCNN, PyTorch)",
    },
    "revnet_110": {
        "cifar10": "94.02 (MemCNN, TensorFlow), 94.10 (MemCNN, PyTorch)",
        "cifar100": "74.00 (MemCNN, TensorFlow), 73.30 (MemCNN, PyTorch)",
    },
}
STL10_REPLICATIONS = "69.96 (EPFL, recipe), 80.33 (EPFL, changed)"

# The paper's figure for few data: test accuracy in % of the Hamiltonian network and of ResNet, by
# per cent of the training data. The values are read off the figure to half a point. That the data
# are CIFAR-10 is inferred from the level; the depths of the networks are not known.
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
FEW_GAP_AT_5 = FEW[5][0] - FEW[5][1]  # points of Hamiltonian minus ResNet at 5 % of the data


def printed(dataset: str, *nets: str) -> str:
    """Return the accuracies of these presets in the paper's table, as text.

    Args:
        dataset: 'cifar10' or 'cifar100'.
        *nets: Keys of TABLE.
    """
    return ", ".join(f"{getattr(TABLE[net], dataset):.2f} %" for net in nets)


def differences(*pairs: tuple[str, str]) -> str:
    """Return the first minus the second accuracy on CIFAR-10 of each pair of presets, as text."""
    nets = [(TABLE[first], TABLE[second]) for first, second in pairs]
    gaps = [f"{a.cifar10 - b.cifar10:+.2f} ({a.name} minus {b.name})" for a, b in nets]
    return f"{', '.join(gaps)} points"
