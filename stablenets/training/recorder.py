"""Measurements during training: gradient norms by depth, and singular values of the Jacobian.

They are part of the checkpoint, so a resumed run has the same arrays as an uninterrupted one.
"""

from __future__ import annotations

import copy
import io
from typing import Any

import numpy as np
import torch
from torch import Tensor

from stablenets.config.options import Probe
from stablenets.nets import Network, SequenceNetwork
from stablenets.probes import (
    NotFinite,
    StateGradients,
    log_spaced_depths,
    singular_values,
    weight_gradient_norms,
)
from stablenets.probes.lanczos import LANCZOS_STEPS
from stablenets.probes.products import Stages
from stablenets.probes.spectrum import FULL_JACOBIAN_LIMIT

RECORDED = (
    *("steps", "loss", "state_gradients", "weight_gradients"),
    *("spectrum_epochs", "singular_values"),
)


class Recorder:
    """What is measured while a network trains.

    | array            | shape           | content                                        |
    |------------------|-----------------|------------------------------------------------|
    | steps, loss      | (P,)            | measured steps, and the loss of their batch    |
    | depths           | (D,)            | the l of the measured states Y_l, from 0 to L  |
    | state_gradients  | (P, D)          | norm of dLoss/dY_l over the batch              |
    | layers           | (W,)            | the measured layers, from 0 to L - 1           |
    | weight_gradients | (P, W)          | norm of the gradient of a layer's weights      |
    | spectrum_epochs  | (S,)            | epochs at which singular values were measured  |
    | singular_values  | (S, samples, k) | singular values of dY_L/dY_0, largest first    |

    Args:
        config: How often to measure, and at how many depths and examples.
        net: The network that trains.

    Examples:
        >>> recorder = Recorder(Probe(every=1), net)
        >>> probe = recorder.start_probe(step=0)
        >>> loss = cross_entropy(net(x, probe), y)
        >>> loss.backward()
        >>> recorder.record_gradients(0, loss.item(), probe)
        >>> recorder.arrays()["state_gradients"].shape
        (1, 16)
    """

    def __init__(self, config: Probe, net: Network | SequenceNetwork) -> None:
        self.config, self.net = config, net
        self.depths = log_spaced_depths(net.depth, config.depths)
        self.layers = log_spaced_depths(net.depth - 1, config.depths)
        self.steps: list[int] = []
        self.loss: list[float] = []
        self.state_gradients: list[Tensor] = []
        self.weight_gradients: list[Tensor] = []
        self.spectrum_epochs: list[int] = []
        self.singular_values: list[Tensor] = []

    def start_probe(self, step: int, is_last: bool = False) -> StateGradients | None:
        """A probe for the forward pass of a step that is measured, else None.

        Every `config.every`-th step is measured, and the last step of a run.
        """
        is_due = self.config.every and (is_last or step % self.config.every == 0)
        return StateGradients(self.depths) if is_due else None

    def record_gradients(self, step: int, loss: float, probe: StateGradients) -> None:
        """Record the gradients of a measured step, after its backward pass."""
        self.steps.append(step)
        self.loss.append(loss)
        self.state_gradients.append(probe.norms())
        self.weight_gradients.append(weight_gradient_norms(self.net.units, self.layers))

    def record_spectrum(self, epoch: int, examples: Tensor) -> None:
        """Record the singular values of dY_L/dY_0 in float64, unless those of `epoch` are recorded.

        They are computed on a copy in evaluation mode: with their running statistics, batch norms
        treat each example separately. Singular values that are 0 because of pooling are omitted.

        Args:
            epoch: The number of epochs done.
            examples: Inputs; the first `config.spectrum_examples` are used.
        """
        if not self.config.spectrum_examples or epoch in self.spectrum_epochs:
            return
        net = copy.deepcopy(self.net).double().requires_grad_(False).eval()
        with torch.no_grad():
            passages = net.jacobian_maps(examples[: self.config.spectrum_examples].double())
        # Golub-Kahan, which larger states need, differentiates twice
        mode = "store" if passages[0][1].numel() <= FULL_JACOBIAN_LIMIT else "plain"
        for unit in net.units:
            unit.backward = mode
        spectra = [singular_values_or_nan(through, start, net.rank) for through, start in passages]
        count = self.config.singular_values
        thinned = torch.stack([thin_out(values, count) for values in spectra]).cpu()
        self.singular_values.append(thinned)
        self.spectrum_epochs.append(epoch)

    def is_spectrum_due(self, epoch: int) -> bool:
        """Whether the configuration asks for singular values after this epoch."""
        return epoch in self.config.spectrum_epochs

    def summarise(self) -> dict[str, Any]:
        """The last measurements in a few numbers.

        Returns:
            state_gradient_range: Smallest and largest norm of dLoss/dY_l by depth.
            state_gradient_ratio: The norm at the first state divided by that at the last state.
            singular_value_range: Smallest and largest singular value of dY_L/dY_0.
            A key is missing if nothing of the kind was measured.
        """
        summary: dict[str, Any] = {}
        if self.state_gradients:
            norms = self.state_gradients[-1]
            summary["state_gradient_range"] = [float(norms.min()), float(norms.max())]
            summary["state_gradient_ratio"] = float(norms[0] / norms[-1])
        if self.singular_values:
            values = self.singular_values[-1]
            largest = values.nan_to_num(-torch.inf).max()
            # a smallest value of NaN means that it is not known
            summary["singular_value_range"] = [float(values.min()), float(largest)]
        return summary

    def arrays(self) -> dict[str, np.ndarray]:
        """All measurements as arrays by name, see the table above; empty ones are left out."""
        found = {"depths": np.array(self.depths), "layers": np.array(self.layers)}
        for name, values in self.state_dict().items():
            if len(values):
                is_tensor = torch.is_tensor(values[0])
                found[name] = (torch.stack(values) if is_tensor else torch.tensor(values)).numpy()
        return found

    def to_npz(self) -> bytes:
        """The content of probes.npz."""
        buffer = io.BytesIO()
        np.savez(buffer, **self.arrays())  # type: ignore[arg-type]  # numpy also has allow_pickle
        return buffer.getvalue()

    def state_dict(self) -> dict[str, Any]:
        """The measurements, for a checkpoint."""
        return {name: getattr(self, name) for name in RECORDED}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the measurements of a checkpoint."""
        for name, value in state.items():
            setattr(self, name, value)


def singular_values_or_nan(through: Stages, start: Tensor, rank: int) -> Tensor:
    """The singular values at one first state; the same number of NaN if the signal overflows."""
    try:
        return singular_values(through, start, rank)
    except NotFinite:
        count = min(rank, LANCZOS_STEPS) if start.numel() > FULL_JACOBIAN_LIMIT else rank
        return start.new_full((count,), torch.nan)


def thin_out(values: Tensor, count: int) -> Tensor:
    """At most `count` of the sorted values, evenly spaced by rank, with the first and the last."""
    if len(values) <= count:
        return values
    return values[torch.linspace(0, len(values) - 1, count, device=values.device).round().long()]
