"""Comparing runs: the plot from wandb's offline files alone, the workspace, the sweep file."""

import itertools
import json
import math
import runpy
import shlex
import shutil
import statistics
import sys
from pathlib import Path

import pytest
import yaml
from conftest import compose

from stablenets.config import resolve
from stablenets.training.run import train

ROOT = Path(__file__).resolve().parents[3]
COMPARE = ROOT / "scripts" / "compare_offline_runs.py"
WORKSPACE = ROOT / "scripts" / "wandb_workspace.py"
SWEEP = yaml.safe_load((ROOT / "scripts" / "wandb_sweep.yaml").read_text())
FAMILIES, DEPTHS, SEEDS = ("resnet", "antisymmetric"), (4, 16), (0, 1, 2)


@pytest.mark.slow
@pytest.mark.usefixtures("offline")
def test_the_ratio_against_depth_is_rebuilt_from_the_offline_files_alone(
    resolved, tmp_path, monkeypatch, capsys
):
    store, expected = tmp_path / "copied", {}
    for family, depth in itertools.product(FAMILIES, DEPTHS):
        logs = []
        for seed in SEEDS:
            options = (f"net={family}", f"depth={depth}", f"seed={seed}", "dataset=digits")
            outcome = train(resolved(*options, "wandb.mode=offline"))
            logs.append(math.log10(outcome.summary["state_gradient_ratio"]))
            for name in (outcome.folder.name, f"{outcome.folder.name}.old-20260101-000000-000001"):
                shutil.copytree(outcome.folder / "wandb", store / name / "wandb")
        expected[f"digits/{family}", depth] = (statistics.mean(logs), statistics.stdev(logs))
    shutil.rmtree(tmp_path / "runs")
    picture = tmp_path / "ratio.png"
    monkeypatch.setattr(sys, "argv", ["compare", "--runs", str(store), "--out", str(picture)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(str(COMPARE), run_name="__main__")
    assert ended.value.code == 0
    assert picture.read_bytes().startswith(b"\x89PNG")
    lines = [line.split() for line in capsys.readouterr().out.splitlines()[1:]]
    printed = {
        (family, int(depth)): (float(mean), float(spread))
        for family, depth, seeds, mean, spread in lines
        if seeds == str(len(SEEDS))
    }
    assert printed.keys() == expected.keys()
    for key, (mean, spread) in expected.items():
        assert printed[key] == (pytest.approx(mean, abs=1e-4), pytest.approx(spread, abs=1e-4))


def logged_names(sessions, resolved):
    """All names that a run logs as numbers."""
    train(resolved())
    (logger,) = sessions
    return set().union(*logger.rows, *(summary for summary, _ in logger.results))


def panel_names(panel):
    """The names of numbers that a panel shows."""
    config = panel["config"]
    axes = [config.get("xAxis", ""), config.get("yAxis", ""), *config.get("metrics", [])]
    return {name.removeprefix("summary:") for name in axes if name} - {"config:depth.value"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # of wandb_workspaces about pydantic
def test_the_workspace_shows_what_is_logged(sessions, resolved):
    pytest.importorskip("wandb_workspaces", reason="pip install wandb-workspaces")
    script = runpy.run_path(str(WORKSPACE))
    names = logged_names(sessions, resolved)
    view = script["build_workspace"]("me", "depths", "me/chart")._to_model()
    sections = view.spec.section.model_dump(by_alias=True, exclude_none=True)
    sections = sections["panelBankConfig"]["sections"]
    panels = [panel for section in sections for panel in section["panels"]]
    assert set().union(*map(panel_names, panels)) - names == set()
    assert "state_gradient/ratio" in set().union(*map(panel_names, panels))
    (chart,) = (panel for panel in panels if panel["viewType"] == "Vega2")
    assert chart["config"]["panelDefId"] == "me/chart"
    # the chart gets every field that its Vega-Lite specification asks for
    for field in chart["config"]["fieldSettings"]:
        assert f"${{field:{field}}}" in json.dumps(script["DEPTH_CHART"])


def trials():
    """The words of each trial, as an agent types them after `stablenets`."""
    keys = SWEEP["parameters"]
    values = [entry.get("values", [entry.get("value")]) for entry in keys.values()]
    return [
        [f"{key}={value}" for key, value in zip(keys, chosen, strict=True)]
        for chosen in itertools.product(*values)
    ]


def test_each_trial_of_the_sweep_is_another_run(sessions, resolved):
    assert SWEEP["command"] == ["stablenets", "${args_no_hyphens}"]
    names = [resolve(compose(*words)).name for words in (trials()[0], trials()[-1])]
    assert len(set(names)) == 2, shlex.join(trials()[-1])
    assert SWEEP["metric"]["name"] in logged_names(sessions, resolved)
