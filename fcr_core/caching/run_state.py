"""The state of one cached sampling run: where it is, and what the last key step left for the steps of its group."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import torch

from fcr_core.caching.batched_call import last_rows, repeat
from fcr_core.caching.call_state import CallState
from fcr_core.caching.plan import KeySteps
from fcr_core.unet.split_unet import Features


@dataclass
class Run:
    """The state of one sampling run.

    Args:
        groups: the groups of its steps, counted from the run's first step.
        source: the scheduler's timesteps as the scheduler made them, of which the run has those from `begin` on.
        times: the solver's time variable, (steps,).
        timesteps: the timesteps that the UNet gets, (steps,).
        late: True in the second half of the steps, (steps,).
        launch: the most steps a launch; None = no limit of this run's own.
    """

    groups: list[range]
    source: torch.Tensor
    begin: int
    times: torch.Tensor
    timesteps: torch.Tensor
    late: torch.Tensor
    launch: int | None = None
    step: int = 0
    rows: int = 0
    shape: tuple[int, ...] = ()  # of one sample at the last key step
    features: Features = ()
    earlier: Features = ()  # features of the previous key step, for linear reuse
    key: int = 0
    earlier_key: int = 0
    nodes: list[int] = field(default_factory=list)  # the group's steps whose decoder runs
    predictions: list[Any] = field(default_factory=list)  # tensors of the nodes decoded so far; None once no step needs it
    asked: CallState | None = None  # what the last call asked for
    changed_at: int = -2  # the last step that was asked for with something else
    misplaced: torch.Tensor | None = None  # on the device: whether a call came at another timestep than the expected one

    def __post_init__(self) -> None:
        self.group_of_key = {group.start: group for group in self.groups}

    @property
    def ended(self) -> bool:
        return self.step == len(self.times)

    @property
    def reuses(self) -> bool:
        """True if some step is no key step."""
        return len(self.groups) < len(self.times)

    @cached_property
    def values(self) -> list[float]:
        """The timesteps as numbers. On another device than a CPU this waits for it, once a run."""
        return self.source[self.begin :].tolist()

    def place_of(self, timestep: Any) -> int | None:
        """Return the step that a timestep belongs to, counted from the run's first one.

        Its place in memory tells for an element of the scheduler's timesteps, otherwise its value. None if only a wait for the
        device would tell.

        Raises `ValueError` for a timestep that is none of the scheduler's.
        """
        if shares_memory(timestep, self.source):
            return int(timestep.storage_offset() - self.source.storage_offset()) - self.begin
        if isinstance(timestep, torch.Tensor) and timestep.device.type != "cpu":
            return None
        now = torch.as_tensor(timestep).flatten()[0]
        near = [i for i, value in enumerate(self.values) if abs(value - float(now)) <= rounding(now)]
        if not near:
            near = [position(self.source, now) - self.begin]
        return self.step if self.step in near else near[0]

    def note_place(self, timestep: torch.Tensor) -> None:
        """Compare a timestep on a device with the expected one, without waiting for the answer."""
        now = timestep.flatten()[0]
        wrong = (now - self.timesteps[self.step].to(now)).abs() > rounding(now)
        self.misplaced = wrong if self.misplaced is None else self.misplaced | wrong

    def node_for(self, step: int) -> int:
        """Return the index of the node that must be decoded for a step: the node of the step itself, or else the next one."""
        return min(bisect_left(self.nodes, step), len(self.nodes) - 1)

    def prediction_at(self, step: int, rows: int) -> torch.Tensor:
        """Return a step's prediction: decoded, or on the line between the two nodes around it.

        Only the last `rows` are returned. When guidance ends part-way, the conditional half is left.
        """
        after = self.node_for(step)
        self.predictions[: max(after - 1, 0)] = [None] * max(after - 1, 0)
        later = self.predictions[after][-rows:]
        if self.nodes[after] <= step:  # decoded, or the only node
            return later
        start, stop = (self.times[node] for node in self.nodes[after - 1 : after + 1])
        weight = ((self.times[step] - start) / (stop - start)).to(later.dtype)
        return torch.lerp(self.predictions[after - 1][-rows:], later, weight)

    def features_at(self, steps: list[int], rows: int) -> Features:
        """Return the features for `steps` and the last `rows` samples.

        Each is (len(steps) * rows, C, h, w), with the frames of clips folded into the rows.
        """
        held = tuple(last_rows(f, self.rows, rows) for f in self.features)
        if not self.earlier:
            return held if len(steps) == 1 else tuple(repeat(f, len(steps)) for f in held)
        earlier = tuple(f[-len(h) :] for f, h in zip(self.earlier, held, strict=True))
        span = self.times[self.key] - self.times[self.earlier_key]
        ahead = (at(self.times, steps) - self.times[self.key]) / span
        # PNDM visits its second timestep twice. Two key steps there give no direction, so the features are held.
        ahead = torch.where(span == 0, torch.zeros_like(ahead), ahead).to(held[0].dtype).view(-1, 1, 1, 1, 1)
        return tuple(torch.addcmul(f, ahead, f - g).flatten(0, 1) for f, g in zip(held, earlier, strict=True))

    def forget_predictions(self) -> None:
        """Decode each step of the group from this one on: what was decoded for it does not hold any more.

        If this happens at two steps in a row, decoding ahead does not pay in this run.
        """
        self.nodes, self.predictions = list(self.rest_of_group()), []
        if self.changed_at == self.step - 1:
            self.launch = 1
        self.changed_at = self.step

    def rest_of_group(self) -> range:
        return next(range(self.step, group.stop) for group in self.groups if self.step in group)

    def free(self) -> None:
        """Let go of the tensors that only the next steps would have needed."""
        self.features, self.earlier, self.predictions, self.asked = (), (), [], None


def start_run(scheduler: Any, keys: KeySteps, timestep: Any, device: torch.device) -> Run:
    """Return the run that begins with this call. Image-to-image pipelines begin at a later timestep than the first."""
    source = scheduler.timesteps
    begin = position(source, torch.as_tensor(timestep))
    groups = keys.groups(len(source) - begin, repeated_call(scheduler) - begin)
    times, timesteps, late = (x[begin:].to(device) for x in (time_variable(scheduler), source, second_half(scheduler)))
    return Run(groups, source, begin, times, timesteps, late)


def position(timesteps: torch.Tensor, now: torch.Tensor) -> int:
    """Return the index of `now` in `timesteps`.

    If `now` is an element of `timesteps`, as in a loop over them, its place in memory gives the index. Otherwise its value does.
    A value can be ambiguous, because PNDM has its second timestep twice. Comparing values also waits for the device.

    Raises `ValueError` when no timestep has that value.
    """
    if shares_memory(now, timesteps):
        return int(now.storage_offset() - timesteps.storage_offset())
    value = now.flatten()[0].to(timesteps.device)
    matches = ((timesteps - value).abs() <= rounding(value)).nonzero()
    if not len(matches):
        raise ValueError(
            f"the UNet was called at timestep {float(value):g}, which is none of the scheduler's ({timesteps.tolist()}): "
            "EncoderCache follows the loop over pipe.scheduler.timesteps"
        )
    return int(matches[0])


def shares_memory(timestep: Any, timesteps: torch.Tensor) -> bool:
    if not isinstance(timestep, torch.Tensor) or timestep.device != timesteps.device:
        return False
    return timestep.untyped_storage().data_ptr() == timesteps.untyped_storage().data_ptr()


def rounding(value: torch.Tensor) -> Any:
    """How far a timestep may be from the scheduler's after a change of type, as pipelines make it: a unit in the last place."""
    return torch.finfo(value.dtype).eps * value.abs() if value.is_floating_point() else 0


