"""The race of block descent and Adam: one start, one objective, level after level, and the rule by which a time gives an output."""
import math
from itertools import pairwise

import pytest

from stablenets.config import resolve
from stablenets.errors import BadInput
from stablenets.training.block_descent import BlockDescent
from stablenets.training.race import Trace, race


@pytest.fixture
def planar(tiny, torch_globals):
    return resolve(tiny("dataset=swiss_roll", "net=antisymmetric", "T=4", "net.widths=[4]", "net.opening=pad", "optim.smoothness=1e-3"))


def test_race_is_from_one_start_on_one_objective(planar):
    traces = race(planar, BlockDescent(iterations=3, batch=128, sample=64))
    assert list(traces) == ["block descent", "adam"]
    descent, adam = traces.values()
    assert (len(descent.seconds), len(adam.seconds)) == (4, 3)  # the start, and three iterations or two epochs
    assert (descent.objective[0], descent.test_error[0]) == (adam.objective[0], adam.test_error[0])
    for trace in (descent, adam):
        assert trace.seconds[0] == 0
        assert all(after > before for before, after in pairwise(trace.seconds))
        assert all(0 <= error <= 1 for error in trace.validation_error + trace.test_error)
        assert trace.objective[-1] < trace.objective[0]
        assert all(tensor.isfinite().all() for tensor in trace.weights.values())
    again = race(planar, BlockDescent(iterations=3, batch=128, sample=64))
    assert again["block descent"].objective == descent.objective
    assert again["adam"].test_error == adam.test_error


def test_race_climbs_the_levels_of_the_run(planar, tiny):
    """Each level starts, at the time at which the coarser one ended, near where that one ended; the first as a run of its own would."""
    run = resolve(tiny("dataset=swiss_roll", "net=antisymmetric", "T=4", "net.widths=[4]", "net.opening=pad", "optim.smoothness=1e-3",
                       "depth=16", "levels=2"))
    for trace in race(run, BlockDescent(iterations=2)).values():
        assert trace.depth == [4] * 3 + [8] * 3 + [16] * 3
        assert [trace.seconds[3], trace.processor[6]] == [trace.seconds[2], trace.processor[5]]
        assert trace.objective[3] == pytest.approx(trace.objective[2], rel=0.1)
        assert trace.objective[6] == pytest.approx(trace.objective[5], rel=0.1)
    assert trace.objective[0] == race(planar, BlockDescent(iterations=1))["adam"].objective[0]


def test_output_rule_is_the_lowest_validation_error_in_the_time_given():
    trace = Trace(seconds=[0, 1, 2, 3], processor=[0, 0.1, 0.2, 0.3], validation_error=[0.5, 0.2, 0.2, 0.1])
    assert [trace.best(limit) for limit in (0.5, 1, 2.5, math.inf)] == [0, 1, 1, 3]
    assert [trace.last(limit) for limit in (0.5, 1, 2.5, math.inf)] == [0, 1, 2, 3]
    assert [trace.last(limit, "processor") for limit in (0.15, 1)] == [1, 3]


@pytest.mark.parametrize(("overrides", "says"), [
    (["dataset.validation=0"], "dataset.validation=0: the race is decided"),
    (["dataset=digits", "net=revnet_38", "net.blocks=null", "depth=6"], "net.family=revnet: block descent: .* batch norms"),
    (["dataset=psdigits", "net=rnn", "depth=null"], "net.family=rnn: block descent: .* not recurrent"),
])
def test_race_that_cannot_be_run(tiny, torch_globals, overrides, says):
    with pytest.raises(BadInput, match=f"^{says}"):
        race(resolve(tiny(*overrides)), BlockDescent())
