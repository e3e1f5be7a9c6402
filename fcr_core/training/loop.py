"""One resumable training loop for every network: checkpoints, EMA, early stopping, logs and a progress bar."""

from __future__ import annotations

import logging
import math
import pickle
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from accelerate import PartialState
from accelerate.utils import reduce
from diffusers.training_utils import EMAModel
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from fcr_core.jobs.files import replacing
from fcr_core.training.early_stopping import EarlyStopping
from fcr_core.training.finite import GRADIENTS, WEIGHTS, largest, not_finite, spoilt_parts
from fcr_core.training.optimizers import OPTIMIZERS, lr_factor

log = logging.getLogger(__name__)

Scalars = Mapping[str, torch.Tensor | float]
# (step, generator of that step) -> (loss, numbers to log). The loop reads those on a device all at once.
StepLoss = Callable[[int, torch.Generator], tuple[torch.Tensor, Scalars]]

AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
# A logged `norm/...` has exploded when it is this many times its first value. In sound fine-tunes norms move by a few per cent.
EXPLODED = 100
# The scale of losses in fp16 begins at 65,536 and halves with every step that overflows. At 1 it has nothing left to give.
SMALLEST_SCALE = 1


def step_generator(seed: int, step: int) -> torch.Generator:
    """Return the random generator of one step.

    It depends on (seed, step) alone, so a resumed run repeats an uninterrupted one exactly.
    """
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


