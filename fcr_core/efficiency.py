"""What sampling costs: passes, FLOPs by part, the speed-up that FLOPs allow, latency, memory."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass

import pandas as pd
import torch
from diffusers import UNet2DConditionModel
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary
from tqdm import tqdm

from fcr_core.schedule import KeySteps


@dataclass(frozen=True)
class UNetFlops:
    """FLOPs (2 per multiply-add) of one pass of one sample; `encoder` = conv_in + down blocks + mid block."""

    encoder: int
    decoder: int

    @property
    def full(self) -> int:
        return self.encoder + self.decoder


def count_unet_flops(unet: UNet2DConditionModel, tokens: int) -> UNetFlops:
    """Exact count from the config on the meta device: no weights, no arithmetic.

    Attention is counted under the math backend; the fused CPU kernel would count as 0.
    """
    config = unet.config
    with torch.device("meta"):
        twin = UNet2DConditionModel.from_config(config)
        sample = torch.empty(1, config.in_channels, config.sample_size, config.sample_size)
        text = torch.empty(1, tokens, config.cross_attention_dim)
        time_step = torch.empty((), dtype=torch.long)
    counter = FlopCounterMode(display=False, depth=3)
    with torch.no_grad(), sdpa_kernel(SDPBackend.MATH), counter:
        twin(sample, time_step, text)
    by_module = {name: sum(ops.values()) for name, ops in counter.get_flop_counts().items()}
    encoder = sum(flops for name, flops in by_module.items() if is_encoder_block(name))
    return UNetFlops(encoder, counter.get_total_flops() - encoder)


def is_encoder_block(module_name: str) -> bool:
    """`UNet2DConditionModel.conv_in`, `.mid_block`, `.down_blocks.0`, ... but not what is inside of them."""
    match module_name.split(".")[1:]:
        case ["conv_in"] | ["mid_block"] | ["down_blocks", _]:
            return True
    return False


def passes(steps: int, stride: int) -> tuple[int, int]:
    """Encoder and decoder passes an image and guidance half: (key steps, steps)."""
    return len(KeySteps.uniform(stride).groups(steps)), steps


def sampling_flops(flops: UNetFlops, steps: int, stride: int, guided: bool = True) -> int:
    """UNet FLOPs of one image."""
    encoder_passes, decoder_passes = passes(steps, stride)
    return (1 + guided) * (encoder_passes * flops.encoder + decoder_passes * flops.decoder)


def measure_latency(
    runs: dict[str, Callable[[], object]], repeats: int, synchronize: Callable[[], None] = lambda: None
) -> pd.DataFrame:
    """Wall-clock seconds of each run, interleaved: A B C, A B C, ... after one uncounted round.

    Interleaving makes a drift of the machine's speed hit all runs alike. Columns: `sampler`, `repeat`, `seconds`.
    """
    rows = []
    for repeat in tqdm(range(-1, repeats), desc="latency", unit="round"):
        for name, run in runs.items():
            synchronize()
            start = time.perf_counter()
            run()
            synchronize()
            rows.append((name, repeat, time.perf_counter() - start))
    table = pd.DataFrame(rows, columns=["sampler", "repeat", "seconds"])
    return table[table["repeat"] >= 0]


def peak_tensor_bytes(run: Callable[[], object]) -> int:
    """Most bytes that tensors made during `run` held at once.

    On CUDA by the allocator; on a CPU by following every tensor, which is exact where the resident set size is not: that
    includes what the C library keeps for later.
    """
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        run()
        return torch.cuda.max_memory_allocated() - before
    with _LiveTensorBytes() as tracked:
        run()
    return tracked.peak


class _LiveTensorBytes(TorchDispatchMode):
    """Adds up the storages of all tensors that operators return, until each is freed."""

    def __init__(self) -> None:
        super().__init__()
        self.live = self.peak = 0
        self._seen = WeakIdKeyDictionary()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, torch.Tensor):
                self._follow(leaf.untyped_storage())
        return result

    def _follow(self, storage: torch.UntypedStorage) -> None:
        if storage not in self._seen:
            self._seen[storage] = True
            self._change(storage.nbytes())
            weakref.finalize(storage, self._change, -storage.nbytes())

    def _change(self, size: int) -> None:
        self.live += size
        self.peak = max(self.peak, self.live)
