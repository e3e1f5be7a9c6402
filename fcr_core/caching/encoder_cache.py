"""EncoderCache: encoder-cached sampling for an unmodified diffusers pipeline.

At a key step the whole UNet runs, and what its decoder read is kept. The predictions of the group's other steps depend on these
features and on t, not on x_t. So several steps can be decoded in one launch, as in Faster Diffusion (Li et al., 2023,
arXiv 2312.09608). The launch runs when the pipeline asks for the first of these steps. The predictions are handed out one by one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

from fcr_core.caching.batched_call import can_tile, rows_are_independent, tile_call
from fcr_core.caching.call_state import CallState
from fcr_core.caching.launches import byte_count, steps_a_launch
from fcr_core.caching.patches import Patches, WatchedBar, name_of_forward
from fcr_core.caching.pipeline_unet import PipelineUNet
from fcr_core.caching.plan import KeySteps, Plan, whole_number
from fcr_core.caching.run_state import Run, at, start_run
from fcr_core.caching.supported import check_scheduler

SEVERAL_CALLS = (
    "the pipeline calls the UNet several times a step (a call a view, a call a prompt, self-attention guidance), "
    "and a cache holds the features of one: use a pipeline or an option that calls the UNet once a step, or stride=1"
)


@dataclass
class CacheStats:
    """Counts of a cached run.

    Passes are counted per batch of the pipeline, not per launch: nine steps decoded in one launch count as nine.
    """

    encoder_passes: int = 0
    decoder_passes: int = 0
    cached_bytes: int = 0


class EncoderCache:
    """Cache the encoder of a pipeline's UNet inside a `with` block. Outside it the pipeline is as it was, bit for bit.

    >>> from fcr_core.backbones.loading import load_pipeline
    >>> pipe = load_pipeline("models/pocket")
    >>> with EncoderCache(pipe, stride=10) as cache:
    ...     images = pipe(["red apple"], num_inference_steps=20).images
    >>> cache.stats.encoder_passes, cache.stats.decoder_passes
    (2, 20)

    A ControlNet runs at key steps only, because its residuals are part of the features. A compiled UNet stays compiled, as two
    graphs. The pipeline's UNet and scheduler may be exchanged, and adapters loaded, between two calls: each call is cached with
    what the pipeline then has. Inside a call, what was decoded ahead is dropped when the prompt, a condition or an adapter
    changes. What works and what is refused: docs/encoder_cache.md.

    Args:
        pipe: anything with `.unet` and `.scheduler` whose loop calls the UNet once a step.
        keys: the key steps, as `KeySteps`, a list or a whole `Plan`. Give either these or `stride`.
        stride: the distance between key steps.
        cut, reuse, nodes, live: what the steps between key steps do; see `Plan`.
        parallel: decode several steps in one launch.
        max_parallel: the most steps in one launch. By default 16, on a CPU fewer for large batches (see `steps_a_launch`).
        prior_noise: adds this share of the initial noise to the sample in the second half of the noise schedule (0.003 in Faster
            Diffusion).
        decoder: a UNet whose up blocks run between key steps (`unet.reuse_decoder`).

    Raises `ValueError` when the pipeline has no such parts, when it calls the UNet more than once a step or out of order, or when
    the stride is longer than the run.
    """

    def __init__(
        self,
        pipe: Any,
        keys: KeySteps | Plan | Sequence[int] | str | None = None,
        *,
        parallel: bool = True,
        max_parallel: int | None = None,
        decoder: Any = None,
        **options: Any,
    ) -> None:
        self.plan = Plan.given(keys, **options)
        if not isinstance(parallel, bool):
            raise ValueError(f"parallel must be True or False, not {parallel!r}")
        if max_parallel is not None:
            max_parallel = whole_number("max_parallel", max_parallel, 1)
        self.pipe, self.decoder = pipe, decoder
        self.max_parallel = max_parallel if parallel else 1
        self.stats = CacheStats()
        self._patches = Patches()
        self._loops = 0  # progress bars that are open
        self._run: Run | None = None
        self._control: Any = None
        self._initial_noise: torch.Tensor | None = None
        self._entered = False
        self._unet = PipelineUNet(pipe, self.plan, decoder)

    def __enter__(self) -> EncoderCache:
        if self._entered:
            raise ValueError("this EncoderCache is on already: make another one for another block")
        if not self._unet.is_still_in(self.pipe):
            self._unet = PipelineUNet(self.pipe, self.plan, self.decoder)
        self._patch()
        self._entered = True
        return self

    def __exit__(self, failed: object, *_: object) -> None:
        self._unpatch()
        self._entered, self._loops = False, 0
        self._run = self._control = self._initial_noise = None
        if self.pipe.unet is not self._unet.called and not failed:
            raise ValueError(
                "pipe.unet was exchanged inside the block, and no call of the new one was cached: "
                "exchange it before the block, or before a call of the pipeline inside it"
            )

    def _patch(self) -> None:
        self._unet.hold_compiled()
        called = self._unet.patched
        self._patches.add(called, name_of_forward(called), self._forward)
        self._controlnet = getattr(self.pipe, "controlnet", None)
        if self._controlnet is not None and not self.plan.live:
            self._patches.add(self._controlnet, name_of_forward(self._controlnet), self._controlnet_forward)
        if hasattr(self.pipe, "progress_bar"):
            self._patches.add(self.pipe, "progress_bar", self._progress_bar)

    def _unpatch(self) -> None:
        self._patches.undo()
        self._unet.release_compiled()

    def _follow(self) -> None:
        """Take the UNet and the ControlNet that the pipeline has now, if they are others, have other modules or were compiled."""
        same = self._unet.is_still_in(self.pipe) and not self._unet.compiled_since
        if same and getattr(self.pipe, "controlnet", None) is self._controlnet:
            return
        unet = PipelineUNet(self.pipe, self.plan, self.decoder)
        self._unpatch()
        self._unet = unet
        self._patch()

    def _progress_bar(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Every pipeline of diffusers runs its loop inside its progress bar."""
        return WatchedBar(original(*args, **kwargs), self._loop_begins, self._loop_ended)

    def _loop_begins(self) -> None:
        self._loops += 1
        if self._loops == 1:
            self._follow()

    def _loop_ended(self) -> None:
        """Free the memory before the VAE or another pipeline runs, also when the loop was cut short."""
        self._loops -= 1
        if self._loops == 0:
            self._run = self._control = self._initial_noise = None

    def _forward(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Replace `unet.forward` while the cache is on."""
        call = self._unet.arguments(*args, **kwargs)
        as_tuple = not call.pop("return_dict", True)
        run = self._run_of(call["timestep"], call["sample"].device)
        prediction = self._predict(run, call)
        run.step += 1
        if run.ended:
            run.free()
            if run.misplaced is not None and bool(run.misplaced):
                raise ValueError(f"the UNet was called at another timestep than the scheduler's next: {SEVERAL_CALLS}")
        return (prediction,) if as_tuple else UNet2DConditionOutput(sample=prediction)

    def _run_of(self, timestep: Any, device: torch.device) -> Run:
        """Return the run that a call belongs to, at the step of this call. Raises `ValueError` for a call out of order."""
        run, source = self._run, self.pipe.scheduler.timesteps
        if run is None or run.source is not source:
            return self._begin(timestep, device)
        place = run.place_of(timestep)
        if place is None and not run.ended:
            run.note_place(timestep)
        elif place is not None and place == run.step - 1 and not run.reuses:
            run.step = place  # every call is a whole pass
        elif place is None or place < run.step - 1 or run.ended:
            return self._begin(timestep, device)
        elif place == run.step - 1:
            raise ValueError(SEVERAL_CALLS)
        elif place > run.step:
            raise ValueError(f"the UNet was called at step {place} where step {run.step} was next: no step may be left out")
        return run

    def _begin(self, timestep: Any, device: torch.device) -> Run:
        """Start a run with the scheduler of this call. Pipelines make new timesteps for each."""
        scheduler = self.pipe.scheduler
        check_scheduler(scheduler)
        self._run = None
        if self._loops == 0 and self.pipe.unet is self._unet.called:
            self._follow()
        run = start_run(scheduler, self.plan.keys, timestep, device)
        run.launch = None if rows_are_independent(self._unet.switches) else 1
        if self.plan.prior_noise:
            if run.begin:
                raise ValueError("prior_noise needs a run that begins with noise: image-to-image begins with a picture")
            if not self._patches.are_on(scheduler):
                self._patches.add(scheduler, "step", self._scheduler_step)
        self._run = run
        return run

    def _predict(self, run: Run, call: dict[str, Any]) -> torch.Tensor:
        rows, shape = len(call["sample"]), tuple(call["sample"].shape[1:])
        changed = self._has_changed(run, call)
        group = run.group_of_key.get(run.step)
        if group is None and not self._unet.split.can_decode():
            group = run.rest_of_group()
        if group is not None:
            return self._key_step(run, group, call)
        if rows > run.rows:
            raise ValueError(f"the batch has grown from {run.rows} to {rows} inside a group: guidance may end there, not begin")
        if shape != run.shape:
            raise ValueError(f"the sample has changed from {run.shape} to {shape} inside a group: it may at a key step")
        if self.plan.live:
            self.stats.decoder_passes += 1
            return self._unet.split.decode(run.features_at([run.step], rows), **call)
        if changed:
            run.forget_predictions()
        while len(run.predictions) <= run.node_for(run.step):
            self._decode_ahead(run, call)
        return run.prediction_at(run.step, rows)

    def _key_step(self, run: Run, group: range, call: dict[str, Any]) -> torch.Tensor:
        rows, shape = len(call["sample"]), tuple(call["sample"].shape[1:])
        # Drop features before the pass, so that two sets of them are never in memory at once. If the batch has grown, the earlier
        # features have too few rows for a line.
        line = self.plan.reuse == "linear" and rows <= run.rows and shape == run.shape
        run.earlier, run.features = (run.features if line else ()), ()
        run.earlier_key, run.predictions = run.key, []
        prediction, run.features = self._unet.split.whole(**call)
        run.key, run.rows, run.shape = group.start, rows, shape
        run.nodes, run.predictions = self.plan.decoded(group), [prediction]
        self.stats.encoder_passes += 1
        self.stats.decoder_passes += 1
        self.stats.cached_bytes = max(self.stats.cached_bytes, byte_count(run.features + run.earlier))
        return prediction

    def _has_changed(self, run: Run, call: dict[str, Any]) -> bool:
        """Return True if the prompt, a condition or the decoder is not that of the call before.

        If modules have come or gone, the UNet is taken apart anew, and what was kept does not fit it.
        """
        before, run.asked = run.asked, CallState(call, self._unet.switches)
        if before is None or before.same(run.asked):
            return False
        if not self._unet.is_still_in(self.pipe):
            self._follow()
            run.asked = CallState(call, self._unet.switches)
        if not rows_are_independent(self._unet.switches):
            run.launch = 1
        return True

    def _decode_ahead(self, run: Run, call: dict[str, Any]) -> None:
        """Decode the next nodes in one launch. A batch of B becomes g*B rows, step-major.

        If guidance has ended, B is the smaller number of rows.
        """
        done, rows = len(run.predictions), len(call["sample"])
        limit = run.launch or self.max_parallel or steps_a_launch(run.features)
        steps = run.nodes[done : done + (limit if limit == 1 or can_tile(call) else 1)]
        decoded = self._unet.split.decode(run.features_at(steps, rows), **tile_call(call, at(run.timesteps, steps)))
        run.predictions.extend(decoded.unflatten(0, (len(steps), rows)))
        self.stats.decoder_passes += len(steps)

    def _scheduler_step(
        self, original: Any, model_output: Any, timestep: Any, sample: torch.Tensor, *args: Any, **kw: Any
    ) -> Any:
        """Call `scheduler.step` on a sample with prior noise, in the second half of the steps."""
        run = self._run
        if run is not None:
            if self._initial_noise is None or run.step == 1:
                self._initial_noise = sample / self.pipe.scheduler.init_noise_sigma
            late = run.late[run.step - 1].to(sample.device, sample.dtype)
            sample = sample + self.plan.prior_noise * late * self._initial_noise
        return original(model_output, timestep, sample, *args, **kw)

    def _controlnet_forward(self, original: Any, *args: Any, **kwargs: Any) -> Any:
        """Run the ControlNet where the whole UNet runs. At other steps return its last result, which nobody reads."""
        sample, timestep = (kwargs[name] if name in kwargs else args[i] for i, name in enumerate(("sample", "timestep")))
        run = self._run_of(timestep, sample.device)
        kept = self._unet.is_still_in(self.pipe) and self._unet.split.can_decode()
        if run.step in run.group_of_key or not kept:
            self._control = original(*args, **kwargs)
        return self._control
