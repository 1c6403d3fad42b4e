"""The race of block descent and Adam: one start, one objective, level after level, and the rule by
which a time gives an output.
"""

import itertools
from itertools import pairwise

import pytest

from experiments.haber2017.optimisers import race as race_module
from experiments.haber2017.optimisers.block_descent import BlockDescent
from experiments.haber2017.optimisers.race import Trace, run_race
from stablenets.config import resolve
from stablenets.errors import BadInput
from stablenets.training.optim import learning_rate


@pytest.fixture
def planar(tiny, torch_globals):
    return resolve(
        tiny(
            "dataset=swiss_roll",
            "net=antisymmetric",
            "T=4",
            "net.widths=[4]",
            "net.opening=pad",
            "optim.smoothness=1e-3",
        )
    )


def test_race_is_from_one_start_on_one_objective(planar):
    traces = run_race(planar, BlockDescent(iterations=3, batch=128, sample=64))
    assert list(traces) == ["block descent", "adam"]
    descent, adam = traces.values()
    assert len(descent.seconds) == 4  # the start, and three iterations
    assert (descent.objective[0], descent.test_error[0]) == (adam.objective[0], adam.test_error[0])
    for trace in (descent, adam):
        assert trace.seconds[0] == 0
        assert all(after > before for before, after in pairwise(trace.seconds))
        assert all(0 <= error <= 1 for error in trace.validation_error + trace.test_error)
        assert trace.objective[-1] < trace.objective[0]
        assert all(tensor.isfinite().all() for tensor in trace.weights.values())
        assert trace.work[0] == 0
        assert all(after > before for before, after in pairwise(trace.work))
    assert len(set(map(int.__sub__, adam.work[1:-1], adam.work[:-2]))) <= 1  # an epoch has as many
    again = run_race(planar, BlockDescent(iterations=3, batch=128, sample=64))
    assert again["block descent"].objective == descent.objective


def test_race_climbs_the_levels_of_the_run(planar, tiny):
    """Each level starts, at the time at which the coarser one ended, near where that one ended; the
    first as a run of its own would.
    """
    run = resolve(
        tiny(
            "dataset=swiss_roll",
            "net=antisymmetric",
            "T=4",
            "net.widths=[4]",
            "net.opening=pad",
            "optim.smoothness=1e-3",
            "depth=16",
            "levels=2",
        )
    )
    for trace in run_race(run, BlockDescent(iterations=2)).values():
        assert sorted(trace.depth) == trace.depth
        for coarse, fine in ((4, 8), (8, 16)):
            first = trace.depth.index(fine)
            assert trace.depth[first - 1] == coarse
            assert trace.seconds[first] == trace.seconds[first - 1]
            assert trace.objective[first] == pytest.approx(trace.objective[first - 1], rel=0.1)
    assert trace.objective[0] == run_race(planar, BlockDescent(iterations=1))["adam"].objective[0]


def test_output_rule_is_the_lowest_validation_error():
    assert Trace(validation_error=[0.5, 0.2, 0.2, 0.3]).best == 1


def test_time_of_a_level_is_that_of_its_own_iterations():
    assert Trace(seconds=[0, 0.5, 2, 2, 5], depth=[4, 4, 4, 8, 8]).seconds_by_level() == [2, 3]


def test_the_second_has_as_much_time_as_the_first_and_its_schedule_ends_with_it(
    tiny, torch_globals, monkeypatch
):
    """On a clock that goes a tenth of a second at each look, and three more in a step."""
    clock, rates = itertools.count(), []

    def stepped(config, spent, budget):
        rates.append((spent, budget))
        for _ in range(3):
            next(clock)
        return learning_rate(config, spent, budget)

    monkeypatch.setattr(race_module.time, "process_time", lambda: next(clock) / 10)
    monkeypatch.setattr(race_module, "learning_rate", stepped)
    run = resolve(
        tiny(
            "dataset=swiss_roll",
            "net=antisymmetric",
            "T=4",
            "net.widths=[4]",
            "net.opening=pad",
            "batch=128",
        )
    )  # many epochs
    descent, adam = run_race(run, BlockDescent(iterations=80, batch=128, sample=64)).values()
    assert {budget for _, budget in rates} == {descent.seconds[-1]}
    shares = [spent / budget for spent, budget in rates]
    assert shares == sorted(shares)
    assert shares[0] < 0.1
    assert 0.9 < shares[-1] < 1
    epochs = len(adam.seconds) - 1
    assert adam.seconds[-1] == pytest.approx(
        descent.seconds[-1] + 0.2 * epochs, abs=0.8
    )  # two looks an epoch from outside; the last step


@pytest.mark.parametrize(
    ("overrides", "says"),
    [
        (["dataset.validation_fraction=0"], "dataset.validation_fraction=0: the race is decided"),
        (
            ["dataset=digits", "net=revnet_38", "net.blocks=null", "depth=6"],
            "net.family=revnet: block descent: .* batch norms",
        ),
        (
            ["optim.label_smoothing=0.1"],
            "optim.label_smoothing=0.1: block descent's objective has none",
        ),
        (["optim.frozen=[b]"], r"optim.frozen=\[b\]: block descent moves all weights"),
        (
            ["net.head_hidden=4"],
            (
                "net.family=antisymmetric: block descent: its classifier block is one affine map;"
                " use net.head_hidden=0"
            ),
        ),
        (
            ["dataset=psdigits", "net=rnn", "depth=null"],
            "net.family=rnn: block descent: .* not recurrent",
        ),
    ],
)
def test_race_that_cannot_be_run(tiny, torch_globals, overrides, says):
    with pytest.raises(BadInput, match=f"^{says}"):
        run_race(resolve(tiny(*overrides)), BlockDescent())
