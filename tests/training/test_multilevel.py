"""Multi-level training: interpolation of weights in time, and chains of runs."""

import json
import multiprocessing
import signal
import time

import pytest
import torch
from torch import nn

from stablenets.nets import FAMILIES, Flow, Leapfrog, Network
from stablenets.runs.checkpoint import read_checkpoint
from stablenets.runs.lock import Lock
from stablenets.training.loop import Loop
from stablenets.training.multilevel import interpolate_in_time, prolong
from stablenets.training.run import train

WIDTH, SPACE = 4, {"dense": (), "conv": (5, 6)}
OPTIONS = {"distributed": {"nodes": 2}}
IN_TIME = sorted(
    name for name, family in FAMILIES.items() if family().capabilities.order is not None
)
LEVELS = ("depth=8", "T=1", "levels=2", "optim.smoothness=0.01", "probe.every=0")


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def flow(name: str, depth: int, T: float = 1.0, operator: str = "dense", **options) -> Flow:
    """A flow with random weights, biases and batch-norm statistics."""
    net = Flow(
        FAMILIES[name](**OPTIONS.get(name, {}) | options),
        WIDTH,
        depth,
        h=T / depth,
        operator=operator,
    ).double()
    for tensor in [
        *net.parameters(),
        *(buffer for key, buffer in net.named_buffers() if key not in net.fixed),
    ]:
        nn.init.uniform_(tensor, 0.1, 1.0)
    return net


def with_smooth_weights(net: Flow) -> Flow:
    """Set the weights to a smooth function of time, sampled at t_j = j h."""
    t = torch.arange(net.depth, dtype=torch.float64) * net.h
    for parameter in net.parameters():
        phase = torch.arange(parameter[0].numel(), dtype=torch.float64).view(
            1, *parameter.shape[1:]
        )
        parameter.data = torch.sin(2 * t.view(-1, *(1,) * (parameter.dim() - 1)) + phase)
    return net


def network(depth: int, T: float = 1.0, family: str = "verlet", **options) -> Network:
    parts = {
        "shape": (1, 8, 8),
        "outputs": 3,
        "widths": [2, 4],
        "operator": "conv",
        "opening_kind": "conv",
        "head_kind": "mean",
    }
    return Network(FAMILIES[family](), depth=depth, h=T / depth, **parts | options).double()


def test_interpolation_against_values_computed_by_hand():
    values = torch.tensor([[0.0, 3.0], [2.0, 3.0], [8.0, 0.0]])
    assert interpolate_in_time(values, 6, 0.5).tolist() == [
        [0, 3],
        [1, 3],
        [2, 3],
        [5, 1.5],
        [8, 0],
        [8, 0],
    ]  # constant after the last node
    assert torch.equal(interpolate_in_time(values, 3, 1.0), values)
    assert interpolate_in_time(values[:1], 2, 0.5).tolist() == [[0, 3], [0, 3]]


@pytest.mark.parametrize("operator", SPACE)
@pytest.mark.parametrize("name", IN_TIME)
def test_every_family_with_a_step_is_prolonged(name, operator):
    """Every second node equals the coarse one bitwise. What all layers share is copied."""
    coarse, fine = flow(name, 3, operator=operator), flow(name, 6, operator=operator)
    prolong(coarse, fine)
    for key, tensor in coarse.state_dict().items():
        found = fine.state_dict()[key]
        if key in coarse.fixed:
            assert torch.equal(found, tensor)
        else:
            assert torch.equal(found[::2], tensor)
            assert torch.allclose(
                found[1::2], (tensor + torch.cat([tensor[1:], tensor[-1:]])) / 2, rtol=0, atol=1e-15
            )


@pytest.mark.parametrize("name", [name for name in IN_TIME if name != "momentum"])
def test_a_prolonged_flow_computes_nearly_the_same_function(name):
    """Both discretise one ODE, and the weights are smooth in time: the difference falls with h.

    Not so Momentum: its velocity decays by gamma in each layer, however short the step is.
    """
    x = torch.randn(5, WIDTH, dtype=torch.float64)
    changes = []
    for depth in (16, 32, 64):
        coarse, fine = with_smooth_weights(flow(name, depth)), flow(name, 2 * depth)
        prolong(coarse, fine)
        with torch.no_grad():
            changes.append((fine(x) - coarse(x)).norm().item())
    assert changes[1] < 0.6 * changes[0]
    assert changes[2] < 0.6 * changes[1]


def test_refinement_keeps_the_smoothness_term():
    """1/(2h) Σ‖θ_{j+1} - θ_j‖² of a piecewise linear function does not change with more samples."""
    coarse, fine, finer = flow("verlet", 5), flow("verlet", 10), flow("verlet", 20)
    prolong(coarse, fine)
    prolong(fine, finer)
    assert fine.variation().item() == pytest.approx(coarse.variation().item(), rel=1e-14)
    assert finer.variation().item() == pytest.approx(coarse.variation().item(), rel=1e-14)


