"""One resumable training loop for every network: checkpoints, EMA, a log and a progress bar."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pandas as pd
import torch
from diffusers.training_utils import EMAModel
from tqdm import tqdm

from fcr_core.files import replacing

log = logging.getLogger(__name__)

# (step, generator of that step) -> (scalar loss, numbers to log)
StepLoss = Callable[[int, torch.Generator], tuple[torch.Tensor, dict[str, float]]]


def step_generator(seed: int, step: int) -> torch.Generator:
    """Randomness of one step: it depends on (seed, step) alone, so a resumed run repeats an uninterrupted one exactly."""
    return torch.Generator().manual_seed(seed * 1_000_003 + step)


@dataclass
class TrainingRun:
    """A network in training and everything a checkpoint must hold.

    A run that was killed goes on from the last checkpoint in `state_dir`; see `fcr_core.jobs.partial_work` for a folder that
    forgets checkpoints made under other settings.
    """

    model: torch.nn.Module
    state_dir: Path
    lr: float
    seed: int
    ema_decay: float = 0.999
    warmup: int = 0
    cooldown: float = 0.0
    weight_decay: float = 1e-2
    step: int = 0
    history: list[dict[str, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.optimizer = torch.optim.AdamW(
            self.model.parameters(), lr=self.lr, betas=(0.9, 0.999), weight_decay=self.weight_decay
        )
        # decay(n) = min(ema_decay, (1 + n) / (10 + n)): usable after a few dozen steps.
        self.ema = EMAModel(self.model.parameters(), decay=self.ema_decay)

    @property
    def checkpoint(self) -> Path:
        return self.state_dir / "checkpoint.pt"

    def save(self) -> None:
        """Write the whole state under a temporary name and rename it."""
        state = {
            "step": self.step,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "ema": self.ema.state_dict(),
            "history": self.history,
        }
        with replacing(self.checkpoint) as draft:
            torch.save(state, draft)

    def resume(self) -> None:
        """Load the last checkpoint, if there is one."""
        if not self.checkpoint.exists():
            return
        state = torch.load(self.checkpoint, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.ema.load_state_dict(state["ema"])
        self.step, self.history = state["step"], state["history"]
        log.info("resuming at step %d", self.step)

    def run(self, steps: int, step_loss: StepLoss, checkpoint_every: int, name: str) -> None:
        """Train until `steps` optimizer steps are done in all, then leave the EMA weights in the model."""
        self.resume()
        self.model.train()
        with tqdm(total=steps, initial=self.step, desc=name, unit="step", mininterval=2) as bar:
            while self.step < steps:
                logged = self._one_step(step_loss, steps)
                bar.update()
                bar.set_postfix({key: f"{value:.4g}" for key, value in logged.items()}, refresh=False)
                if self.step % checkpoint_every == 0 or self.step == steps:
                    self.save()
        self.ema.copy_to(self.model.parameters())
        self.model.eval()

    def _lr_factor(self, steps: int) -> float:
        """Linear warm-up, constant, then linear to 0 over the last `cooldown` share of the steps."""
        warm = (self.step + 1) / (self.warmup + 1)
        cold = (steps - self.step) / (self.cooldown * steps) if self.cooldown else 1.0
        return min(1.0, warm, cold)

    def _one_step(self, step_loss: StepLoss, steps: int) -> dict[str, float]:
        start = time.perf_counter()
        for group in self.optimizer.param_groups:
            group["lr"] = self.lr * self._lr_factor(steps)
        loss, logged = step_loss(self.step, step_generator(self.seed, self.step))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        self.ema.step(self.model.parameters())
        self.step += 1
        logged = {"loss": loss.item(), **logged}
        self.history.append({"step": self.step, **logged, "seconds": time.perf_counter() - start})
        return logged

    def cost(self) -> dict[str, float]:
        """Steps, and hours as steps times the median time of a step: pauses and other work on the machine left out."""
        seconds = pd.DataFrame(self.history)["seconds"].median()
        return {"steps": self.step, "hours": round(self.step * seconds / 3600, 4)}

    def write_log(self, path: Path | str) -> None:
        """`log.csv`: one row a step."""
        with replacing(path) as draft:
            pd.DataFrame(self.history).to_csv(draft, index=False)
