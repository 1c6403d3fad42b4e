"""Numbers as text: every page, table, README and report formats a number here.

A number is first rounded to the digits that csv files keep. So the same number is shown whether a
page was made from the results or from the csv file beside it.
"""

from __future__ import annotations

import math
from numbers import Integral

STORED_DIGITS = 12  # of numbers in csv files
STORED_FORMAT = f"%.{STORED_DIGITS}g"
SMALLEST = 1e-300  # below, float64 loses digits and then becomes 0


def format_number(value: float) -> str:
    """A number with four digits, or all digits of an integer; '' if it is NaN.

    From 1,000 to ten millions it is written out with separators. What float64 cannot hold is said
    in words.

    Examples:
        >>> [format_number(value) for value in (1024, 1024.4, 0.0123456, 2.5e8, -1e-310)]
        ['1,024', '1,024', '0.01235', '2.5e+08', 'below 1e-300']
    """
    if isinstance(value, Integral):
        return f"{int(value):,}"
    if math.isnan(value):
        return ""
    if math.isinf(value):
        return f"beyond {'-' if value < 0 else ''}1e308"
    if 0 < abs(value) < SMALLEST:
        return f"below {SMALLEST:g}"
    stored = stored_number(value)
    rounded = f"{stored:.4g}"
    return f"{stored:,.0f}" if 1e3 <= abs(float(rounded)) < 1e7 else rounded


def stored_number(value: float) -> float:
    """A number as csv files keep it."""
    return float(STORED_FORMAT % value)


def format_power(exponent: float) -> str:
    """10 to the power of `exponent` with two digits, also where float64 cannot hold it.

    Examples:
        >>> [format_power(exponent) for exponent in (-12.7, -400.3, 1.0)]
        ['2e-13', '5e-401', '10']
    """
    if not math.isfinite(exponent):
        return {math.inf: "infinite", -math.inf: "0"}.get(exponent, "")
    if abs(exponent) < 300:
        return format_number(float(f"{10**exponent:.2g}"))
    whole = math.floor(exponent)
    factor = float(f"{10 ** (exponent - whole):.2g}")
    factor, whole = (factor / 10, whole + 1) if factor >= 10 else (factor, whole)
    return f"{factor:g}e{whole:+03d}"
