"""Numbers of the paper, and accuracies that others report on permuted sequential MNIST (psMNIST).

Of the paper only the abstract was available; docs/papers/ceni2025.md has every number with its
source.
"""

from __future__ import annotations

from typing import NamedTuple

# From the abstract.
DEPTH = 50_000  # layers of the deepest MLP
LENGTH = 10_000  # time steps over which the recurrent network learns dependencies
PIXELS_OF = "psmnist"  # the data set of the next two values
FIRST_EPOCH = 94.0  # test accuracy in %; the paper's is higher in the first epoch
TEN_EPOCHS = 98.0  # test accuracy in %; the paper's is higher after ten epochs


class Reference(NamedTuple):
    """An accuracy on psMNIST, in %, that others report."""

    model: str
    units: str
    epochs: str
    accuracy: float
    source: str


ASRNN = "README of github.com/ndminhkhoi46/asRNN (010d62d): best test accuracy"
LOGS = {  # of validation accuracy
    "coRNN": "log in github.com/tk-rusch/coRNN (afd8174): validation",
    "LEM": "log in github.com/tk-rusch/LEM (833da6b): validation",
    "UnICORNN": "log in github.com/tk-rusch/unicornn (35b243d): validation",
}
S4 = "arXiv 2111.00396 (S4), table 12"
WRNN = "arXiv 2309.08045 (wRNN), table 2"
UNKNOWN = "not known"
PSMNIST = (
    Reference("LSTM", "128", UNKNOWN, 79.5, ASRNN),
    Reference("LSTM", "256", UNKNOWN, 92.9, WRNN),
    Reference("LSTM", UNKNOWN, UNKNOWN, 95.11, S4),
    *(
        Reference("expRNN", units, UNKNOWN, accuracy, ASRNN)
        for units, accuracy in (("170", 94.9), ("360", 96.2), ("512", 96.6))
    ),
    *(
        Reference("scoRNN", units, UNKNOWN, accuracy, ASRNN)
        for units, accuracy in (("170", 94.8), ("360", 95.9), ("512", 96.5))
    ),
    *(  # the adaptive-saturated RNN, not AntisymmetricRNN
        Reference("asRNN", units, "70", accuracy, ASRNN)
        for units, accuracy in (("122", 95.41), ("257", 96.88), ("364", 96.96))
    ),
    Reference("LEM", "128", UNKNOWN, 96.6, WRNN),
    Reference("coRNN", "256", "1", 10.27, LOGS["coRNN"]),
    Reference("coRNN", "256", "10", 87.67, LOGS["coRNN"]),
    Reference("LEM", "128", "1", 63.90, LOGS["LEM"]),
    Reference("LEM", "128", "10", 91.63, LOGS["LEM"]),
    Reference("UnICORNN", "3 x 256", "1", 63.67, LOGS["UnICORNN"]),
)
