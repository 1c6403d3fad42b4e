"""One flipped bit in the results of a finished run is noticed by everyone who reads them."""

from dataclasses import dataclass

import numpy as np
import pytest

from stablenets.claims import ledger
from stablenets.claims.work import TrainedNetStudy, Training
from stablenets.errors import BadInput
from stablenets.report.store import DAMAGED, read_runs
from stablenets.runs.folder import RunFolder
from stablenets.runs.session import is_finished
from stablenets.training.run import train

TINY = {
    "dataset": {"name": "ellipses", "limit": 64},
    "net": {"family": "resnet", "widths": [4]},
    "depth": 4,
    "epochs": 1,
    "batch": 32,
    "probe": {"every": 1, "depths": 4, "spectrum_examples": 0},
    "device": "cpu",
}


@dataclass(frozen=True)
class WeightSum(TrainedNetStudy):
    key = "tests/weight_sum"

    def measure(self, context):
        net = self.training.trained(context)
        total = sum(float(weight.sum()) for weight in net.parameters())
        return {"sum": total}, {"weights": np.array([total])}


def flip_bit(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.fixture
def training(place):
    training = Training(TINY, keep=("state_gradients", "test_accuracy"))
    training.run(place)
    return training


@pytest.mark.parametrize("name", ["weights.pt", "probes.npz", "metrics.jsonl"])
def test_damaged_results_are_not_read(place, training, name):
    folder = RunFolder(place.runs / training.name)
    whole = (folder.path / name).read_bytes()
    readers = {
        "weights.pt": lambda: training.trained(place),
        "probes.npz": folder.arrays,
        "metrics.jsonl": folder.metrics,
    }
    readers[name]()
    flip_bit(folder.path / name)
    with pytest.raises(BadInput, match=rf"{name}: damaged.*command"):
        readers[name]()
    if name != "weights.pt":
        assert not is_finished(folder)
        with pytest.raises(BadInput):
            ledger.entry_from_folder(training, place.runs)
        assert list(read_runs(place.runs).runs["status"]) == [DAMAGED]
    (folder.path / name).unlink()
    with pytest.raises(BadInput, match=f"{name}: missing"):
        readers[name]()
    (folder.path / name).write_bytes(whole)
    readers[name]()


@pytest.mark.parametrize("spoil", [flip_bit, lambda path: path.unlink()])
def test_a_study_makes_a_damaged_training_again(place, training, spoil):
    weights = place.runs / training.name / "weights.pt"
    whole = weights.read_bytes()
    spoil(weights)
    outcome = WeightSum(training).run(place)
    assert outcome.status == "done"
    assert weights.read_bytes() == whole
    assert len(list(place.runs.glob(f"{training.name}.old-*"))) == 1


def test_a_study_whose_training_fails_has_no_result(place, training, monkeypatch):
    (place.runs / training.name / "weights.pt").unlink()

    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr("stablenets.training.loop.Loop.update", fail)
    outcome = WeightSum(training).run(place)
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert outcome.folder.name == WeightSum(training).name
    assert training.name in outcome.message


def test_a_finer_level_makes_a_damaged_coarser_level_again(resolved):
    options = ("levels=1", "epochs=1")
    first = train(resolved(*options))
    coarse = first.folder.parent / resolved(*options).coarser.name
    expected = (first.folder / "weights.pt").read_bytes()
    flip_bit(coarse / "weights.pt")
    again = train(resolved(*options, "force=true"))
    assert again.status == "done"
    assert (first.folder / "weights.pt").read_bytes() == expected
    assert len(list(coarse.parent.glob(f"{coarse.name}.old-*"))) == 1


def test_a_study_with_damaged_arrays_is_measured_again(place, training):
    study = WeightSum(training)
    study.run(place)
    path = place.runs / study.name / "probes.npz"
    whole = path.read_bytes()
    flip_bit(path)
    assert study.run(place).status == "done"
    assert path.read_bytes() == whole
