"""curves.npz: the small arrays of all runs of a ledger, in one compressed file."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import numpy as np

from stablenets.runs.arrays import decode_arrays

# Bits kept of a number in a curve: about five digits, which are enough to draw it. This halves the
# size of the file.
MANTISSA = 16


def pack_curves(curves: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """The content of curves.npz: three arrays, which are an index, all numbers, and all bytes.

    If each of thousands of small curves were an array of the file, their names would need more
    space than their numbers.
    """
    stores: dict[str, list[np.ndarray]] = {"numbers": [], "bytes": []}
    sizes = dict.fromkeys(stores, 0)
    index: dict[str, dict[str, list[Any]]] = {}
    for run, named in curves.items():
        for name, array in named.items():
            store = "bytes" if array.dtype == np.uint8 else "numbers"
            content = (
                array.ravel()
                if store == "bytes"
                else round_curve(np.asarray(array, dtype=np.float64).ravel())
            )
            index.setdefault(run, {})[name] = [store, sizes[store], list(array.shape)]
            stores[store].append(content)
            sizes[store] += content.size
    buffer = io.BytesIO()
    np.savez_compressed(
        buffer,
        index=np.frombuffer(json.dumps(index).encode(), dtype=np.uint8),
        numbers=np.concatenate([np.empty(0), *stores["numbers"]]),
        bytes=np.concatenate([np.empty(0, np.uint8), *stores["bytes"]]),
    )
    return buffer.getvalue()


def unpack_curves(content: bytes) -> dict[str, dict[str, np.ndarray]]:
    """The arrays in curves.npz, by run and by name."""
    stores = decode_arrays(content)
    index = json.loads(stores["index"].tobytes())
    return {
        run: {
            name: stores[store][first : first + int(np.prod(shape))].reshape(shape)
            for name, (store, first, shape) in named.items()
        }
        for run, named in index.items()
    }


def round_curve(values: np.ndarray) -> np.ndarray:
    """Round to MANTISSA bits.

    For values v in (0.5, 1), such as accuracies, 1 - v is rounded to MANTISSA bits instead: for an
    accuracy near 1 the error rate matters.
    """
    is_near_one = (values > 0.5) & (values < 1.0)
    fraction, exponent = np.frexp(np.where(is_near_one, 1 - values, values))
    kept = np.ldexp(np.round(fraction * 2.0**MANTISSA) / 2.0**MANTISSA, exponent)
    return np.where(is_near_one, 1 - kept, kept)
