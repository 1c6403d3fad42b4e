"""`Flow`: any family over depth, as an ordinary module with the weights of all its layers."""

from __future__ import annotations

import math
from functools import reduce
from operator import add

from torch import Tensor

from stablenets.engine.autocast import check_dtype, without_autocast
from stablenets.engine.dynamics import Dynamics, ReversibleDynamics
from stablenets.engine.family import check_choice, check_count, check_finite, check_instance
from stablenets.engine.modes import BACKWARD_MODES, show_to_tap
from stablenets.engine.norms import ForwardContext
from stablenets.engine.operators import OPERATORS
from stablenets.engine.stack import LayerStack
from stablenets.engine.types import State, Tap, Weights
from stablenets.errors import BadInput


class Flow(LayerStack):
    """`depth` layers of one family: an `nn.Module` that keeps the shape of its input.

    Dense layers map (..., width) to (..., width), with any leading dimensions. Convolutional layers
    map (B, width, H, W) to (B, width, H, W). With depth 0 a flow is the identity.

    Parameters are named as in the paper (`K`, `b`), each with depth in front: `K` (depth, ...).

    Modes of `backward`. All give the same gradients up to rounding. The exception is a `RevNet`
    with channels that are exactly zero; see there.

    | backward | keeps for the backward pass | derivatives |
    |---|---|---|
    | store | every activation | any order |
    | checkpoint | about sqrt(depth) states; computes layers again | any order; no torch.func.grad |
    | reverse | the last state; needs a reversible family | first order; no torch.func |
    | plain | every activation; runs one layer after the other | any order |

    Most families have a fused operation, which computes many dense layers at once and is faster.
    `store` and `checkpoint` use it; `plain` never does. `torch.compile` compiles the layers of
    `plain`. It does not compile the fused operation and `reverse`, but the code around them.

    Args:
        dynamics: A family with its options, such as `Antisymmetric(gamma=0.1)`.
        width: Number of features, or of channels.
        depth: Number of layers.
        h: Step size. Required for a family that has one; not allowed for the others.
        operator: "dense" for (..., width), "conv" for images with 3x3 kernels.
        backward: A mode of the table above.
        gain: Scale of the initial kernels, which are drawn from N(0, gain² / fan_in),
            independently for each layer.
        dropout: Dropout probability for each layer's update of the state, in training mode. In
            every mode, the backward pass drops the same entries as the forward pass.

    Raises:
        TypeError: If `dynamics` is a class, not an instance, or not a family over depth.
        BadInput: A ValueError, if the family does not support a value; the message names a remedy.

    Examples:
        >>> layer = Flow(Antisymmetric(gamma=0.1), width=64, depth=256, h=0.05)
        >>> layer(torch.randn(8, 64)).shape
        torch.Size([8, 64])
        >>> images = Flow(Hamiltonian(), 32, 500, h=0.05, operator="conv", backward="reverse")
    """

    tied = False  # each layer has weights of its own

    def __init__(
        self,
        dynamics: Dynamics,
        width: int,
        depth: int,
        *,
        h: float | None = None,
        operator: str = "dense",
        backward: str = "store",
        gain: float = 1.0,
        dropout: float = 0.0,
    ) -> None:
        check_instance(dynamics, Dynamics, "Flow")
        check_choice("backward", backward, BACKWARD_MODES)
        check_choice("operator", operator, OPERATORS)
        check_count("depth", depth, 0, "the number of layers")
        check_count("width", width, 1, "the number of features")
        dynamics.check_supported(operator=operator, backward=backward, widths=[width])
        check_step_size(dynamics, h)
        check_finite("gain", gain)
        check_dropout(dynamics, dropout)
        h = 1.0 if h is None else h
        super().__init__(dynamics, width, depth, h, operator=operator, gain=gain, dropout=dropout)
        self.backward = backward

    def extra_repr(self) -> str:
        step = "" if self.dynamics.capabilities.order is None else f" h={self.h},"
        return (
            f"{self.dynamics}, width={self.width}, depth={self.depth},{step}"
            f" {self.operator.__name__}, backward={self.backward}"
        )

    def forward(self, x: Tensor, tap: Tap | None = None, first: int = 0) -> Tensor:
        """Return the output after all layers, of the shape of x.

        Args:
            x: (..., width) for dense layers, (B, width, H, W) for convolutional ones.
            tap: Called as tap(l, state) with the state that enters layer l < depth, and finally
                with (depth, last state). Leading dimensions are flattened: the parts of a state are
                (B, features) or (B, features, H, W).
            first: Index of the first state in calls of the tap: the number of layers before this
                flow.
        """
        y = self.output(self.final_state(x, tap, first))
        return y if y.shape == x.shape else y.reshape(x.shape)

    def final_state(self, x: Tensor, tap: Tap | None = None, first: int = 0) -> State:
        """Return all parts of the state after the last layer, which `inverse` takes.

        Args:
            x: As in `forward`. A dense state is flattened to (B, features).
            tap: As in `forward`.
            first: As in `forward`.
        """
        x = self.flattened(x)
        dtype = getattr(self, self.names[0]).dtype
        if self.depth:
            check_dtype(x, dtype)
        if not self.dynamics.capabilities.keeps_weight_dtype:
            return self.run(x, tap, first)
        with without_autocast(x):
            return self.run(x.to(dtype), tap, first)

    def run(self, x: Tensor, tap: Tap | None, first: int) -> State:
        """Return the state after all layers from a flattened input."""
        if not self.depth:
            return show_to_tap((x,), tap, first)
        x = self.operator.laid_out(x)
        weights, w = self.weights(), Weights()
        if self.dynamics.capabilities.two_step:
            # only the step of the first layer updates its running statistics, not this use
            context = ForwardContext(counting=False, training=self.training)
            (w,) = self.layers([weight[:1] for weight in weights], context)
        start = self.dynamics.start(x, w, self.h)
        state = BACKWARD_MODES[self.backward](self, start, weights, tap, first)
        return show_to_tap(state, tap, first + self.depth)

    def output(self, state: State) -> Tensor:
        """Return the output for the last state."""
        return self.dynamics.output(state) if self.depth else state[0]

    def inverse(self, y: Tensor | State) -> Tensor:
        """Return the input that gives the output y.

        A split family (Hamiltonian, SemiImplicit, Distributed, MS1, MS3, RevNet) returns its whole
        state, so its output is enough. The output of the others (Verlet, Leapfrog, LeapfrogHaber,
        Midpoint, Momentum) is only one of two parts of the state. For these, give both parts, as
        `final_state` returns them.

        The error is only rounding, but it can grow with depth: see
        docs/papers/chang2018.md#inversion-error. Batch norms use their running statistics in eval
        mode, and the statistics of the batch in training mode.

        Args:
            y: Output of the forward pass, or all parts of the last state.

        Returns:
            The input, of the shape of y, or flattened to (B, features) if y is a state.

        Raises:
            BadInput: If the family has no inverse, if a part is missing, or if dropout is active.

        Examples:
            >>> flow = Flow(Midpoint(), 64, 100, h=0.05).double()
            >>> x = torch.randn(8, 64, dtype=torch.float64)
            >>> (flow.inverse(flow.final_state(x)) - x).abs().max() < 1e-12
            tensor(True)
        """
        dynamics, name = self.dynamics, type(self.dynamics).__name__
        if not (isinstance(dynamics, ReversibleDynamics) and dynamics.capabilities.reversible):
            raise BadInput(f"inverse: {name} has no inverse step; use a reversible family")
        if self.is_dropping:
            raise BadInput(f"inverse: dropout={self.dropout} is random; call eval() first")
        if isinstance(y, Tensor) and self.depth:
            if not dynamics.capabilities.split:
                raise BadInput(
                    f"inverse: the output of {name} is one of the two parts of its state; give"
                    " both, inverse(final_state(x))"
                )
            state = self.flattened(y).chunk(2, 1)
            return self.inverse(state).reshape(y.shape)
        state = (y,) if isinstance(y, Tensor) else tuple(y)
        if self.depth and len(state) != 2:
            raise BadInput(f"inverse: {len(state)} parts; the state of {name} has two")
        context = ForwardContext(counting=False, training=self.training)
        layers = self.layers(self.weights(), context) if self.depth else []
        for w in reversed(layers):
            state = dynamics.unstep(state, w, self.h)
        return self.output(state)

    def flattened(self, x: Tensor) -> Tensor:
        """Return x as (B, width) or (B, width, H, W), once its shape is checked."""
        if not isinstance(x, Tensor):
            raise TypeError(f"x {type(x).__name__}: give a tensor, such as torch.as_tensor(x)")
        if self.operator.feature_dims == 1:
            if x.ndim and x.shape[-1] == self.width:
                return x if x.ndim == 2 else x.reshape(x.shape[:-1].numel(), self.width)
            raise BadInput(
                f"x {tuple(x.shape)}: dense layers of width={self.width} take (..., {self.width})"
            )
        if x.ndim != 4 or x.shape[1] != self.width:
            raise BadInput(
                f"x {tuple(x.shape)}: convolutional layers of width={self.width} take"
                f" (B, {self.width}, H, W)"
            )
        return x

    def variation(self) -> Tensor:
        """Return the smoothness in time of the weights, 1/(2h) Σ_j ‖θ_{j+1} - θ_j‖², a scalar.

        It approximates ½ ∫ ‖θ'(t)‖² dt, the smoothness term of Haber & Ruthotto 2017. So it hardly
        changes if the same weights θ(t) are sampled with a smaller h.
        """
        learned = (getattr(self, name) for name in self.dynamics.learned_names)
        differences = (weight.diff(dim=0) for weight in learned)
        return reduce(add, (difference.square().sum() for difference in differences)) / (2 * self.h)


def check_step_size(dynamics: Dynamics, h: float | None) -> None:
    """Raise `BadInput` if h is missing, or given for a family without a step size."""
    name, order = type(dynamics).__name__, dynamics.capabilities.order
    if order is None and h is not None:
        raise BadInput(f"h={h}: {name} has no step size; leave h out")
    if order is not None and h is None:
        raise BadInput(f"h: missing; it is the step size of {name}; give a number, such as h=0.1")
    if h is not None and not 0 < h < math.inf:
        raise BadInput(f"h={h}: must be a number > 0")


def check_dropout(dynamics: Dynamics, dropout: float) -> None:
    """Raise `BadInput` if the fraction is out of range, or the family cannot drop entries."""
    if not 0 <= dropout < 1:
        raise BadInput(f"dropout={dropout}: the fraction that is dropped; give 0 <= dropout < 1")
    if dropout and not dynamics.supports_dropout:
        raise BadInput(
            f"dropout={dropout}: {type(dynamics).__name__} has no single updates of its state; use"
            " dropout=0"
        )
