"""The comparison has every run of every ledger and run folder once, with its own numbers."""

import numpy as np
import pytest

from stablenets.claims.loader import CHECKOUT
from stablenets.report.comparison import comparison_data, has_batch_norm
from stablenets.report.curves import thinned
from stablenets.report.ledgers import FOLDERS, find_ledgers, join_runs, ledger_runs
from stablenets.report.run_curves import heat_map
from stablenets.report.starting_views import starting_view, views_to_start_from
from stablenets.report.store import read_runs

PROBES = {
    "steps": np.array([0.0, 5.0, 10.0]),
    "depths": np.array([0.0, 2.0, 4.0]),
    "state_gradients": np.array([[1.0, 1.0, 1.0], [0.1, 1.0, 1.0], [0.01, 0.1, 1.0]]),
    "singular_values": np.array([[[2.0, 1.0]], [[4.0, 1.0]], [[8.0, 1.0]]]),
    "train_loss": np.array([1.0, 0.5]),
}


def compare(results, folders=None):
    return comparison_data(join_runs(folders, ledger_runs(find_ledgers(results))), {})


def test_a_new_ledger_appears_with_curves_gradients_and_spectra(write_results):
    results = write_results([{"seeds.init": seed, "arrays": PROBES} for seed in (0, 1)])
    (one,) = compare(results)
    assert (one["origins"], one["seeds"], one["settings"]) == (["compare/quick"], 2, ["lr=0.003"])
    assert (one["dataset"], one["family"], one["depth"]) == ("digits", "plain", 4)
    assert one["values"]["test_accuracy"] == [90, 90, 90]
    assert one["values"]["gradient_ratio"][0] == 0.01
    assert one["values"]["singular_max"][0] == 8
    assert one["lines"]["train_loss"]["x"] == [1, 2]
    assert one["lines"]["gradients_last"]["x"] == [0, 0.5, 1]
    assert one["lines"]["ratio"]["y"] == [1, 0.1, 0.01]
    assert one["lines"]["spectrum_last"]["y"] == [8, 1]
    assert one["heat"]["values"] == [[1, 1, 1], [0.1, 1, 1], [0.01, 0.1, 1]]
    assert one["kept"] == ["curves", "gradients", "gradients_over_time", "spectra"]
    assert [run["seed"] for run in one["runs"]] == [0, 1]
    assert len(views_to_start_from([one])) == 3
    assert any("kept=curves,spectra" in view["query"] for view in views_to_start_from([one]))


def test_a_view_of_curves_and_spectra_needs_runs_that_keep_both(write_results):
    curves = {"train_loss": PROBES["train_loss"]}
    spectra = {name: values for name, values in PROBES.items() if name not in curves}
    found = compare(write_results([{"arrays": curves}, {"depth": 8, "arrays": spectra}]))
    assert [one["kept"][0] for one in found] == ["curves", "gradients"]
    assert all("kept=" not in view["query"] for view in views_to_start_from(found))


def test_options_that_a_command_does_not_name_are_told(write_results):
    results = write_results([{"optim.lr": 0.01, "batch": 16}])
    (one,) = compare(results)
    told = dict(text.split("=") for text in one["left_out"])
    assert told["optim.name"] == "adam"
    words = " ".join(run["command"] for run in one["runs"]).split()
    assert told.keys().isdisjoint(word.partition("=")[0] for word in words)


@pytest.mark.parametrize(
    ("family", "block_norm", "expected"),
    [
        ("resnet_bn", None, True),
        ("plain", None, False),
        ("hamiltonian", "batch", True),
        ("hamiltonian", "none", False),
        ("unknown", None, False),
    ],
)
def test_batch_norm_is_a_matter_of_the_family_or_of_an_option(family, block_norm, expected):
    assert has_batch_norm({"net.family": family, "net.block_norm": block_norm}) is expected


def test_runs_that_chose_settings_are_apart_from_results(write_results):
    results = write_results([{"seeds.init": seed} for seed in (0, 1, 100, 101)])
    found = compare(results)
    assert [(one["purpose"], one["seeds"]) for one in found] == [("results", 2), ("search", 2)]
    assert len({one["id"] for one in found}) == 2
    assert starting_view(found) == {
        "dataset": ["digits"],
        "origin": ["compare/quick"],
        "purpose": ["results"],
    }


