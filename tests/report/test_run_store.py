"""The report of a folder of runs: its files, and what it says of folders that cannot be read."""

import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from stablenets.errors import BadInput
from stablenets.report import run_store
from stablenets.report.store import read_runs

FIGURES = ("curves", "gradients", "spectra", "configurations")


@pytest.fixture
def report(tmp_path):
    """report(): the text for the terminal; the files are in tmp_path / "out"."""
    return lambda: run_store.write_report(
        read_runs(tmp_path / "runs"), tmp_path / "out", "the command"
    )


@pytest.mark.slow
def test_runs_of_the_command_line_have_a_full_report(run_cli, report, tmp_path):
    for rate in ("0.001", "0.01"):
        for seed in ("0", "1"):
            assert run_cli(f"optim.lr={rate}", f"seed={seed}").code == 0
    text = report()
    assert "lr=0.001" in text
    out = tmp_path / "out"
    assert {path.name for path in out.iterdir()} == {
        *("report.md", "report-runs.csv"),
        *(f"report-configurations.{kind}" for kind in ("md", "csv", "tex")),
        *(f"report-{name}.{kind}" for name in FIGURES for kind in ("png", "svg")),
    }
    page = (out / "report.md").read_text()
    assert "the command" in page
    assert "| optim.lr | seeds |" in page
    table = pd.read_csv(out / "report-configurations.csv")
    assert table["optim.lr"].tolist() == [0.001, 0.01]
    assert (table["seeds"] == 2).all()
    assert (table["test accuracy (%), low"] <= table["test accuracy (%)"]).all()
    runs = pd.read_csv(out / "report-runs.csv")
    assert len(runs) == 4
    assert runs["command"].str.startswith("stablenets ").all()
    # one line for both seeds
    assert (out / "report-curves.svg").read_text().count("lr=0.01 ") == 1


def truncate(path):
    path.write_bytes(path.read_bytes()[:100])


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[content.index(b"state_gradients") + 180] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("provenance.json", lambda path: path.write_text("[]")),
        ("provenance.json", lambda path: path.write_text('[{"wall_s": 1}]')),
        ("config.yaml", lambda path: path.write_text("a: 1")),
        ("config.yaml", lambda path: path.write_text("- 1")),
        ("status.json", lambda path: path.write_text("{")),
        (
            "status.json",
            lambda path: path.write_text('{"status": "done", "summary": 1, "rows": 2}'),
        ),
        ("metrics.jsonl", lambda path: path.write_text("")),
        ("probes.npz", truncate),
        ("probes.npz", flip_bit),
        ("probes.npz", lambda path: path.write_bytes(b"")),
    ],
)
def test_a_damaged_run_has_its_error_as_a_note(write_run, tmp_path, name, damage):
    for seed in range(3):
        write_run(seed=seed)
    damage(tmp_path / "runs" / "run-1" / name)
    stored = read_runs(tmp_path / "runs")
    expected = {"run-0": "done", "run-1": "damaged", "run-2": "done"}
    assert stored.runs["status"].to_dict() == expected
    assert stored.runs["note"]["run-1"]
    for of_readable in (stored.options.index, stored.arrays, set(stored.epochs["run"])):
        assert sorted(of_readable) == ["run-0", "run-2"]
    assert stored.finished() == ["run-0", "run-2"]


def test_a_damaged_run_is_named_and_left_out(write_run, report, tmp_path):
    for seed in range(3):
        write_run(seed=seed)
    truncate(tmp_path / "runs" / "run-1" / "probes.npz")
    assert "run-1" in report()
    assert "run-1" in (tmp_path / "out" / "report.md").read_text()
    table = pd.read_csv(tmp_path / "out" / "report-configurations.csv")
    assert table["seeds"].tolist() == [2]
    runs = pd.read_csv(tmp_path / "out" / "report-runs.csv", index_col="run")
    assert runs["status"].to_dict() == {"run-0": "done", "run-1": "damaged", "run-2": "done"}