def test_batch_norm_statistics_are_interpolated():
    coarse, fine = (
        Flow(Leapfrog(block_norm="batch"), WIDTH, depth, h=1 / depth).double() for depth in (2, 4)
    )
    coarse.variance_N[:] = torch.tensor([[1.0], [3.0]])
    prolong(coarse, fine)
    assert fine.variance_N[:, 0].tolist() == [1, 2, 3, 3]


@pytest.mark.parametrize("layout", ["before_first_block", "after_first_block"])
def test_a_network_of_several_units_is_prolonged(layout):
    """Opening and head are copied, and each unit is interpolated.

    In one layout the units do not have exactly twice the layers.
    """
    coarse, fine = network(6, transition=layout), network(12, transition=layout)
    assert [unit.depth for unit in fine.units] == {
        "before_first_block": [6, 6],
        "after_first_block": [7, 5],
    }[layout]
    prolong(coarse, fine)
    for key, tensor in coarse.state_dict().items():
        found = fine.state_dict()[key]
        if key.startswith("units"):
            nodes = min(len(tensor), len(found[::2]))
            assert torch.equal(found[::2][:nodes], tensor[:nodes])
        else:
            assert torch.equal(found, tensor)
    x = torch.randn(3, 1, 8, 8, dtype=torch.float64)
    with torch.no_grad():
        assert (fine(x) - coarse(x)).abs().max() < 0.2 * (network(12)(x) - coarse(x)).abs().max()


# chains of runs


def run_folders(tmp_path) -> dict[str, dict]:
    """Folder and status of each run, by its depth as in its name."""
    found = {
        path.parent: json.loads(path.read_text())
        for path in (tmp_path / "runs").glob("*/status.json")
    }
    return {
        next(word for word in path.name.split("-") if word.startswith("L")): {"path": path} | status
        for path, status in found.items()
    }


def rows(folder) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_levels_are_runs_of_their_own(resolved):
    """A level has the hash of the run that a person would type."""
    assert resolved(*LEVELS).coarser.identity == resolved(*LEVELS, "depth=4", "levels=1").identity
    assert (
        resolved(*LEVELS).coarser.coarser.identity
        == resolved(*LEVELS, "depth=2", "levels=0").identity
    )
    assert resolved(*LEVELS).coarser.coarser.coarser is None
    assert (
        resolved("depth=12", "h=0.1", "levels=1").coarser.name == resolved("depth=6", "h=0.2").name
    )
    assert "levels" not in resolved().identity


def test_a_chain_starts_where_the_coarser_level_ended(resolved, tmp_path):
    outcome = train(resolved(*LEVELS))
    assert outcome.status == "done"
    folders = run_folders(tmp_path)
    assert folders.keys() == {"L2", "L4", "L8"}
    for below, here in (("L2", "L4"), ("L4", "L8")):
        end, start = rows(folders[below]["path"])[-1], rows(folders[here]["path"])[0]
        assert (start["epoch"], start["step"]) == (0, 0)
        assert start["test_loss"] == pytest.approx(end["test_loss"], rel=0.1)
    # the coarsest level has no row for epoch 0, since it starts from random weights
    assert [row["epoch"] for row in rows(folders["L2"]["path"])] == [1, 2]
    assert [row["epoch"] for row in rows(folders["L8"]["path"])] == [0, 1, 2]
    depths = {
        len(torch.load(folder["path"] / "weights.pt")["units.0.K"]) for folder in folders.values()
    }
    assert depths == {2, 4, 8}


def test_a_float64_chain_loses_no_digit(resolved, tmp_path):
    """With a tiny learning rate the finer level ends at the weights of the coarser one."""
    unchanged = (*LEVELS, "levels=1", "precision=float64", "optim=sgd", "optim.lr=1e-30")
    assert train(resolved(*unchanged)).status == "done"
    coarse, fine = (
        torch.load(run_folders(tmp_path)[level]["path"] / "weights.pt") for level in ("L4", "L8")
    )
    assert coarse["units.0.K"].dtype == torch.float64
    assert torch.equal(fine["units.0.K"][::2], coarse["units.0.K"])
    assert torch.equal(fine["head.1.weight"], coarse["head.1.weight"])


def test_chains_share_their_levels(resolved, tmp_path):
    train(resolved(*LEVELS, "depth=4", "levels=1"))
    shared = {key: folder["path"] for key, folder in run_folders(tmp_path).items()}
    before = {path: (path / "weights.pt").stat().st_mtime_ns for path in shared.values()}
    assert train(resolved(*LEVELS)).status == "done"
    assert {path: (path / "weights.pt").stat().st_mtime_ns for path in shared.values()} == before
    assert len(run_folders(tmp_path)) == 3
    train(resolved(*LEVELS, "force=true"))  # applies only to the run itself, not to its levels
    assert {path: (path / "weights.pt").stat().st_mtime_ns for path in shared.values()} == before


