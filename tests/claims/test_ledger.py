"""The precision of curves in a ledger."""

import math

import numpy as np

from stablenets.claims.curves import MANTISSA, round_curve


def test_curves_keep_five_digits_of_v_and_of_one_minus_v():
    values = np.array(
        [0.0, 1e-300, 1 / 3, 0.5, 0.99998274, 1 - 1e-9, 1.0, math.pi, -0.7, math.inf, math.nan]
    )
    kept = round_curve(values)
    np.testing.assert_allclose(kept, values, rtol=2.0**-MANTISSA)
    np.testing.assert_allclose(1 - kept[:7], 1 - values[:7], rtol=2.0**-MANTISSA)
    np.testing.assert_array_equal(round_curve(kept), kept)
