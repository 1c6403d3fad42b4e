"""The training loop: steps and epochs, with a state that can be saved after any step.

Data order, augmentation and learning rate are pure functions of seed, epoch and step. So the state
consists of weights, optimiser, random generators, running sums and records. A loop that loads it
gives bitwise the results of a loop that was never interrupted.

In each step, before the optimiser changes the weights, loss and gradient norm are checked. If one
of them is not finite, the run ends with the status `diverged`. This counts as a result.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from stablenets.config import Resolved
from stablenets.data import Dataset
from stablenets.nets import Network, SequenceNetwork
from stablenets.runs.files import json_line
from stablenets.training.environment import random_states, set_random_states
from stablenets.training.evaluation import Evaluator
from stablenets.training.optim import build_optimiser, learning_rate, schedule_warning
from stablenets.training.precision import precision_warning
from stablenets.training.progress import Progress
from stablenets.training.reconstruction import check_reconstruction, reconstruction_errors
from stablenets.training.recorder import Recorder
from stablenets.training.signals import StopSignal
from stablenets.training.summary import describe_gradients, summarise_rows

COUNTERS = ("step", "epoch", "within", "sums", "divergence", "reconstruction_error")


class Loop:
    """Trains a network.

    Args:
        run: The resolved configuration.
        data: The data set of the run.
        net: The network, on `device`.
        device: The device of the run.
        progress: Shows and logs how the run goes.
        save: Called with the loop when a checkpoint is due.
        on_epoch: Called with the loop after each epoch; the last of its rows is that of the epoch.
    """

    def __init__(
        self,
        run: Resolved,
        data: Dataset,
        net: Network | SequenceNetwork,
        device: torch.device,
        progress: Progress,
        save: Callable[[Loop], None],
        on_epoch: Callable[[Loop], None],
    ) -> None:
        self.config, self.data, self.net, self.device = run.config, data, net, device
        self.progress, self.save, self.on_epoch = progress, save, on_epoch
        self.evaluator = Evaluator(run, data, net, device)
        self.optimiser = build_optimiser(net, run.config.optim)
        self.recorder = Recorder(run.config.probe, net)
        self.score_name = self.evaluator.score_name
        self.steps = math.ceil(len(data.train) / run.config.batch) * run.config.epochs
        self.step = self.epoch = self.within = 0  # steps, epochs, and steps in this epoch, done
        self.sums = {"examples": 0, "loss": 0.0, "score": 0.0}  # over this epoch so far
        self.reconstruction_error = 0.0  # the largest of this epoch, with backward=reverse
        self.rows: list[dict[str, Any]] = []  # metrics, one row for each epoch
        self.divergence: dict[str, float] | None = None
        self.saved = time.monotonic()
        # whether the present state can be saved; not within a step, when parts of it have changed
        self.is_resumable = True
        self.has_statistics = any("var" in name for name, _ in net.named_buffers())  # batch norms

    def run(self, stop: StopSignal) -> str:
        """Train to the end.

        Args:
            stop: Its `signal` is checked after each step; if it is not None, save and return.

        Returns:
            'done', 'diverged' or 'interrupted'.

        Raises:
            Irreversible: If backward=reverse cannot reconstruct the states, see `tolerance`.
        """
        if self.divergence is not None:
            # the process was killed after its last checkpoint, before it wrote its status
            return self.finish("diverged")
        warnings = (
            precision_warning(self.config.precision, self.device),
            schedule_warning(self.config),
        )
        for warning in filter(None, warnings):
            self.progress.say(warning)
        if self.step == 0:
            self.begin()
        while self.epoch < self.config.epochs and not self.is_stalled():
            for x, y in self.data.train.batches(
                self.config.batch, self.config.seeds.order, self.epoch, self.within
            ):
                if not self.update(x, y):
                    return self.finish("diverged")
                if stop.signal is not None:
                    self.checkpoint()
                    return "interrupted"
                if time.monotonic() - self.saved >= self.config.checkpoint_seconds:
                    self.checkpoint()
            self.end_epoch()
        return self.finish("done")

    def is_stalled(self) -> bool:
        """Whether the validation loss has not fallen for `patience` epochs.

        After an epoch without evaluation this is not known, and False.
        """
        losses = [
            (row["validation_loss"], row["epoch"]) for row in self.rows if "validation_loss" in row
        ]
        if self.config.patience is None or not losses or losses[-1][1] != self.epoch:
            return False
        _, best = min(losses)
        return self.epoch - best >= self.config.patience

    def begin(self) -> None:
        """Measure singular values before the first step.

        If the weights come from a coarser level, also write their scores as the row of epoch 0.
        """
        self.recorder.record_spectrum(0, self.spectrum_examples())
        if self.config.levels:
            row = {"epoch": 0, "step": 0, "lr": learning_rate(self.config.optim, 0, self.steps)}
            self.add_row(row | self.evaluator.evaluate_splits("train", "validation", "test"))

    def update(self, x: Tensor, y: Tensor) -> bool:
        """Make one step of the optimiser.

        Returns:
            False if loss or gradient norm is not finite; the weights are then unchanged.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.config.optim, self.step, self.steps)
        self.is_resumable = not self.has_statistics  # the forward pass updates them
        probe = self.recorder.start_probe(self.step, is_last=self.step == self.steps - 1)
        outputs, loss = self.evaluator.predict(x, y, probe)
        self.optimiser.zero_grad()
        self.evaluator.objective(outputs, loss).backward()
        norm = torch.nn.utils.get_total_norm(
            [parameter.grad for parameter in self.net.parameters() if parameter.grad is not None]
        )
        score = self.evaluator.score(outputs.detach(), y)
        # one transfer from the device for all values
        scalars = [loss.detach().double(), norm.double(), score.double()]
        values = torch.stack([*scalars, *reconstruction_errors(self.net)])
        loss_value, norm_value, score_value, *errors = values.tolist()
        if math.isfinite(loss_value):  # after a divergence there are no states to reconstruct
            check_reconstruction(errors, self.config.tolerance, self.step)
            self.reconstruction_error = max(self.reconstruction_error, *errors, 0.0)
        self.is_resumable = False
        if probe is not None:
            self.recorder.record_gradients(self.step, loss_value, probe)
        if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
            self.divergence = {
                "step": self.step,
                "epoch": self.epoch,
                "loss": loss_value,
                "gradient_norm": norm_value,
            }
            self.is_resumable = True
            return False
        if self.config.optim.clip_norm is not None:
            torch.nn.utils.clip_grads_with_norm_(
                self.net.parameters(), self.config.optim.clip_norm, norm
            )
        self.optimiser.step()
        self.sums["examples"] += len(y)
        self.sums["loss"] += loss_value * len(y)
        self.sums["score"] += score_value * len(y)
        self.step += 1
        self.within += 1
        self.is_resumable = True
        self.progress.update(self.step, lambda: self.describe_progress(loss_value))
        return True

    def end_epoch(self) -> None:
        """Write the row of the epoch; evaluate and measure singular values if they are due."""
        epoch, examples = self.epoch + 1, self.sums["examples"]
        row = {
            "epoch": epoch,
            "step": self.step,
            "lr": self.optimiser.param_groups[0]["lr"],
            "train_loss": self.sums["loss"] / examples,
            f"train_{self.score_name}": self.sums["score"] / examples,
        }
        if epoch % self.config.evaluate_every == 0 or epoch == self.config.epochs:
            row |= self.evaluator.evaluate_splits("validation", "test")
        if self.recorder.is_spectrum_due(epoch):
            self.recorder.record_spectrum(epoch, self.spectrum_examples())
        # what follows cannot fail before the row is added
        if self.config.backward == "reverse":
            row["reconstruction_error"] = self.reconstruction_error
            self.reconstruction_error = 0.0
        self.epoch, self.within = epoch, 0
        self.sums = dict.fromkeys(self.sums, 0)
        self.add_row(row)

    def add_row(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self.on_epoch(self)
        values = ", ".join(f"{name} {value:.4g}" for name, value in row.items() if "_" in name)
        self.progress.say(f"epoch {row['epoch']}: {values}", only_log=True)

    def spectrum_examples(self) -> Tensor:
        """The first examples of the test split, whose Jacobian is measured."""
        return next(iter(self.data.test.sweep(max(1, self.config.probe.spectrum_examples))))[0]

    def finish(self, status: str) -> str:
        self.recorder.record_spectrum(self.epoch, self.spectrum_examples())
        self.checkpoint()
        return status

    def describe_progress(self, loss: float) -> dict[str, str]:
        """What the progress shows, by label: loss of the last batch, score, gradient norms."""
        shown = {
            "epoch": f"{self.epoch + 1}/{self.config.epochs}",
            "loss": f"{loss:.4f}",
            self.score_name: f"{self.sums['score'] / self.sums['examples']:.4f}",
        }
        measured = self.recorder.summarise()
        if "state_gradient_range" in measured:
            shown["gradient norm by depth:"] = describe_gradients(measured)
        return shown

    def summary(self) -> dict[str, Any]:
        """What tables show of the run: counts, scores, measurements, and where it diverged."""
        trained = [parameter for parameter in self.net.parameters() if parameter.requires_grad]
        summary = {
            "epochs": self.epoch,
            "steps": self.step,
            "parameters": sum(parameter.numel() for parameter in trained),
        }
        summary |= summarise_rows(self.rows, self.score_name) | self.recorder.summarise()
        return summary | ({"divergence": self.divergence} if self.divergence else {})

    def checkpoint(self) -> None:
        self.save(self)
        self.saved = time.monotonic()

    def checkpoint_if_resumable(self) -> None:
        """Save the state after an error, unless the error has left it in the middle of a step."""
        if self.is_resumable and self.step > 0:
            self.checkpoint()

    def state_dict(self) -> dict[str, Any]:
        """All that a resumed loop needs.

        Rows are stored as lines of JSON, as in the checkpoints of earlier versions.
        """
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": random_states(self.device),
            "recorder": self.recorder.state_dict(),
            "rows": [json_line(row) for row in self.rows],
        } | {name: getattr(self, name) for name in COUNTERS}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from a state that `state_dict` returned."""
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        set_random_states(state["generators"], self.device)
        self.recorder.load_state_dict(state["recorder"])
        self.rows = [json.loads(row) for row in state["rows"]]
        for name in COUNTERS:
            setattr(self, name, state[name])