def repeated_call(scheduler: Any) -> int:
    """The call in which PNDM evaluates its second step a second time (Liu et al., 2022, arXiv 2202.09778); 0 if there is none."""
    return 2 if type(scheduler).__name__ == "PNDMScheduler" and scheduler.config.skip_prk_steps else 0


def second_half(scheduler: Any) -> torch.Tensor:
    """True in the second half of the noise schedule, (steps,): of the timesteps, or of the steps where those are noise levels."""
    timesteps = scheduler.timesteps
    levels = hasattr(scheduler, "precondition_noise") or hasattr(scheduler, "sigma_to_t")
    if levels or scheduler.config.get("timestep_type") == "continuous":
        return torch.arange(len(timesteps)) >= len(timesteps) // 2
    return timesteps < scheduler.config.num_train_timesteps / 2


def at(values: torch.Tensor, steps: list[int]) -> torch.Tensor:
    """Return the elements at `steps`. Indexing with a list would copy the list to the device and wait for it."""
    return torch.stack([values[step] for step in steps])


def time_variable(scheduler: Any) -> torch.Tensor:
    """The variable in which the scheduler's solver takes its steps, (steps,): λ = −log σ, σ, or the timestep.

    DPM-Solver works in the log-SNR λ (Lu et al., 2022, arXiv 2206.00927), Euler in σ (Karras et al., 2022, arXiv 2206.00364).
    """
    steps = len(scheduler.timesteps)
    if hasattr(scheduler, "lambda_t"):
        return -scheduler.sigmas[:steps].clamp(min=1e-6).log()
    if hasattr(scheduler, "sigmas"):
        return scheduler.sigmas[:steps]
    return scheduler.timesteps.float()
