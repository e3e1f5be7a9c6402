"""EncoderCache: encoder-cached sampling for an unmodified diffusers pipeline.

At a key step the whole UNet runs and its encoder features are kept. At the other steps of the group the decoder alone runs on
them. Its prediction depends on (features, t) and not on x_t, so all steps of a group can be decoded as one batch, as in
Faster Diffusion (Li et al., 2023, arXiv 2312.09608).
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from fcr_core.encoder import Features, capture, map_tensors, replay, restore
from fcr_core.schedule import KeySteps


@dataclass
class CacheStats:
    """Passes counted per batch of the pipeline, not per launch: a parallel decode of 9 steps counts as 9."""

    encoder_passes: int = 0
    decoder_passes: int = 0
    cached_bytes: int = 0


class EncoderCache:
    """Cached sampling inside a `with` block; outside it the pipeline is as it was, bit for bit.

    `pipe` is anything with `.unet` and `.scheduler` whose loop calls the UNet once a step. `keys` is a stride or `KeySteps`.
    With `parallel` all steps of a group are decoded together, at most `max_parallel` steps a launch; without it one by one.

    >>> with EncoderCache(pipe, stride=10):                                 # doctest: +SKIP
    ...     images = pipe(prompts, num_inference_steps=50).images

    Raises `ValueError` when the pipeline has no such parts, the scheduler calls the model more than once a step, or the stride is
    longer than the run.
    """

    def __init__(
        self,
        pipe: Any,
        keys: KeySteps | None = None,
        *,
        stride: int | None = None,
        parallel: bool = True,
        max_parallel: int = 16,
    ) -> None:
        if (keys is None) == (stride is None):
            raise ValueError("give either key steps or a stride: EncoderCache(pipe, stride=10)")
        check_supported(pipe)
        self.unet, self.scheduler = pipe.unet, pipe.scheduler
        self.keys = keys or KeySteps.uniform(stride or 1)
        self.parallel, self.max_parallel = parallel, max_parallel
        self.stats = CacheStats()

    def __enter__(self) -> EncoderCache:
        self._original_forward = self.unet.forward
        self._original_set_timesteps = self.scheduler.set_timesteps
        self._outside = (vars(self.unet).get("forward"), vars(self.scheduler).get("set_timesteps"))
        self.unet.forward = self._forward
        self.scheduler.set_timesteps = self._set_timesteps
        self._start_run()
        return self

    def __exit__(self, *_: object) -> None:
        restore(self.unet, "forward", self._outside[0])
        restore(self.scheduler, "set_timesteps", self._outside[1])
        self._start_run()

    def _start_run(self) -> None:
        self._step = 0
        self._features: Features = {}
        self._decoded: deque[torch.Tensor] = deque()

    def _set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        """Every pipeline calls this once before its loop: nothing of an earlier call is left after it."""
        self._original_set_timesteps(*args, **kwargs)
        self._start_run()

    def _forward(self, sample: torch.Tensor, timestep: Any, encoder_hidden_states: torch.Tensor, **kwargs: Any) -> Any:
        """Stands in for `unet.forward` while the cache is on."""
        if self._step == 0:
            groups = self.keys.groups(len(self.scheduler.timesteps))
            self._group_of_key = {group.start: group for group in groups}
        group = self._group_of_key.get(self._step)
        self._step += 1
        if group is not None:
            return self._key_step(group, sample, timestep, encoder_hidden_states, kwargs)
        self.stats.decoder_passes += 1
        if self._decoded:
            return self._like_key_output(self._decoded.popleft())
        with replay(self.unet, self._features):
            return self._original_forward(sample, timestep, encoder_hidden_states, **kwargs)

    def _key_step(self, group: range, sample: torch.Tensor, timestep: Any, context: torch.Tensor, kwargs: dict) -> Any:
        with capture(self.unet) as features:
            output = self._original_forward(sample, timestep, context, **kwargs)
        self.stats.encoder_passes += 1
        self.stats.decoder_passes += 1
        if len(group) > 1:
            self._features = dict(features)
            self.stats.cached_bytes = max(self.stats.cached_bytes, byte_count(self._features))
            self._output_type = type(output)
            if self.parallel:
                self._decode_ahead(group[1:], sample, context, kwargs)
        return output

    def _decode_ahead(self, steps: range, sample: torch.Tensor, context: torch.Tensor, kwargs: dict) -> None:
        """Decode the group's other steps together; a batch of B becomes g*B rows, step-major."""
        for start in range(0, len(steps), self.max_parallel):
            part = steps[start : start + self.max_parallel]
            times = self.scheduler.timesteps[part.start : part.stop].to(sample.device)
            size, batch = len(part), len(sample)
            tiled = {name: map_tensors(output, partial(repeat, times=size)) for name, output in self._features.items()}
            with replay(self.unet, tiled):
                output = self._original_forward(
                    # Only the shape and type of the sample matter to the decoder.
                    sample[None].expand(size, *sample.shape).flatten(0, 1),
                    times.repeat_interleave(batch),
                    repeat(context, size),
                    **{key: tile_argument(value, batch, size) for key, value in kwargs.items()},
                )
            self._decoded.extend(output[0].unflatten(0, (size, batch)))

    def _like_key_output(self, prediction: torch.Tensor) -> Any:
        return (prediction,) if self._output_type is tuple else self._output_type(sample=prediction)


def check_supported(pipe: Any) -> None:
    """Raise one clear `ValueError` for a pipeline that cannot be cached."""
    for part in ("unet", "scheduler"):
        if not hasattr(pipe, part):
            raise ValueError(f"{type(pipe).__name__} has no .{part}: EncoderCache works on UNet pipelines of diffusers")
    if not all(hasattr(pipe.unet, part) for part in ("conv_in", "down_blocks", "mid_block", "up_blocks")):
        raise ValueError(f"{type(pipe.unet).__name__} has no encoder and decoder blocks: use a UNet of diffusers")
    if getattr(pipe.scheduler, "order", 1) > 1:
        raise ValueError(
            f"{type(pipe.scheduler).__name__} calls the UNet {pipe.scheduler.order} times a step: "
            "use a scheduler of order 1, such as DDIMScheduler or DPMSolverMultistepScheduler"
        )


def repeat(x: torch.Tensor, times: int) -> torch.Tensor:
    """(B, ...) -> (times * B, ...), the whole batch repeated."""
    return x.repeat(times, *[1] * (x.dim() - 1))


def tile_argument(value: Any, batch: int, times: int) -> Any:
    """Repeat what has one row a sample (masks, `timestep_cond`, dictionaries of such); leave the rest."""
    if isinstance(value, torch.Tensor) and value.dim() > 0 and len(value) == batch:
        return repeat(value, times)
    if isinstance(value, dict):
        return {key: tile_argument(part, batch, times) for key, part in value.items()}
    return value


def byte_count(features: Features) -> int:
    """Bytes of all cached tensors, each storage once."""
    sizes: dict[int, int] = {}
    for output in features.values():
        map_tensors(output, lambda x: sizes.setdefault(x.data_ptr(), x.nbytes))
    return sum(sizes.values())
