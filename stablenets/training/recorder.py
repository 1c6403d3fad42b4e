"""What is measured while training: gradient norms by depth at a chosen cadence, Jacobian spectra at
chosen epochs.

The record travels in the checkpoint, so that a resumed run ends with the arrays of an uninterrupted
one. As arrays: steps (P,), loss (P,), depths (D,), state_gradients (P, D), layers (W,),
weight_gradients (P, W), spectrum_epochs (S,), singular_values (S, samples, k). There are L + 1
states and L layers: depths end with L, layers with L - 1.
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


class Recorder:
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

    def tap(self, step: int, last: bool = False) -> StateGradients | None:
        """A probe for this step's forward, if it is this step's turn; the last step of a run always
        has its turn.
        """
        return (
            StateGradients(self.depths)
            if self.config.every and (last or step % self.config.every == 0)
            else None
        )

    def gradients(self, step: int, loss: float, probe: StateGradients) -> None:
        """Read the probe and the weight gradients after the backward."""
        self.steps.append(step)
        self.loss.append(loss)
        self.state_gradients.append(probe.norms())
        self.weight_gradients.append(weight_gradient_norms(self.net.units, self.layers))

    def spectrum(self, epoch: int, examples: Tensor) -> None:
        """Singular values of d(last state)/d(first state) in float64, on a copy that stores its
        activations and evaluates: batch norms with their running statistics, which keep the
        examples apart. Those that pooling makes 0 are left out.
        """
        if not self.config.spectrum_examples or epoch in self.spectrum_epochs:
            return
        net = copy.deepcopy(self.net).double().requires_grad_(False).eval()
        with torch.no_grad():
            passages = net.passages(examples[: self.config.spectrum_examples].double())
        for unit in net.units:
            unit.backward = (
                "store" if passages[0][1].numel() <= FULL_JACOBIAN_LIMIT else "plain"
            )  # Golub-Kahan differentiates twice
        self.spectrum_epochs.append(epoch)
        spectra = [values_or_nan(through, start, net.rank) for through, start in passages]
        self.singular_values.append(
            torch.stack([thinned(values, self.config.singular_values) for values in spectra]).cpu()
        )

    def due(self, epoch: int) -> bool:
        return epoch in self.config.spectrum_epochs

    def gradient_range(self) -> tuple[float, float] | None:
        """Smallest and largest state-gradient norm over depth, at the last measurement."""
        if not self.state_gradients:
            return None
        return float(self.state_gradients[-1].min()), float(self.state_gradients[-1].max())

    def arrays(self) -> dict[str, np.ndarray]:
        columns = {name: value for name, value in self.state().items() if len(value)}
        return {"depths": np.array(self.depths), "layers": np.array(self.layers)} | {
            name: (torch.stack(value) if torch.is_tensor(value[0]) else torch.tensor(value)).numpy()
            for name, value in columns.items()
        }

    def npz(self) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, **self.arrays())
        return buffer.getvalue()

    def state(self) -> dict[str, Any]:
        names = (
            "steps",
            "loss",
            "state_gradients",
            "weight_gradients",
            "spectrum_epochs",
            "singular_values",
        )
        return {name: getattr(self, name) for name in names}

    def load(self, state: dict[str, Any]) -> None:
        for name, value in state.items():
            setattr(self, name, value)


def values_or_nan(through: Stages, start: Tensor, rank: int) -> Tensor:
    """Singular values from one first state; NaN, as many as there would be, where the signal has
    overflowed.
    """
    try:
        return singular_values(through, start, rank)
    except NotFinite:
        return start.new_full(
            (min(rank, LANCZOS_STEPS) if start.numel() > FULL_JACOBIAN_LIMIT else rank,), torch.nan
        )


def thinned(values: Tensor, count: int) -> Tensor:
    """At most `count` of the sorted values, evenly spaced by rank, both ends included."""
    if len(values) <= count:
        return values
    return values[torch.linspace(0, len(values) - 1, count, device=values.device).round().long()]