@dataclass
class TrainingRun:
    """A network in training, with everything that a checkpoint must hold. Parameters that need no gradient are left alone.

    A run that was killed goes on from the last checkpoint in `state_dir`. `fcr_core.jobs.job.partial_work` makes a folder that
    forgets checkpoints made under other settings.

    Nothing spoils the weights: a step is taken only if loss, gradients and parameters are finite, and a checkpoint is written
    only of finite parameters. In fp16 a step whose gradients overflow is skipped, which is normal while the scale of the loss
    settles. The column `skipped` of the log marks these steps.

    Args:
        accumulate: losses that make one step. Under `torchrun` the processes share them out. The number of processes changes only
            rounding.
        precision: "fp32", or autocast to "bf16" or "fp16".
        algorithm: a name from `training.optimizers`.
        ema_decay: decay of the averaged weights; 0 = no average.
        warmup: steps in which the learning rate rises to `lr`.
        cooldown: the last share of the steps, in which the learning rate falls to 0.
        early: stops the run before its last step.
        events: a folder for TensorBoard.

    Raises `ValueError` when the losses of a step cannot be shared out evenly.
    """

    model: torch.nn.Module
    state_dir: Path
    lr: float
    seed: int
    ema_decay: float = 0.999
    warmup: int = 0
    cooldown: float = 0.0
    weight_decay: float = 1e-2
    accumulate: int = 1
    precision: str = "fp32"
    algorithm: str = "adamw"
    early: EarlyStopping | None = None
    events: Path | None = None
    step: int = 0
    saved: int | None = None
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.trained = [parameter for parameter in self.model.parameters() if parameter.requires_grad]
        make = OPTIMIZERS[self.algorithm]
        self.optimizer = make(self.trained, lr=self.lr, betas=(0.9, 0.999), weight_decay=self.weight_decay)
        # decay(n) = min(ema_decay, (1 + n) / (10 + n)): the average is usable after a few dozen steps. With ema_decay 0 there is
        # no average.
        self.ema = EMAModel(self.trained, decay=self.ema_decay) if self.ema_decay else None
        self.device = next(self.model.parameters()).device.type
        self.workers = PartialState(cpu=self.device == "cpu")
        if self.accumulate % self.workers.num_processes:
            raise ValueError(
                f"config key accumulate = {self.accumulate}: must be a multiple of the number of processes, "
                f"{self.workers.num_processes}, which share out the batches of a step"
            )
        self.scaler = torch.amp.GradScaler(self.device, enabled=self.precision == "fp16")

    @property
    def checkpoint(self) -> Path:
        return self.state_dir / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state under a temporary name and rename it. Only the main process does it.

        Raises `FloatingPointError` instead when the parameters are not finite.
        """
        self._check_weights()
        if self.workers.is_main_process:
            state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
            state |= {"step": self.step, "history": self.history}
            with replacing(self.checkpoint) as draft:
                torch.save(state, draft)
        self.saved = self.step

    def resume(self) -> None:
        """Load the last checkpoint, if there is one.

        Raises `ValueError` for one that cannot be read, is of another network, or holds values that are not finite.
        """
        if not self.checkpoint.exists():
            return
        try:
            self._load()
        except (RuntimeError, ValueError, KeyError, EOFError, pickle.UnpicklingError) as error:
            reason = " ".join(str(error).split())[:200]
            raise ValueError(f"cannot resume from {self.checkpoint}: delete it to begin again ({reason})") from error
        log.info("resuming at step %d", self.step)

    def _load(self) -> None:
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        if spoilt := spoilt_parts(state):
            raise ValueError(f"at step {state['step']} these were not finite: {', '.join(spoilt)}")
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step, self.history = state["step"], state["history"]
        self.saved = self.step

    def _parts(self) -> dict[str, Any]:
        """Return the parts whose state a checkpoint holds, by name."""
        parts = {"model": self.model, "optimizer": self.optimizer, "ema": self.ema, "scaler": self.scaler, "early": self.early}
        return {name: part for name, part in parts.items() if part is not None}

    def run(self, steps: int, step_loss: StepLoss, checkpoint_every: int, name: str) -> None:
        """Train until `steps` optimizer steps are done in all, or until stopped early.

        The model ends with the EMA weights, or with the best ones if there is early stopping.

        Raises `FloatingPointError`, before the step, when the loss, a gradient or a parameter is no longer finite, when features
        explode, and when fp16 overflows at any scale of the loss; also when a validation is not finite. The last checkpoint is
        from before that.
        """
        self.resume()
        self.model.train()
        first = self.workers.is_main_process
        writer = SummaryWriter(self.events, purge_step=self.step + 1) if self.events and first else None
        with tqdm(total=steps, initial=self.step, desc=name, unit="step", mininterval=2, disable=not first) as bar:
            while self.step < steps and not (self.early and self.early.stopped):
                logged = self._one_step(step_loss, steps)
                bar.update()
                bar.set_postfix({key: f"{value:.4g}" for key, value in logged.items()}, refresh=False)
                self._validate()
                if writer:
                    for key, value in self.history[-1].items():
                        writer.add_scalar(key, value, self.step)
                if self.step % checkpoint_every == 0 or self.step == steps:
                    self.save()
        if writer:
            writer.close()
        self._check_weights()
        if self.scaler.is_enabled():
            skipped = sum(row["skipped"] for row in self.history)
            log.info("fp16: %d of %d steps were skipped, because their gradients overflowed", skipped, self.step)
        if self.ema:
            self.ema.copy_to(self.trained)
        if self.early:
            self.early.restore(self.trained)
        self.model.eval()

    def _validate(self) -> None:
        """Run the mini-validation, if one is due, with the EMA weights in the model."""
        if self.early is None or self.step % self.early.every:
            return
        self._check_weights()
        start = time.perf_counter()
        if self.ema:
            self.ema.store(self.trained)
            self.ema.copy_to(self.trained)
        self.model.eval()
        average = self.early.update(self.trained)
        self.model.train()
        if self.ema:
            self.ema.restore(self.trained)
        if broken := not_finite({"the validation": average}):
            raise self._stopped(f"{broken} after step {self.step}", sound=False)
        self.history[-1] |= {"validation": average, "validation_seconds": time.perf_counter() - start}

    def _one_step(self, step_loss: StepLoss, steps: int) -> dict[str, float]:
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * lr_factor(self.step, steps, self.warmup, self.cooldown)
        count, mine = self.workers.num_processes, self.workers.process_index
        indices = range(self.step * self.accumulate + mine, (self.step + 1) * self.accumulate, count)
        losses = [self._backward(step_loss, index, len(indices)) for index in indices]
        if count > 1:
            self._average_gradients()
        self.scaler.unscale_(self.optimizer)
        logged, found, scale = self._numbers(losses, torch.nn.utils.clip_grad_norm_(self.trained, 1.0))
        if count > 1:
            logged, found = self._averaged(logged), self._averaged(found)
        skipped = self._check(logged, found, scale)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema and not skipped:
            self.ema.step(self.trained)
        self.step += 1
        counted = {"skipped": int(skipped)} if self.scaler.is_enabled() else {}
        self.history.append({"step": self.step, **logged, **counted, "seconds": time.perf_counter() - start})
        return logged

    def _backward(self, step_loss: StepLoss, index: int, count: int) -> Scalars:
        """Run one loss and its backward pass. Return the loss and what it logs."""
        dtype = AUTOCAST[self.precision]
        with torch.autocast(self.device, dtype, enabled=dtype is not None):
            loss, logged = step_loss(index, step_generator(self.seed, index))
        self.scaler.scale(loss / count).backward()
        return {"loss": loss.detach(), **logged}

    def _numbers(self, losses: list[Scalars], norm: torch.Tensor) -> tuple[dict[str, float], dict[str, float], float]:
        """Return the means of what the losses log, what is looked at beside it, and the scale of the loss (1 but in fp16).

        The host waits for the device here, once a step.
        """
        scale = self.scaler.scale(torch.ones((), device=self.device))
        values = [value for logged in losses for value in logged.values()]
        read = torch.stack([self._scalar(x) for x in (*values, norm, largest(self.trained), scale)]).tolist()
        names = list(losses[0])
        means = {name: sum(read[i : -3 : len(names)]) / len(losses) for i, name in enumerate(names)}
        return means, {GRADIENTS: read[-3], WEIGHTS: read[-2]}, read[-1]

    def _scalar(self, x: torch.Tensor | float) -> torch.Tensor:
        return x.float() if isinstance(x, torch.Tensor) else torch.full((), float(x), device=self.device)

    def _average_gradients(self) -> None:
        """Average the gradients over all processes after the backward pass, so that a loss may run the encoder many times."""
        for parameter in self.trained:
            if parameter.grad is not None:
                parameter.grad = reduce(parameter.grad, "mean")

    def _averaged(self, logged: dict[str, float]) -> dict[str, float]:
        """Average the logged numbers over all processes, so that one process that breaks stops them all."""
        values = reduce(torch.tensor(list(logged.values()), device=self.device), "mean")
        return dict(zip(logged, values.tolist(), strict=True))

    def _check(self, logged: dict[str, float], found: dict[str, float], scale: float) -> bool:
        """Return True if the scaler will skip this step. Raise `FloatingPointError` before a step that would spoil the weights.

        `found` are the norm of the gradients and the largest parameter.
        """
        when, first = f"at step {self.step + 1}", self.history[0] if self.history else logged
        if broken := not_finite({WEIGHTS: found[WEIGHTS]}):
            raise self._stopped(f"{broken} {when}", sound=False)
        for key, value in logged.items():
            exploded = key.startswith("norm/") and value > EXPLODED * first[key]
            if not math.isfinite(value) or exploded:
                raise self._stopped(f"{key} is {value:.4g} {when} ({first[key]:.4g} at the first)")
        broken = not_finite({GRADIENTS: found[GRADIENTS]})
        skipped = bool(broken) and self.scaler.is_enabled() and scale > SMALLEST_SCALE
        if broken and not skipped:
            scaled = f", with the loss scaled by {scale:g} (bf16 needs no scale)" if self.scaler.is_enabled() else ""
            raise self._stopped(f"{broken} {when}{scaled}")
        return skipped

    def _check_weights(self) -> None:
        """Raise `FloatingPointError` unless the parameters and their averages are finite. All processes decide alike."""
        found = {WEIGHTS: largest([*self.trained, *(self.ema.shadow_params if self.ema else [])]).item()}
        if self.workers.num_processes > 1:
            found = self._averaged(found)
        if broken := not_finite(found):
            raise self._stopped(f"{broken} after step {self.step}", sound=False)

    def _stopped(self, what: str, sound: bool = True) -> FloatingPointError:
        """Return the error that ends the run.

        It names the last checkpoint. If there is none yet, and the state before this step is sound, that state is kept.
        """
        if sound and self.saved is None:
            self.save()
        kept = "there is no sound checkpoint"
        if self.saved is not None:
            kept = f"the last sound checkpoint, of step {self.saved}, is kept in {self.checkpoint}"
        return FloatingPointError(f"{what}: lower the learning rate or the weight of that term; {kept}")
