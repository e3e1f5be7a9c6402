"""EncoderCache: encoder-cached sampling for an unmodified diffusers pipeline.

At a key step the whole UNet runs, and what its decoder read is kept. The predictions of the group's other steps depend on these
features and on t, not on x_t. So several steps can be decoded in one launch, as in Faster Diffusion (Li et al., 2023,
arXiv 2312.09608). The launch runs when the pipeline asks for the first of these steps. The predictions are handed out one by one.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from typing import Any

import torch
from diffusers.models.unets.unet_2d_condition import UNet2DConditionOutput

from fcr_core.caching.batched_call import last_rows, repeat, tile_call
from fcr_core.caching.plan import KeySteps, Plan
from fcr_core.caching.run_state import Run, at, start_run
from fcr_core.unet.split_unet import Features, SplitUNet

MISSING = object()
# On a CPU, a launch reads at most this many bytes of features, so that they fit its caches. On any device, it decodes at most
# LAUNCH_STEPS steps. Measured by benchmarks/launch_size.py: up to 8 MB, more steps a launch were 1.0 to 2.8 times as fast; beyond
# 20 MB, 0.8 to 1.0 times.
LAUNCH_BYTES = 8_000_000
LAUNCH_STEPS = 16


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
    graphs. Load adapters before entering the block: the cache runs the modules that it found.

    Args:
        pipe: anything with `.unet` and `.scheduler` whose loop calls the UNet once a step.
        keys: the key steps, as `KeySteps` or a whole `Plan`. Give either these or `stride`.
        stride: the distance between key steps.
        cut, reuse, nodes, live: what the steps between key steps do; see `Plan`.
        parallel: decode several steps in one launch.
        max_parallel: the most steps in one launch. By default 16, on a CPU fewer for large batches (see `LAUNCH_BYTES`).
        prior_noise: adds this share of the initial noise to the sample in the second half of the timesteps (0.003 in Faster
            Diffusion).
        decoder: a UNet whose up blocks run between key steps (`unet.reuse_decoder`).

    Raises `ValueError` when the pipeline has no such parts, when the scheduler calls the model more than once a step, or when the
    stride is longer than the run.
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
        plan = plan_of(keys, options)
        check_supported(pipe)
        # torch.compile(unet) wraps the UNet; unet.compile() changes how it is called. In both cases its two parts are compiled.
        self.called, self.unet = pipe.unet, getattr(pipe.unet, "_orig_mod", pipe.unet)
        self.scheduler, self.controlnet = pipe.scheduler, getattr(pipe, "controlnet", None)
        self.plan = plan
        self.max_parallel = max_parallel if parallel else 1
        self.split = SplitUNet(self.unet, self.plan.cut, self.plan.live, decoder)
        if self.called is not self.unet or self.unet._compiled_call_impl is not None:
            self.split.compile()
        self.stats = CacheStats()
        self._signature = inspect.signature(type(self.unet).forward)
        self._run: Run | None = None
        self._control: Any = None
        self._initial_noise: torch.Tensor | None = None

    def __enter__(self) -> EncoderCache:
        patches = [
            (self.called, name_of_forward(self.called), self._forward),
            (self.scheduler, "set_timesteps", self._set_timesteps),
        ]
        if self.plan.prior_noise:
            patches.append((self.scheduler, "step", self._scheduler_step))
        if self.controlnet is not None and not self.plan.live:
            patches.append((self.controlnet, name_of_forward(self.controlnet), self._controlnet_forward))
        self._original = {function.__name__: getattr(target, name) for target, name, function in patches}
        self._outside = [(target, name, vars(target).get(name, MISSING)) for target, name, _ in patches]
        for target, name, function in patches:
            setattr(target, name, looks_like(getattr(target, name), function))
        if self.unet._compiled_call_impl is not None:
            self._outside.append((self.unet, "_compiled_call_impl", self.unet._compiled_call_impl))
            self.unet._compiled_call_impl = None
        return self

    def __exit__(self, *_: object) -> None:
        for target, name, before in self._outside:
            if before is MISSING:
                vars(target).pop(name)
            else:
                setattr(target, name, before)
        self._run = self._control = self._initial_noise = None

    def _set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        """Forget the earlier run. Every pipeline calls this once before its loop."""
        self._original["_set_timesteps"](*args, **kwargs)
        self._run = None

    def _forward(self, *args: Any, **kwargs: Any) -> Any:
        """Replace `unet.forward` while the cache is on."""
        call = self._signature.bind(self.unet, *args, **kwargs).arguments
        del call["self"]
        as_tuple = not call.pop("return_dict", True)
        if self._run is None or self._run.step == len(self._run.times):
            self._run = start_run(self.scheduler, self.plan.keys, call["timestep"], call["sample"].device)
        prediction = self._predict(self._run, call)
        self._run.step += 1
        if self._run.step == len(self._run.times):
            self._run.features = self._run.earlier = ()  # frees the memory before the VAE runs
        return (prediction,) if as_tuple else UNet2DConditionOutput(sample=prediction)

    def _predict(self, run: Run, call: dict[str, Any]) -> torch.Tensor:
        rows = len(call["sample"])
        group = run.group_of_key.get(run.step)
        if group is not None:
            return self._key_step(run, group, call)
        if rows > run.rows:
            raise ValueError(f"the batch has grown from {run.rows} to {rows} inside a group: guidance may end there, not begin")
        if self.plan.live:
            self.stats.decoder_passes += 1
            return self.split.decode(self._features_at(run, [run.step], rows), **call)
        while len(run.predictions) <= run.node_for(run.step):
            self._decode_ahead(run, call)
        return run.prediction_at(run.step, rows)

    def _key_step(self, run: Run, group: range, call: dict[str, Any]) -> torch.Tensor:
        rows = len(call["sample"])
        # Drop features before the pass, so that two sets of them are never in memory at once. If the batch has grown, the earlier
        # features have too few rows for a line.
        run.earlier, run.features = (run.features if self.plan.reuse == "linear" and rows <= run.rows else ()), ()
        run.earlier_key, run.predictions = run.key, []
        prediction, run.features = self.split.whole(**call)
        run.key, run.rows = group.start, rows
        run.nodes, run.predictions = self.plan.decoded(group), [prediction]
        self.stats.encoder_passes += 1
        self.stats.decoder_passes += 1
        self.stats.cached_bytes = max(self.stats.cached_bytes, byte_count(run.features + run.earlier))
        return prediction

    def _decode_ahead(self, run: Run, call: dict[str, Any]) -> None:
        """Decode the next nodes in one launch. A batch of B becomes g*B rows, step-major.

        If guidance has ended, B is the smaller number of rows.
        """
        done, rows = len(run.predictions), len(call["sample"])
        steps = run.nodes[done : done + (self.max_parallel or steps_a_launch(run.features))]
        decoded = self.split.decode(self._features_at(run, steps, rows), **tile_call(call, at(run.timesteps, steps)))
        run.predictions.extend(decoded.unflatten(0, (len(steps), rows)))
        self.stats.decoder_passes += len(steps)

    def _features_at(self, run: Run, steps: list[int], rows: int) -> Features:
        """Return the features for `steps` and the last `rows` samples.

        Each is (len(steps) * rows, C, h, w), with the frames of clips folded into the rows.
        """
        held = tuple(last_rows(f, run.rows, rows) for f in run.features)
        if not run.earlier:
            return held if len(steps) == 1 else tuple(repeat(f, len(steps)) for f in held)
        earlier = tuple(f[-len(h) :] for f, h in zip(run.earlier, held, strict=True))
        span = run.times[run.key] - run.times[run.earlier_key]
        ahead = (at(run.times, steps) - run.times[run.key]) / span
        # PNDM visits its second timestep twice. Two key steps there give no direction, so the features are held.
        ahead = torch.where(span == 0, torch.zeros_like(ahead), ahead).to(held[0].dtype).view(-1, 1, 1, 1, 1)
        return tuple(torch.addcmul(f, ahead, f - g).flatten(0, 1) for f, g in zip(held, earlier, strict=True))

    def _scheduler_step(self, model_output: Any, timestep: Any, sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        """Call `scheduler.step` on a sample with prior noise, in the second half of the timesteps."""
        assert self._run is not None
        if self._run.step == 1:
            self._initial_noise = sample / self.scheduler.init_noise_sigma
        late = (torch.as_tensor(timestep) < self.scheduler.config.num_train_timesteps / 2).to(sample.device, sample.dtype)
        sample = sample + self.plan.prior_noise * late * self._initial_noise
        return self._original["_scheduler_step"](model_output, timestep, sample, *args, **kwargs)

    def _controlnet_forward(self, *args: Any, **kwargs: Any) -> Any:
        """Run the ControlNet at a key step. Between key steps return its last result, which nobody reads."""
        if self._run is None or self._run.step in {*self._run.group_of_key, len(self._run.times)}:
            self._control = self._original["_controlnet_forward"](*args, **kwargs)
        return self._control


def plan_of(keys: Any, options: dict[str, Any]) -> Plan:
    """The plan that the arguments of `EncoderCache` say. Raises `ValueError` for a missing, doubled or unknown one."""
    if unknown := options.keys() - {"stride", *(field.name for field in fields(Plan))}:
        known = ", ".join(field.name for field in fields(Plan) if field.name != "keys")
        raise ValueError(f"EncoderCache has no option {', '.join(sorted(unknown))}: a plan has stride or keys, and {known}")
    stride = options.pop("stride", None)
    if (keys is None) == (stride is None):
        raise ValueError("give either key steps or a stride: EncoderCache(pipe, stride=10)")
    if not isinstance(keys, Plan):
        steps = KeySteps.of(keys) if stride is None else KeySteps.uniform(stride)
        if steps.count:
            raise ValueError(f"give a stride (stride={steps.count}) or the key steps themselves ([0, 5, 10]), not their number")
        return Plan(steps, **options)
    if options:
        raise ValueError(f"a Plan says {', '.join(options)} itself: give it there")
    return keys


def check_supported(pipe: Any) -> None:
    """Raise one clear `ValueError` for a pipeline that cannot be cached."""
    for part in ("unet", "scheduler"):
        if not hasattr(pipe, part):
            raise ValueError(
                f"{type(pipe).__name__} has no .{part}: EncoderCache works on pipelines with a UNet; "
                "for a transformer use the caches of diffusers (transformer.enable_cache)"
            )
    unet = type(getattr(pipe.unet, "_orig_mod", pipe.unet))
    if not all(hasattr(pipe.unet, part) for part in ("conv_in", "down_blocks", "mid_block", "up_blocks")):
        raise ValueError(
            f"{unet.__name__} has no encoder and decoder blocks: use a UNet of diffusers; "
            "for a transformer use the caches of diffusers (transformer.enable_cache)"
        )
    if "encoder_hidden_states" not in inspect.signature(unet.forward).parameters:
        raise ValueError(f"{unet.__name__} takes no text or image embedding: use a conditional UNet of diffusers")
    if getattr(pipe.scheduler, "order", 1) > 1:
        raise ValueError(
            f"{type(pipe.scheduler).__name__} calls the UNet {pipe.scheduler.order} times a step: "
            "use a scheduler of order 1, such as DDIMScheduler or DPMSolverMultistepScheduler"
        )


def name_of_forward(module: Any) -> str:
    """Return the attribute to patch. The offloading of accelerate keeps the forward that it calls under another name."""
    return "_old_forward" if hasattr(module, "_hf_hook") else "forward"


def looks_like(original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
    """Return `replacement` with the signature of `original`. Pipelines look at it to see what they may pass."""

    @wraps(original)
    def call(*args: Any, **kwargs: Any) -> Any:
        return replacement(*args, **kwargs)

    return call


def steps_a_launch(features: Features) -> int:
    """Return how many steps to decode in one launch.

    It depends only on the size and device of one step's features, so samples stay reproducible.
    """
    if features[0].device.type != "cpu":
        return LAUNCH_STEPS
    return max(1, min(LAUNCH_STEPS, LAUNCH_BYTES // byte_count(features)))


def byte_count(features: Features) -> int:
    """Return the bytes of all cached tensors, counting each storage once."""
    sizes = {x.untyped_storage()._cdata: x.untyped_storage().nbytes() for x in features}
    return sum(sizes.values())