def test_a_flipped_bit_is_one_that_numpy_reports(write_run):
    path = write_run() / "probes.npz"
    flip_bit(path)
    with path.open("rb") as file, pytest.raises(zipfile.BadZipFile):
        dict(np.load(file))


def test_a_store_without_a_finished_run_has_a_report(write_run, report, tmp_path):
    write_run(status="interrupted")
    (write_run() / "config.yaml").unlink()
    text = report()
    assert "interrupted" in text
    assert "run-1" in text
    assert len(pd.read_csv(tmp_path / "out" / "report-runs.csv")) == 2


def test_a_store_of_damaged_runs_only_has_a_report(write_run, report):
    (write_run() / "config.yaml").unlink()
    assert "run-0" in report()


def test_studies_are_counted_and_left_out(write_run, tmp_path):
    write_run()
    path = write_run()
    (path / "config.yaml").write_text("study: paper/growth\nexecution: {}\n")
    stored = read_runs(tmp_path / "runs")
    assert (stored.studies, list(stored.runs.index)) == (["run-1"], ["run-0"])


def test_figures_of_an_earlier_report_do_not_stay(write_run, report, tmp_path):
    (write_run() / "probes.npz").unlink()
    (tmp_path / "out").mkdir()
    for name in ("report-spectra.png", "report-depth.svg", "mine.png"):
        (tmp_path / "out" / name).touch()
    report()
    left = {path.name for path in (tmp_path / "out").iterdir()}
    assert not {"report-spectra.png", "report-depth.svg"} & left
    assert "mine.png" in left
    assert "report-spectra" not in (tmp_path / "out" / "report.md").read_text()


def test_the_text_for_a_terminal_fits_100_columns(write_run, report):
    long = "a_family_with_a_long_name_" * 3
    for net in ("plain", long):
        for seed in (0, 1):
            write_run(net, seed=seed, options={"net.filter": long + net})
    text = report()
    assert max(map(len, text.splitlines())) <= 100
    assert "report.md" in text
    # nothing of a label is cut off: it goes on in the next lines
    assert long in "".join(line[:50].strip() for line in text.splitlines())


def test_the_gradient_ratio_is_on_the_terminal_beside_two_kinds_of_scores(write_run, report):
    for score in ("accuracy", "mse"):
        for seed in (0, 1):
            write_run(
                f"a_net_of_{score}",
                seed=seed,
                score=score,
                accuracy=0.9 + 0.01 * seed,
                options={"dataset.name": score},
            )
    text = report()
    assert "gradient, first/last" in text
    assert "test accuracy (%) or MSE" in text


def test_a_folder_without_runs_is_refused(tmp_path, report):
    with pytest.raises(BadInput, match=r"no run folders there"):
        report()


def test_a_file_as_output_folder_is_refused(write_run, tmp_path):
    write_run()
    (tmp_path / "file").write_text("mine")
    with pytest.raises(BadInput, match=r"^--out "):
        run_store.write_report(read_runs(tmp_path / "runs"), tmp_path / "file", "the command")
    assert (tmp_path / "file").read_text() == "mine"


def test_numbers_of_the_frame_are_those_of_the_run(write_run, tmp_path):
    path = write_run(gradients=[0.5, 1, 1, 1, 2.0], singular=[2.0, 1.0, 1.0, 0.5])
    stored = read_runs(tmp_path / "runs")
    row = stored.runs.loc[path.name]
    assert (row["gradient_min"], row["gradient_max"], row["gradient_ratio"]) == (0.5, 2, 0.25)
    assert (row["singular_min"], row["singular_median"], row["singular_max"]) == (0.5, 1, 2)
    assert row["wall_s"] == json.loads((path / "provenance.json").read_text())[0]["wall_s"]
    assert stored.options["optim.lr"].tolist() == [0.01]
    assert stored.epochs["epoch"].tolist() == [1, 2]
