"""Numbers of trainable parameters, and the widths at which families have equally many."""

from __future__ import annotations

import math

# The number of trainable parameters of a recurrence is a H² + b H + c H d for H units and d inputs;
# this is (a, b, c). A skew-symmetric matrix has H (H - 1) / 2 of them. Families that are not listed
# have one matrix, one bias and one input matrix.
PARAMETER_FACTORS = {
    "lstm": (4, 8, 4),
    "gru": (3, 6, 3),
    "antisymmetric_rnn": (0.5, 0.5, 1),
    "gated_antisymmetric_rnn": (0.5, 1.5, 2),
    "cornn": (2, 1, 1),
    "exprnn": (0.5, 0.5, 1),
}
OTHER_FACTORS = (1, 1, 1)


def count_parameters(family: str, width: int, inputs: int, outputs: int, hidden: int = 0) -> int:
    """Return the number of trainable parameters of a recurrent network.

    The filter is fixed and does not count.

    Args:
        family: The family.
        width: Units of the recurrence.
        inputs: Features of a time step.
        outputs: Outputs of the readout.
        hidden: Units of a hidden layer in the readout; 0 for none.
    """
    square, linear, by_input = PARAMETER_FACTORS.get(family, OTHER_FACTORS)
    recurrence = int(width * (square * width + linear + by_input * inputs))
    if hidden:
        return recurrence + hidden * (width + 1) + outputs * (hidden + 1)
    return recurrence + outputs * (width + 1)


def matched_width(
    family: str, roarnn_width: int, inputs: int, outputs: int, hidden: int = 0
) -> int:
    """Return the width at which a family has about as many trainable parameters as a roaRNN.

    Args:
        family: The family.
        roarnn_width: Units of the roaRNN.
        inputs: Features of a time step.
        outputs: Outputs of the readout.
        hidden: Units of a hidden layer in the readout; 0 for none.
    """

    def count(width: int) -> int:
        return count_parameters(family, width, inputs, outputs, hidden)

    wanted = count_parameters("roarnn", roarnn_width, inputs, outputs, hidden)
    # The count is a quadratic function of the width: square w² + linear w + count(0).
    square, *_ = PARAMETER_FACTORS.get(family, OTHER_FACTORS)
    linear = count(1) - count(0) - square
    root = (math.sqrt(linear**2 + 4 * square * (wanted - count(0))) - linear) / (2 * square)
    return min(math.floor(root), math.ceil(root), key=lambda width: abs(count(width) - wanted))
