"""One resumable training loop for every network: checkpoints, EMA, early stopping, logs and a progress bar."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import torch
from accelerate import PartialState
from accelerate.utils import reduce
from diffusers.training_utils import EMAModel
from torch.utils.tensorboard import SummaryWriter
from tqdm import tqdm

from fcr_core.jobs.files import replacing
from fcr_core.training.early_stopping import EarlyStopping
from fcr_core.training.optimizers import OPTIMIZERS

log = logging.getLogger(__name__)

# (step, generator of that step) -> (scalar loss, numbers to log)
StepLoss = Callable[[int, torch.Generator], tuple[torch.Tensor, dict[str, float]]]

AUTOCAST = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}
# A logged `norm/...` has exploded when it is this many times its first value. In sound fine-tunes norms move by a few per cent.
EXPLODED = 100


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
        """Write the whole state under a temporary name and rename it. Only the main process does it."""
        if not self.workers.is_main_process:
            return
        state: dict[str, Any] = {name: part.state_dict() for name, part in self._parts().items()}
        state |= {"step": self.step, "history": self.history}
        with replacing(self.checkpoint) as draft:
            torch.save(state, draft)

    def resume(self) -> None:
        """Load the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True, map_location=self.device)
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step, self.history = state["step"], state["history"]
        log.info("resuming at step %d", self.step)

    def _parts(self) -> dict[str, Any]:
        """Return the parts whose state a checkpoint holds, by name."""
        parts = {"model": self.model, "optimizer": self.optimizer, "ema": self.ema, "scaler": self.scaler, "early": self.early}
        return {name: part for name, part in parts.items() if part is not None}

    def run(self, steps: int, step_loss: StepLoss, checkpoint_every: int, name: str) -> None:
        """Train until `steps` optimizer steps are done in all, or until stopped early.

        The model ends with the EMA weights, or with the best ones if there is early stopping.

        Raises `FloatingPointError` when the loss is no longer finite or features explode. The last checkpoint is from before
        that.
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
        if self.ema:
            self.ema.copy_to(self.trained)
        if self.early:
            self.early.restore(self.trained)
        self.model.eval()

    def _validate(self) -> None:
        """Run the mini-validation, if one is due, with the EMA weights in the model."""
        if self.early is None or self.step % self.early.every:
            return
        start = time.perf_counter()
        if self.ema:
            self.ema.store(self.trained)
            self.ema.copy_to(self.trained)
        self.model.eval()
        self.history[-1]["validation"] = self.early.update(self.trained)
        self.model.train()
        if self.ema:
            self.ema.restore(self.trained)
        self.history[-1]["validation_seconds"] = time.perf_counter() - start

    def _lr_factor(self, steps: int) -> float:
        """Return the factor of the learning rate.

        It rises linearly (warm-up), stays at 1, then falls linearly to 0 over the last `cooldown` share of the steps.
        """
        warm = (self.step + 1) / (self.warmup + 1)
        cold = (steps - self.step) / (self.cooldown * steps) if self.cooldown else 1.0
        return min(1.0, warm, cold)

    def _one_step(self, step_loss: StepLoss, steps: int) -> dict[str, float]:
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * self._lr_factor(steps)
        count, mine = self.workers.num_processes, self.workers.process_index
        indices = range(self.step * self.accumulate + mine, (self.step + 1) * self.accumulate, count)
        parts = [self._backward(step_loss, index, len(indices)) for index in indices]
        logged = {key: sum(part[key] for part in parts) / len(parts) for key in parts[0]}
        if count > 1:
            self._average_gradients()
            logged = self._averaged(logged)
        self._check(logged)
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.trained, 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.ema:
            self.ema.step(self.trained)
        self.step += 1
        self.history.append({"step": self.step, **logged, "seconds": time.perf_counter() - start})
        return logged

    def _backward(self, step_loss: StepLoss, index: int, count: int) -> dict[str, float]:
        dtype = AUTOCAST[self.precision]
        with torch.autocast(self.device, dtype, enabled=dtype is not None):
            loss, logged = step_loss(index, step_generator(self.seed, index))
        self.scaler.scale(loss / count).backward()
        return {"loss": loss.item(), **logged}

    def _average_gradients(self) -> None:
        """Average the gradients over all processes, after the backward pass.

        DistributedDataParallel does it during the pass. Doing it after lets a loss run the encoder any number of times.
        """
        for parameter in self.trained:
            if parameter.grad is not None:
                parameter.grad = reduce(parameter.grad, "mean")

    def _averaged(self, logged: dict[str, float]) -> dict[str, float]:
        """Average the logged numbers over all processes, so that one process that breaks stops them all."""
        values = reduce(torch.tensor(list(logged.values()), device=self.device), "mean")
        return dict(zip(logged, values.tolist(), strict=True))

    def _check(self, logged: dict[str, float]) -> None:
        """Raise `FloatingPointError` before a step that would spoil the weights."""
        first = self.history[0] if self.history else logged
        for key, value in logged.items():
            exploded = key.startswith("norm/") and value > EXPLODED * first[key]
            if not math.isfinite(value) or exploded:
                raise FloatingPointError(
                    f"{key} is {value:.4g} at step {self.step + 1} ({first[key]:.4g} at the first): "
                    f"lower the learning rate or the weight of that term; the last checkpoint is kept in {self.state_dir}"
                )

    def cost(self) -> dict[str, float]:
        """Return the cost of the run: `steps`, `hours`, and `gpu_hours` on GPUs or else `cpu_core_hours`.

        Hours are steps times the median time of a step, plus validations times the median time of a validation. So pauses and
        other work on the machine do not count.
        """
        history = pd.DataFrame(self.history).reindex(columns=["seconds", "validation_seconds"])
        hours = (history.median().fillna(0) * [self.step, history["validation_seconds"].count()]).sum() / 3600
        on_cpu = self.device == "cpu"
        taken = hours * self.workers.num_processes * (torch.get_num_threads() if on_cpu else 1)
        return {"steps": self.step, "hours": round(hours, 4), "cpu_core_hours" if on_cpu else "gpu_hours": round(taken, 4)}

    def write_log(self, path: Path | str) -> None:
        """Write `log.csv`, with one row a step."""
        with replacing(path) as draft:
            pd.DataFrame(self.history).to_csv(draft, index=False)
