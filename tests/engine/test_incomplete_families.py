"""A family that is not written to its end is refused in one line that says what to write."""

from dataclasses import dataclass

import pytest
import torch

from stablenets.config import resolve
from stablenets.engine.dynamics import Dynamics, ReversibleDynamics
from stablenets.engine.family import Capabilities
from stablenets.engine.recurrence import Recurrent
from stablenets.errors import BadInput
from stablenets.nets import FAMILIES, Flow, Recurrence
from stablenets.schema import option


@dataclass(frozen=True)
class Empty(Dynamics):
    pass


@dataclass(frozen=True)
class EmptyReversible(ReversibleDynamics):
    pass


@dataclass(frozen=True)
class Stepped(Dynamics):
    def step(self, state, w, h):
        (y,) = state
        return y + self.σ(w.K(y, w.b))


@dataclass(frozen=True)
class Fusing(Stepped):
    capabilities = Capabilities(supports_fusing=True)


@dataclass(frozen=True)
class Unlearned(Recurrent):
    def step(self, state, u, w):
        return state


@dataclass(frozen=True)
class Summing(Recurrent):
    def learned(self, width, inputs, gain):
        return {"W": torch.eye(width), "U": torch.zeros(width, width)}

    def step(self, state, u, w):
        (h,) = state
        return (torch.tanh(h @ w.W.mT + u @ w.U.mT),)


@dataclass(frozen=True)
class Flat(Summing):
    def step(self, state, u, w):
        return state[0] @ w.W.mT


@pytest.mark.parametrize(
    ("family", "says"),
    [
        (Empty, "Empty defines no layer; define step, or updates"),
        (EmptyReversible, "EmptyReversible defines no layer; define step, or updates"),
        (Fusing, "Fusing states supports_fusing=True.*leave supports_fusing out"),
    ],
)
def test_a_family_over_depth_without_equations_is_refused(family, says):
    with pytest.raises(BadInput, match=says):
        Flow(family(), 4, 3)


def test_a_class_without_the_decorator_is_refused():
    class Bare(Stepped):
        slope: float = option(1.0, "slope")

    with pytest.raises(TypeError, match=r"Bare: put @dataclass\(frozen=True\) above the class"):
        Bare()


def test_a_text_in_place_of_names_is_refused():
    @dataclass(frozen=True)
    class NoComma(Stepped):
        operators = "K"

    with pytest.raises(BadInput, match=r"operators = 'K'.*write \('K',\)"):
        Flow(NoComma(), 4, 3)


def test_a_tensor_that_is_not_declared_is_named_with_those_that_are():
    @dataclass(frozen=True)
    class Undeclared(Stepped):
        def step(self, state, w, h):
            return (w.G(state[0]),)

    with pytest.raises(AttributeError, match=r"w.G: .*there are: K, b.*operators"):
        Flow(Undeclared(), 4, 3)(torch.zeros(2, 4))


@pytest.mark.parametrize("mode", ["store", "checkpoint", "plain"])
def test_a_step_that_returns_no_tuple_is_refused(mode):
    with pytest.raises(BadInput, match=r"Stepped.step: returned a tensor; .*such as \(y,\)"):
        Flow(Stepped(), 4, 3, backward=mode)(torch.zeros(2, 4))


@pytest.mark.parametrize(
    ("family", "says"),
    [
        (Unlearned, "Unlearned does not define learned"),
        (Summing, r"Summing.step: fails for width=4 and inputs=2, with W \(4, 4\), U \(4, 4\)"),
        (Flat, r"Flat.step: must return a tuple of 1 tensors .*\(h,\)"),
    ],
)
def test_a_recurrent_family_with_an_error_is_refused(family, says):
    with pytest.raises(BadInput, match=says):
        Recurrence(family(), 2, 4, 3)


def test_an_incomplete_family_is_refused_before_any_work(monkeypatch):
    monkeypatch.setitem(FAMILIES, "empty", Empty)
    with pytest.raises(BadInput, match=r"net.family=empty defines no layer; define step"):
        resolve({"dataset": {"name": "ellipses"}, "net": {"family": "empty"}, "depth": 2})
