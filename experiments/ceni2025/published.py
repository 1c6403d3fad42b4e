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
    """An accuracy on psMNIST, in %, that others report; `units` is '' where it is not known."""

    model: str
    units: str
    epochs: str
    accuracy: float
    source: str


README = "public README or paper, best test accuracy"
LOG = "log in the repository, validation"
PSMNIST = (
    Reference("LSTM", "128", "many", 79.5, README),
    Reference("LSTM", "256", "many", 92.9, "table 2 of the wRNN paper"),
    Reference("LSTM", "", "many", 95.11, "table 12 of the S4 paper"),
    *(
        Reference("expRNN", units, "70 or more", accuracy, README)
        for units, accuracy in (("170", 94.9), ("360", 96.2), ("512", 96.6))
    ),
    *(Reference("scoRNN", "", "many", accuracy, README) for accuracy in (94.8, 95.9, 96.5)),
    *(  # the adaptive-saturated RNN, not AntisymmetricRNN
        Reference("asRNN", units, "many", accuracy, README)
        for units, accuracy in (("122", 95.4), ("257", 96.9), ("364", 97.0))
    ),
    Reference("LEM", "128", "many", 96.6, README),
    Reference("coRNN", "256", "1", 10.3, LOG),
    Reference("coRNN", "256", "10", 87.7, LOG),
    Reference("LEM", "128", "1", 63.9, LOG),
    Reference("LEM", "128", "10", 91.6, LOG),
    Reference("UnICORNN", "3 x 256", "1", 63.7, LOG),
)