def test_settings_have_rate_and_step_and_other_options_that_are_not_the_defaults(write_results):
    usual = {"net.family": "resnet", "optim.lr": 0.01, "h": 0.5, "batch": 64}
    changes = ({}, {"depth": 8}, {"optim.lr": 0.1}, {"batch": 16}, {"epochs": 7})
    results = write_results([usual | change for change in changes])
    settings = {
        (one["depth"], one["epochs"], ", ".join(one["settings"])) for one in compare(results)
    }
    assert settings == {
        (4, 2, "lr=0.01, h=0.5"),
        (8, 2, "lr=0.01, h=0.5"),
        (4, 2, "lr=0.1, h=0.5"),
        (4, 2, "batch=16, lr=0.01, h=0.5"),
        (4, 7, "lr=0.01, h=0.5"),
    }


def test_families_on_one_data_set_name_the_same_options(write_results):
    batches = {"resnet": (16,), "antisymmetric": (16, 64)}
    results = write_results(
        [
            {"net.family": family, "optim.lr": 0.01, "h": 0.5, "batch": batch}
            for family, own in batches.items()
            for batch in own
        ]
    )
    settings = {(one["family"], one["settings"][0]) for one in compare(results)}
    assert ("resnet", "batch=16") in settings  # although all ResNets have it


def test_values_before_training_are_those_of_the_first_of_several_measurements(write_results):
    once = {name: values[-1:] for name, values in PROBES.items() if name != "depths"}
    results = write_results(
        [
            {"arrays": PROBES},
            {"depth": 8, "arrays": {"depths": PROBES["depths"] * 2, **once}},
        ]
    )
    several, one = (found["values"] for found in compare(results))
    assert several["gradient_ratio_before"][0] == 1
    assert several["singular_min_before"][0] == 1
    assert several["singular_max_before"][0] == 2
    assert "gradient_ratio_before" not in one
    assert "singular_min_before" not in one


def test_side_by_side_families_are_at_the_deepest_depth_that_all_have(write_results):
    depths = {"plain": (4, 16, 64), "resnet": (4, 16), "antisymmetric": (4, 16)}
    runs = [
        {"net.family": family, "depth": depth, "arrays": PROBES}
        for family, own in depths.items()
        for depth in own
    ]
    view = views_to_start_from(compare(write_results(runs)))[0]
    assert view["title"] == "gradients at depth 16: plain, resnet, antisymmetric"


def test_run_folders_are_beside_the_runs_of_ledgers(write_results, write_run, tmp_path):
    for seed in (0, 1):
        write_run(net="resnet", seed=seed, accuracy=0.8)
    found = compare(write_results([{}]), read_runs(tmp_path / "runs"))
    origins = {one["family"]: one["origins"] for one in found}
    assert origins == {"resnet": [FOLDERS], "plain": ["compare/quick"]}
    values = {one["family"]: one["values"]["test_accuracy"][0] for one in found}
    assert values == {"resnet": 80, "plain": 90}


def test_a_run_in_a_folder_and_in_a_ledger_keeps_its_purpose(write_results, write_run, tmp_path):
    folder = write_run(net="plain", accuracy=0.8)
    folder.rename(folder.with_name("ledger-run-0"))
    (one,) = compare(write_results([{"seeds.init": 100}]), read_runs(tmp_path / "runs"))
    assert (one["purpose"], one["origins"]) == ("search", ["compare/quick", FOLDERS])
    assert one["values"]["test_accuracy"][0] == 80


def test_a_mean_map_of_gradients_is_geometric_and_leaves_other_layers_out():
    small = PROBES | {"state_gradients": PROBES["state_gradients"] * 1e-4}
    other = {name: values[..., :2] for name, values in PROBES.items() if name != "train_loss"}
    found = heat_map([PROBES, small, other | {"steps": PROBES["steps"]}])
    assert found["values"][2] == pytest.approx([1e-4, 1e-3, 1e-2])
    assert heat_map([{}]) is None


def test_thinning_keeps_both_ends():
    assert thinned(3, 5).tolist() == [0, 1, 2]
    assert thinned(1000, 4).tolist() == [0, 333, 666, 999]


def test_all_trainings_of_the_committed_ledgers_are_there_once():
    ledgers = find_ledgers(CHECKOUT / "results")
    trainings = {
        name: entry
        for ledger in ledgers.values()
        for name, entry in ledger.items()
        if "study" not in entry.options
    }
    runs = [run for one in compare(CHECKOUT / "results") for run in one["runs"]]
    assert sorted(run["name"] for run in runs) == sorted(trainings)
    for run in runs:
        entry = trainings[run["name"]]
        expected = 100 * entry.metrics.get("test_accuracy", np.nan)
        found = run["values"].get("test_accuracy", np.nan)
        assert found == pytest.approx(expected, rel=1e-3, nan_ok=True)
        assert run["command"] == entry.command
