"""The cost of a sampling plan, given the FLOPs of a UNet by part: passes, FLOPs, and the speed-up that FLOPs allow. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from fcr_core.caching.plan import Plan


@dataclass(frozen=True)
class UNetFlops:
    """FLOPs (2 per multiply-add) of one pass of one sample, by part of the UNet.

    Args:
        parts: conv_in, down.0, ..., mid, up.0, ..., rest. `rest` is the time embedding and the output convolution, which every
            pass needs.
        heads: FLOPs of each up block that do not depend on the timestep (`fcr_core.unet.up_block_head`).
    """

    parts: dict[str, int]
    heads: dict[str, int]

    @property
    def full(self) -> int:
        return sum(self.parts.values())

    @property
    def encoder(self) -> int:
        """FLOPs of conv_in + down blocks + mid block."""
        return sum(flops for part, flops in self.parts.items() if part.split(".")[0] in ("conv_in", "down", "mid"))

    @property
    def decoder(self) -> int:
        return self.full - self.encoder

    def reused(self, plan: Plan) -> int:
        """Return the FLOPs of a pass that reuses features: the up blocks from the cut on, except a cached head.

        With `live` the shallow encoder blocks run too, and no head is cached.
        """
        ups = [part for part in self.parts if part.startswith("up.")]
        run = {"rest", *ups[plan.cut :]}
        if plan.live:
            run |= {"conv_in", *(f"down.{i}" for i in range(len(ups) - plan.cut))}
        head = self.heads.get(ups[plan.cut], 0) if not plan.live else 0
        return sum(flops for part, flops in self.parts.items() if part in run) - head

    def scaled(self, factor: float) -> UNetFlops:
        """Return every part times a factor."""
        return UNetFlops(*({part: round(factor * flops) for part, flops in each.items()} for each in (self.parts, self.heads)))


def passes(steps: int, plan: Plan) -> tuple[int, int]:
    """Return the encoder and decoder passes of a run: (key steps, decoders that run)."""
    groups = plan.keys.groups(steps)
    return len(groups), sum(len(group) if plan.live else len(plan.decoded(group)) for group in groups)


def sampling_flops(flops: UNetFlops, steps: int, plan: Plan, guided: bool = True) -> int:
    """Return the UNet FLOPs of one image."""
    encoder_passes, decoder_passes = passes(steps, plan)
    return (1 + guided) * (encoder_passes * flops.full + (decoder_passes - encoder_passes) * flops.reused(plan))


def flop_limit(flops: UNetFlops, steps: int, plan: Plan) -> float:
    """Return the speed-up over the uncached run that the plan's FLOPs allow."""
    return steps * 2 * flops.full / sampling_flops(flops, steps, plan)
