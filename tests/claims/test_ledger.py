"""The ledger: what it keeps, and that damaged files are refused."""

import hashlib
import math
import os
import shlex
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import compose
from squares import Square

from stablenets.claims import ledger, ledger_files
from stablenets.claims.curves import MANTISSA, round_curve
from stablenets.claims.work import Training
from stablenets.config import resolve
from stablenets.errors import BadInput

RESULTS = Path(__file__).resolve().parents[2] / "results"
COMMITTED = sorted(path.parent for path in RESULTS.glob("*/*/ledger.csv"))
FIRST, SECOND = Square(2.0), Square(3.0)


@pytest.fixture
def entries():
    """The entries of two studies."""
    provenance = dict.fromkeys(ledger.PROVENANCE, "x") | {"wall_s": 1.5, "threads": 1}
    return {
        study.name: ledger.Entry(
            "done",
            study.options,
            {"square": study.value**2},
            provenance | {"started": "2026-01-01T00:00:00Z"},
            {"curve": np.linspace(0, study.value, 5)},
        )
        for study in (FIRST, SECOND)
    }


@pytest.fixture
def folder(entries, tmp_path):
    """A folder with the ledger of these entries."""
    ledger.write_ledger(tmp_path / "ledger", entries)
    return tmp_path / "ledger"


def write_digests(folder):
    """What `sha256sum` would write after the files were edited."""
    lines = [
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n"
        for name in ledger.FILES
    ]
    (folder / "ledger.sha256").write_text("".join(lines))


def test_arrays_that_a_training_has_not_measured_are_not_kept():
    """A run without probes has no gradients, and no column of its metrics stands in for them."""

    class Folder:
        def arrays(self):
            return {"depths": np.arange(3)}

        def metrics(self):
            return [{"epoch": 1, "train_loss": 2.0}, {"epoch": 2, "train_loss": 1.0}]

    values = {"dataset": {"name": "digits"}, "net": {"family": "plain"}}
    work = Training(values, keep=("depths", "train_loss", "state_gradients"))
    kept = ledger.kept_arrays(work, Folder())
    assert {name: list(array) for name, array in kept.items()} == {
        "depths": [0, 1, 2],
        "train_loss": [2.0, 1.0],
    }


def test_curves_keep_five_digits_of_v_and_of_one_minus_v():
    values = np.array(
        [0.0, 1e-300, 1 / 3, 0.5, 0.99998274, 1 - 1e-9, 1.0, math.pi, -0.7, math.inf, math.nan]
    )
    kept = round_curve(values)
    np.testing.assert_allclose(kept, values, rtol=2.0**-MANTISSA)
    np.testing.assert_allclose(1 - kept[:7], 1 - values[:7], rtol=2.0**-MANTISSA)
    np.testing.assert_array_equal(round_curve(kept), kept)


def cut_in_a_row(content):
    return content[:-30]


def cut_after_a_row(content):
    return b"".join(content.splitlines(keepends=True)[:-1])


def with_conflict_markers(content):
    first, *others = content.splitlines(keepends=True)
    return b"".join([first, b"<<<<<<< ours\n", *others, b"=======\n", *others, b">>>>>>> theirs\n"])


def with_a_flipped_bit(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


@pytest.mark.parametrize(
    "damage", [cut_in_a_row, cut_after_a_row, with_conflict_markers, with_a_flipped_bit]
)
@pytest.mark.parametrize("name", [*ledger.FILES, "ledger.sha256"])
def test_a_file_that_is_not_as_it_was_written_is_one_line(folder, name, damage):
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    with pytest.raises(BadInput, match=r"ledger\.csv: cannot be read .*repository") as error:
        ledger.read_ledger(folder)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [*ledger.FILES, "ledger.sha256"])
def test_a_file_that_is_missing_is_one_line(folder, name):
    (folder / name).unlink()
    with pytest.raises(BadInput, match=r"ledger\.csv: cannot be read .*repository"):
        ledger.read_ledger(folder)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("status", "failed", "has the status failed, not done or diverged"),
        ("status", "banana", "has the status banana"),
        ("status", "", "has the status nan"),
        ("wall_s", "", "no wall time"),
        ("wall_s", "soon", "soon"),
        ("started", "", "has no start"),
    ],
)
def test_a_row_that_is_no_finished_run_is_refused(folder, column, value, says):
    table = pd.read_csv(folder / "ledger.csv", dtype=str)
    table.loc[0, column] = value
    table.to_csv(folder / "ledger.csv", index=False)
    write_digests(folder)
    with pytest.raises(BadInput, match=says):
        ledger.read_ledger(folder)


@pytest.mark.parametrize("calls", range(7))
def test_a_writer_that_is_killed_leaves_the_old_or_the_new_ledger(
    folder, entries, monkeypatch, calls
):
    """The three files are staged, then the digests are replaced, then the files get their names."""
    old = {FIRST.name: entries[FIRST.name]}
    ledger.write_ledger(folder, old)
    replace, left = os.replace, [calls]

    def replace_or_die(*arguments):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        replace(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", replace_or_die)
        with pytest.raises(KeyboardInterrupt):
            ledger.write_ledger(folder, entries)
    assert ledger.read_ledger(folder).keys() == (old if calls < 4 else entries).keys()
    ledger.write_ledger(folder, entries)
    assert {path.name for path in folder.iterdir()} >= {*ledger.FILES, "ledger.sha256"}
    assert ledger.read_ledger(folder).keys() == entries.keys()


def test_a_reader_sees_one_ledger_while_another_process_writes(folder, entries, monkeypatch):
    """The files are replaced between two reads; the reader starts again."""
    old = {FIRST.name: entries[FIRST.name]}
    find, calls = ledger_files.find_content, []

    def replace_before_the_second(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            ledger.write_ledger(folder, old)
        return find(*arguments)

    monkeypatch.setattr(ledger_files, "find_content", replace_before_the_second)
    assert ledger.read_ledger(folder).keys() == old.keys()


@pytest.mark.parametrize("path", COMMITTED, ids=lambda path: path.relative_to(RESULTS).as_posix())
def test_the_commands_of_committed_rows_are_those_of_their_options(path):
    for name, entry in ledger.read_ledger(path).items():
        assert entry.provenance["command"] == entry.command, name


@pytest.mark.slow
def test_the_command_of_a_row_makes_the_run_of_its_name():
    """The last committed row of each family, composed as the command line does."""
    rows = {
        entry.options["net.family"]: (name, entry)
        for path in COMMITTED
        for name, entry in ledger.read_ledger(path).items()
        if "study" not in entry.options
    }
    assert len(rows) > 10
    for name, entry in rows.values():
        assert resolve(compose(*shlex.split(entry.command)[1:])).name == name, entry.command
