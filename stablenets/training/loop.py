"""The training loop: steps, epochs, and a state that can be put down at any step and taken up
bitwise.

Data order, augmentation and learning rate are pure functions of seed, epoch and step; what is left
to carry is weights, optimiser, random generators, running sums and the record. Loss and gradient
norm must be finite before the optimiser moves: where they are not, the run has diverged, and that
is a result.
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
from stablenets.errors import Irreversible
from stablenets.nets import Network, SequenceNetwork
from stablenets.runs.files import strict
from stablenets.training import precision
from stablenets.training.losses import HIGHER_IS_BETTER, LOSSES, SCORES, spread
from stablenets.training.optim import optimiser, rate
from stablenets.training.progress import Progress
from stablenets.training.recorder import Recorder
from stablenets.training.signals import Stop

AT_LEAST, AT_MOST, NUMBERS = (
    256,
    4096,
    2**18,
)  # examples evaluated at a time: many where they are small, since a layer costs its calls


class Loop:
    """Trains `net` on `data` as `run` says. `save` is called with the whole state when a checkpoint
    is due.
    """

    def __init__(
        self,
        run: Resolved,
        data: Dataset,
        net: Network | SequenceNetwork,
        device: torch.device,
        progress: Progress,
        save: Callable[[dict[str, Any]], None],
        on_epoch: Callable[[dict[str, Any]], None],
    ) -> None:
        self.config, self.data, self.net, self.device = run.config, data, net, device
        self.progress, self.save, self.on_epoch = progress, save, on_epoch
        self.forward = torch.compile(net, dynamic=False) if run.config.compile else net
        self.dtype = torch.float64 if run.config.precision == "float64" else torch.float32
        self.optimiser = optimiser(net, run.config.optim)
        self.recorder = Recorder(run.config.probe, net)
        self.loss = LOSSES[data.facts.task]
        self.score_name, self.score = SCORES[data.facts.task]
        self.steps_an_epoch = math.ceil(len(data.train) / run.config.batch)
        self.steps = self.steps_an_epoch * run.config.epochs
        self.step = self.epoch = self.within = (
            0  # steps done, epochs done, steps done within the epoch
        )
        self.sums = {"examples": 0, "loss": 0.0, "score": 0.0}  # of the epoch so far
        self.reconstruction_error = 0.0  # the largest of the epoch so far, under backward=reverse
        self.rows: list[str] = []
        self.divergence: dict[str, float] | None = None
        self.saved = time.monotonic()

    def run(self, stop: Stop) -> str:
        """Go on to the end: 'done', 'diverged' or 'interrupted'."""
        if (
            self.divergence is not None
        ):  # killed after its last checkpoint, before its status was written
            return self.finish("diverged")
        if slow := precision.warning(self.config.precision, self.device):
            self.progress.say(slow)
        if self.step == 0:
            self.begin()
        while self.epoch < self.config.epochs:
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

    def begin(self) -> None:
        """Measure the spectrum and, where the weights come from a coarser level, what they are
        worth: a row for epoch 0.
        """
        self.recorder.spectrum(0, self.examples())
        if self.config.levels:
            self.write(
                {"epoch": 0, "step": 0, "lr": rate(self.config.optim, 0, self.steps)}
                | self.scores("train", "validation", "test")
            )

    def update(self, x: Tensor, y: Tensor) -> bool:
        """One optimiser step; False where loss or gradient is not finite, with the weights left as
        they were.
        """
        for group in self.optimiser.param_groups:
            group["lr"] = rate(self.config.optim, self.step, self.steps)
        probe = self.recorder.tap(self.step, last=self.step == self.steps - 1)
        outputs, loss = self.predict(x, y, probe)
        self.optimiser.zero_grad()
        self.objective(outputs, loss).backward()
        norm = torch.nn.utils.get_total_norm(
            [parameter.grad for parameter in self.net.parameters() if parameter.grad is not None]
        )
        score = self.score(outputs.detach(), y)
        errors = [
            unit.reconstruction_error.double()
            for unit in self.net.units
            if unit.reconstruction_error is not None
        ]
        values = torch.stack([loss.detach().double(), norm.double(), score.double(), *errors])
        loss_value, norm_value, score_value, *errors = values.tolist()
        if probe is not None:
            self.recorder.gradients(self.step, loss_value, probe)
        if math.isfinite(
            loss_value
        ):  # where it is not, the net has diverged, and no state is left to reconstruct
            self.guard(errors)
        if not (math.isfinite(loss_value) and math.isfinite(norm_value)):
            self.divergence = {
                "step": self.step,
                "epoch": self.epoch,
                "loss": loss_value,
                "gradient_norm": norm_value,
            }
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
        self.progress.update(self.step, lambda: self.facts(loss_value))
        return True

    def objective(self, outputs: Tensor, loss: Tensor) -> Tensor:
        """What is made small: the loss, with the terms that the configuration adds."""
        optim = self.config.optim
        if optim.label_smoothing:
            loss = (1 - optim.label_smoothing) * loss + optim.label_smoothing * spread(outputs)
        return loss + optim.smoothness * self.net.variation() if optim.smoothness else loss

    def guard(self, errors: list[float]) -> None:
        """Gradients from states that are not those of the forward are wrong: stop. An error that is
        not a number is too large too.
        """
        for unit, error in enumerate(errors, 1):
            if not error <= self.config.tolerance:
                raise Irreversible(
                    f"step {self.step}: backward=reverse reconstructs the first state of unit"
                    f" {unit} with a relative error of {error:.1e}, above"
                    f" tolerance={self.config.tolerance:g}; lower h or use backward=checkpoint"
                )
        self.reconstruction_error = max(self.reconstruction_error, *errors, 0.0)

    def predict(self, x: Tensor, y: Tensor, tap: Callable | None = None) -> tuple[Tensor, Tensor]:
        """Outputs and loss of a batch, under the run's precision. A tap sees every layer, so that
        step goes uncompiled.
        """
        x = precision.laid_out(x.to(self.dtype), self.config.precision)
        with precision.mixed(self.config.precision, self.device):
            outputs = self.net(x, tap) if tap else self.forward(x)
        return outputs, self.loss(outputs, y)

    def end_epoch(self) -> None:
        """Evaluate where it is due, write the epoch's row, measure the spectrum where that is
        due.
        """
        seen = self.sums["examples"]
        row = {
            "epoch": self.epoch + 1,
            "step": self.step,
            "lr": self.optimiser.param_groups[0]["lr"],
            "train_loss": self.sums["loss"] / seen,
            f"train_{self.score_name}": self.sums["score"] / seen,
        }
        if (
            self.epoch + 1
        ) % self.config.evaluate_every == 0 or self.epoch + 1 == self.config.epochs:
            row |= self.scores("validation", "test")
        if self.config.backward == "reverse":
            row["reconstruction_error"] = self.reconstruction_error
            self.reconstruction_error = 0.0
        self.epoch += 1
        self.within = 0
        self.sums = dict.fromkeys(self.sums, 0)
        if self.recorder.due(self.epoch):
            self.recorder.spectrum(self.epoch, self.examples())
        self.write(row)

    def write(self, row: dict[str, Any]) -> None:
        self.rows.append(json.dumps(strict(row), allow_nan=False))
        self.on_epoch(row)
        scores = "  ".join(f"{name} {value:.4g}" for name, value in row.items() if "_" in name)
        self.progress.say(f"epoch {row['epoch']}: {scores}", shown=False)

    def scores(self, *splits: str) -> dict[str, float]:
        return {
            f"{split}_{name}": value
            for split in splits
            for name, value in self.evaluate(getattr(self.data, split)).items()
        }

    @torch.no_grad()
    def evaluate(self, split: Any) -> dict[str, float]:
        """Loss and score over a split; nothing where the split is empty."""
        self.net.eval()
        loss = score = 0.0
        for x, y in split.sweep(
            max(
                self.config.batch,
                AT_LEAST,
                min(AT_MOST, NUMBERS // math.prod(self.data.facts.shape)),
            )
        ):
            outputs, batch_loss = self.predict(x, y)
            loss += float(batch_loss) * len(y)
            score += float(self.score(outputs, y)) * len(y)
        self.net.train()
        return (
            {"loss": loss / len(split), self.score_name: score / len(split)} if len(split) else {}
        )

    def examples(self) -> Tensor:
        """The fixed examples whose Jacobian is measured: the first of the test set."""
        return next(iter(self.data.test.sweep(max(1, self.config.probe.spectrum_examples))))[0]

    def finish(self, status: str) -> str:
        self.recorder.spectrum(self.epoch, self.examples())
        self.checkpoint()
        return status

    def facts(self, loss: float) -> dict[str, str]:
        shown = {
            "epoch": f"{self.epoch + 1}/{self.config.epochs}",
            "loss": f"{loss:.4f}",
            self.score_name: f"{self.sums['score'] / self.sums['examples']:.4f}",
        }
        if (ends := self.recorder.gradient_range()) is not None:
            shown["gradient"] = f"{ends[0]:.1e}..{ends[1]:.1e}"
        return shown

    def summary(self) -> dict[str, Any]:
        """What tables show of the run: the last iterate, and the one that the validation split
        would choose.
        """
        rows = [json.loads(row) for row in self.rows]
        trained = sum(
            parameter.numel() for parameter in self.net.parameters() if parameter.requires_grad
        )
        shown: dict[str, Any] = {"epochs": self.epoch, "steps": self.step, "parameters": trained}
        if rows:
            shown |= {
                name: float(value)
                for name, value in rows[-1].items()
                if name.startswith(("train", "validation", "test"))
            }
            if f"validation_{self.score_name}" in rows[-1]:
                choose = max if HIGHER_IS_BETTER[self.score_name] else min
                evaluated = [row for row in rows if f"validation_{self.score_name}" in row]
                best = choose(
                    evaluated, key=lambda row: float(row[f"validation_{self.score_name}"])
                )
                shown |= {
                    "best_epoch": best["epoch"],
                    f"test_{self.score_name}_at_best_validation": float(
                        best[f"test_{self.score_name}"]
                    ),
                }
        if (ends := self.recorder.gradient_range()) is not None:
            shown["state_gradient_range"] = list(ends)
        if self.recorder.singular_values:
            last = self.recorder.singular_values[-1]
            shown["singular_value_range"] = [
                float(last.min()),
                float(last.nan_to_num(-math.inf).max()),
            ]  # a low of NaN: not known
        return shown | ({"divergence": self.divergence} if self.divergence else {})

    def checkpoint(self) -> None:
        self.save(self.state())
        self.saved = time.monotonic()

    def state(self) -> dict[str, Any]:
        generators = {"cpu": torch.get_rng_state()}
        if self.device.type == "cuda":
            generators["cuda"] = torch.cuda.get_rng_state(self.device)
        return {
            "net": self.net.state_dict(),
            "optimiser": self.optimiser.state_dict(),
            "generators": generators,
            "recorder": self.recorder.state(),
            "step": self.step,
            "epoch": self.epoch,
            "within": self.within,
            "sums": self.sums,
            "rows": self.rows,
            "divergence": self.divergence,
            "reconstruction_error": self.reconstruction_error,
        }

    def load(self, state: dict[str, Any]) -> None:
        self.net.load_state_dict(state["net"])
        self.optimiser.load_state_dict(state["optimiser"])
        torch.set_rng_state(state["generators"]["cpu"])
        if self.device.type == "cuda" and "cuda" in state["generators"]:
            torch.cuda.set_rng_state(state["generators"]["cuda"], self.device)
        self.recorder.load(state["recorder"])
        for name in (
            "step",
            "epoch",
            "within",
            "sums",
            "rows",
            "divergence",
            "reconstruction_error",
        ):
            setattr(self, name, state[name])
