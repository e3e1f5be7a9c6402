"""The state of one cached sampling run: its position, and what the last key step left for the steps of its group."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass, field
from typing import Any

import torch

from fcr_core.caching.plan import KeySteps
from fcr_core.unet.split_unet import Features


@dataclass
class Run:
    """The state of one sampling run."""

    groups: list[range]
    times: torch.Tensor  # the solver's time variable, (steps,)
    timesteps: torch.Tensor  # the timesteps that the UNet gets, (steps,)
    step: int = 0
    rows: int = 0
    features: Features = ()
    earlier: Features = ()  # features of the previous key step, for linear reuse
    key: int = 0
    earlier_key: int = 0
    nodes: list[int] = field(default_factory=list)  # the group's steps whose decoder runs
    predictions: list[Any] = field(default_factory=list)  # tensors of the nodes decoded so far; None once no step needs it

    def __post_init__(self) -> None:
        self.group_of_key = {group.start: group for group in self.groups}

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


def start_run(scheduler: Any, keys: KeySteps, timestep: Any, device: torch.device) -> Run:
    """Return the run that begins with this call. Image-to-image pipelines begin at a later timestep than the first."""
    begin = position(scheduler.timesteps, torch.as_tensor(timestep))
    times, timesteps = time_variable(scheduler)[begin:].to(device), scheduler.timesteps[begin:].to(device)
    return Run(keys.groups(len(timesteps)), times, timesteps)


def position(timesteps: torch.Tensor, now: torch.Tensor) -> int:
    """Return the index of `now` in `timesteps`.

    If `now` is an element of `timesteps`, as in a loop over them, its place in memory gives the index. Otherwise its value does.
    A value can be ambiguous, because PNDM has its second timestep twice. Comparing values also waits for the device.

    Raises `ValueError` when no timestep has that value.
    """
    if now.untyped_storage().data_ptr() == timesteps.untyped_storage().data_ptr():
        return int(now.storage_offset() - timesteps.storage_offset())
    matches = (timesteps == now.flatten()[0].to(timesteps.device)).nonzero()
    if not len(matches):
        raise ValueError(f"the UNet was called at timestep {now}, which is none of the scheduler's: {timesteps.tolist()}")
    return int(matches[0])


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