@pytest.mark.parametrize("steps", [3, 16 + 3, 32 + 3])
def test_a_chain_interrupted_on_any_level_resumes_to_the_same_end(
    resolved, run_cli, tmp_path, monkeypatch, steps
):
    """SIGTERM during the first, second and third level."""
    assert train(resolved(*LEVELS, f"runs={tmp_path / 'whole'}")).status == "done"
    update, done = Loop.update, []

    def signalled(self: Loop, *batch: object) -> bool:
        done.append(1)
        if len(done) == steps:
            signal.raise_signal(signal.SIGTERM)
        return update(self, *batch)

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "update", signalled)
        interrupted = train(resolved(*LEVELS))
    assert (interrupted.status, interrupted.exit_code) == ("interrupted", 128 + signal.SIGTERM)
    assert interrupted.folder.name.split("-")[3] == "L8"
    assert run_folders(tmp_path)["L8"]["status"] == "interrupted"
    assert train(resolved(*LEVELS)).status == "done"
    for path in (tmp_path / "whole").iterdir():
        again = tmp_path / "runs" / path.name
        assert (again / "metrics.jsonl").read_bytes() == (path / "metrics.jsonl").read_bytes()
        assert (again / "weights.pt").read_bytes() == (path / "weights.pt").read_bytes()
        one, other = (
            read_checkpoint(folder / "checkpoint.pt")["generators"]["cpu"]
            for folder in (again, path)
        )
        assert torch.equal(one, other)


def test_a_chain_diverges_with_its_level(resolved, tmp_path):
    """The divergence is a result of the whole chain, and states the depth."""
    outcome = train(resolved(*LEVELS, "optim=sgd", "optim.lr=1e30"))
    assert (outcome.status, outcome.exit_code) == ("diverged", 0)
    folders = run_folders(tmp_path)
    assert {folder["status"] for folder in folders.values()} == {"diverged"}
    assert folders["L8"]["summary"]["divergence"]["depth"] == 2
    again = train(resolved(*LEVELS, "optim=sgd", "optim.lr=1e30"))
    assert (again.status, again.folder) == ("diverged", outcome.folder)
    assert "already" in again.message


def test_a_chain_fails_with_its_level(resolved, tmp_path, monkeypatch):
    def broken(self: Loop, stop: object) -> str:
        raise RuntimeError("no more")

    with monkeypatch.context() as patch:
        patch.setattr(Loop, "run", broken)
        outcome = train(resolved(*LEVELS))
    assert (outcome.status, outcome.exit_code) == ("failed", 1)
    assert "level of 4 layers" in outcome.message
    assert "no more" in outcome.message
    assert {folder["status"] for folder in run_folders(tmp_path).values()} == {"failed"}
    assert train(resolved(*LEVELS)).status == "done"


def hold(folder: str, ready, seconds: float) -> None:
    from pathlib import Path

    with Lock(Path(folder)):
        ready.set()
        time.sleep(seconds)


def test_a_chain_waits_for_a_level_that_another_process_trains(resolved, tmp_path):
    run = resolved(*LEVELS, "depth=4", "levels=1")
    folder = tmp_path / "runs" / run.coarser.name
    folder.mkdir(parents=True)
    context = multiprocessing.get_context("forkserver")
    ready = context.Event()
    process = context.Process(target=hold, args=(str(folder), ready, 0.5))
    process.start()
    assert ready.wait(60)
    assert train(run).status == "done"
    process.join()


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (
            ["depth=6", "levels=2"],
            ["levels=2: depth=6 cannot be halved 2 times", "a multiple of 4 layers"],
        ),
        (["levels=-1"], ["levels=-1: must be >= 0"]),
        (["levels=99"], ["levels=99: must be", "<= 20"]),
        (["net=plain", "levels=1"], ["levels=1: net.family=plain has no time", "levels=0"]),
        (
            ["dataset=digits", "net=resnet_conv", "depth=6", "levels=1"],
            ["levels=1: net.blocks=[3, 3] cannot be halved", "a multiple of 2"],
        ),
        (
            [
                "dataset=digits",
                "net=resnet_conv",
                "depth=4",
                "levels=1",
                "net.transition=after_first_block",
            ],
            ["levels=1: at half the depth net.blocks=[1, 1]", "the first block of unit 2"],
        ),
    ],
)
def test_impossible_levels_are_refused(refused, overrides, says):
    refused(*overrides, says=says)
