"""The ledger: what is kept of finished work beside the tables, so that any machine builds them
again.

    ledger.csv    a row a piece of work: how it ended, its metrics, its provenance
    options.json  its resolved options, all of them
    curves.npz    its small arrays, in one compressed file

Work lies here and in local run folders; the two are joined by the name, which ends in the hash, and
the later one counts.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stablenets.claims.row_options import decode_options, encode_options
from stablenets.claims.work import Training, Work
from stablenets.errors import BadInput
from stablenets.runs import files, provenance
from stablenets.runs.folder import FINISHED, RunFolder
from stablenets.schema import flatten_keys

PROVENANCE = (
    "started",
    "wall_s",
    "commit",
    "device",
    "threads",
    "torch",
    "python",
    "source",
    "data",
    "command",
)
TABLE, OPTIONS, CURVES = "ledger.csv", "options.json", "curves.npz"
# bits kept of a number in a curve: five digits, enough to draw, and half the size when compressed
MANTISSA = 16


@dataclass(frozen=True)
class Entry:
    """A finished piece of work: options by keys as `optim.lr`, metrics by name, provenance by
    PROVENANCE, arrays by name.
    """

    status: str
    options: dict[str, Any]
    metrics: dict[str, float]
    provenance: dict[str, Any]
    arrays: dict[str, np.ndarray]


Ledger = dict[str, Entry]  # by the name of the run


def latest(ledgers: Iterable[Ledger]) -> Ledger:
    """All entries; of work that several hold, the one that was begun last."""
    found: Ledger = {}
    for entries in ledgers:
        found |= {
            name: entry
            for name, entry in entries.items()
            if name not in found
            or str(entry.provenance["started"]) > str(found[name].provenance["started"])
        }
    return found


def join(works: Iterable[Work], runs: Path, noted: Ledger) -> Ledger:
    """What is known of `works`, from run folders and ledger together; of what lies in both, the
    later, and of one and the same run the folder, which has what a ledger was not asked to keep.
    """
    found: Ledger = {}
    for work in works:
        entries = [entry for entry in (from_folder(work, runs), noted.get(work.name)) if entry]
        if entries:
            found[work.name] = max(entries, key=lambda entry: str(entry.provenance["started"]))
    return found


def from_folder(work: Work, runs: Path) -> Entry | None:
    """The entry of a finished run folder, None where there is none. A folder that cannot be read is
    said, not passed over.
    """
    folder = RunFolder(runs / work.name)
    status = folder.status() if folder.path.is_dir() else None
    if status is None or status["status"] not in FINISHED:
        return None
    history = provenance.load(folder.path)
    try:
        last = history[-1]
        where = {
            "started": last["started"],
            "wall_s": round(sum(session["wall_s"] for session in history), 2),
            "commit": provenance.made_at(last["commit"], last["dirty"]),
            "device": last["device"],
            "threads": last["threads"],
            "torch": last["versions"]["torch"],
            "python": last["versions"]["python"],
            "source": last["data"]["source"],
            "data": " ".join(digest[:8] for digest in last["data"]["digests"].values()),
            "command": last["command"],
        }
        return Entry(
            status["status"],
            work.options,
            dict(numbers(status["summary"])),
            where,
            arrays(work, folder),
        )
    except (LookupError, TypeError, ValueError, OSError) as error:
        raise BadInput(
            f"{folder.path}: cannot be read as a finished run ({type(error).__name__}: {error});"
            " remove it or make it again"
        ) from None


def numbers(summary: Mapping[str, Any]) -> Iterable[tuple[str, float]]:
    """Metrics as numbers: a pair [low, high] becomes two, text such as "inf" what it stands for."""
    for name, value in flatten_keys(summary).items():
        if isinstance(value, list):
            yield from zip((f"{name}_low", f"{name}_high"), map(float, value), strict=True)
        elif value is not None:
            yield name, float(value)


def arrays(work: Work, folder: RunFolder) -> dict[str, np.ndarray]:
    """What the ledger keeps of a run: all arrays of a study, of a training those that it names."""
    path = folder.path / "probes.npz"
    measured = {}
    if path.exists():
        with np.load(path) as content:
            measured = dict(content)
    if not isinstance(work, Training):
        return measured
    rows = folder.metrics() if set(work.keep) - set(measured) else []
    columns = {
        name: np.array([float(row.get(name, "nan")) for row in rows])
        for name in work.keep
        if name not in measured
    }
    return {name: measured[name] for name in work.keep if name in measured} | columns


def write(folder: Path, ledger: Ledger) -> None:
    """ledger.csv, options.json and curves.npz, sorted by run."""
    folder.mkdir(parents=True, exist_ok=True)
    rows = [
        {
            "run": name,
            "status": entry.status,
            **{f"metric.{key}": value for key, value in entry.metrics.items()},
            **entry.provenance,
        }
        for name, entry in sorted(ledger.items())
    ]
    metrics = list(dict.fromkeys(key for row in rows for key in row if key.startswith("metric.")))
    frame = pd.DataFrame(rows, columns=["run", "status", *metrics, *PROVENANCE])
    files.write(folder / TABLE, frame.to_csv(index=False, float_format="%.10g", na_rep="").encode())
    files.write(
        folder / OPTIONS, encode_options({name: entry.options for name, entry in ledger.items()})
    )
    files.write(
        folder / CURVES,
        packed({name: entry.arrays for name, entry in sorted(ledger.items()) if entry.arrays}),
    )


def read(folder: Path) -> Ledger:
    """The ledger of a folder, empty where there is none."""
    path = folder / TABLE
    if not path.exists():
        return {}
    try:
        rows = pd.read_csv(
            path,
            dtype=dict.fromkeys({*PROVENANCE} - {"wall_s", "threads"}, str),
            keep_default_na=False,
            na_values=[""],
        ).to_dict("records")
        options = decode_options((folder / OPTIONS).read_bytes())
        curves = unpacked(folder / CURVES)
        return {
            row["run"]: Entry(
                row["status"],
                options[row["run"]],
                {
                    key.removeprefix("metric."): float(value)
                    for key, value in row.items()
                    if key.startswith("metric.") and value == value
                },
                {key: row[key] for key in PROVENANCE},
                curves.get(row["run"], {}),
            )
            for row in rows
        }
    except (OSError, ValueError, LookupError) as error:
        raise BadInput(
            f"{path}: cannot be read as a ledger ({' '.join(str(error).split())}); take it from the"
            " repository again"
        ) from None


def packed(curves: Mapping[str, Mapping[str, np.ndarray]]) -> bytes:
    """Thousands of small arrays as three: an index, all numbers, all bytes. One zip entry each
    would cost more than its content.
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
                else rounded(np.asarray(array, dtype=np.float64).ravel())
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


def unpacked(path: Path) -> dict[str, dict[str, np.ndarray]]:
    with np.load(path) as content:
        stores = {name: content[name] for name in ("numbers", "bytes")}
        index = json.loads(content["index"].tobytes())
    return {
        run: {
            name: stores[store][first : first + int(np.prod(shape))].reshape(shape)
            for name, (store, first, shape) in named.items()
        }
        for run, named in index.items()
    }


def rounded(values: np.ndarray) -> np.ndarray:
    """To MANTISSA bits. Between a half and 1 they are those of what is missing to 1: of ten
    thousand answers that are nearly all right the wrong ones count.
    """
    share = (values > 0.5) & (values < 1.0)
    fraction, exponent = np.frexp(np.where(share, 1 - values, values))
    kept = np.ldexp(np.round(fraction * 2.0**MANTISSA) / 2.0**MANTISSA, exponent)
    return np.where(share, 1 - kept, kept)
