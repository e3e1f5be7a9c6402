"""Split a diffusers UNet into two callables that share its weights: the whole pass, and the part from one up block on.

Both callables are shallow copies of the UNet: the same parameters and the same class's `forward`. In a copy, stand-ins replace
some blocks. A stand-in records what an up block reads, or hands it what was recorded before, or returns at once. No `forward` of
diffusers is copied, and the UNet itself never changes.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fcr_core.unet.block_copies import HOOKS, replace, shallow_copy, stand_in
from fcr_core.unet.up_block_head import HEAD, head_of, with_head

# The tensors (rows, C, h, w) that the up blocks from `cut` on read. Order: hidden state, then residuals, block by block. If the
# first block's head is cached, that block contributes its residuals except the last, then the head's two outputs.
Features = tuple[torch.Tensor, ...]
# Any UNet class of diffusers: a module with conv_in, down_blocks, mid_block and up_blocks.
UNet = Any


class SplitUNet:
    """Split a UNet at up block `cut`.

    `whole` runs every block. It returns the prediction and the features, which are what the up blocks from `cut` on have read.
    `decode` runs only these up blocks, on given features. Where the first of them has a head (`unet.up_block_head`), the features
    hold the outputs of the head in place of its inputs.

    Args:
        unet: any UNet class of diffusers.
        cut: the first up block that `decode` runs. 0 = the whole decoder, as in Faster Diffusion (arXiv 2312.09608).
        live: run the shallow blocks of the encoder, whose residuals the decoded up blocks read, on the sample in `decode` too.
            Only the hidden state is then taken from the features, and no head is cached. This is DeepCache (arXiv 2312.00858) at
            the granularity of blocks.
        decoder: a UNet whose up blocks `decode` runs in place of those of `unet` (`unet.reuse_decoder`).

    Raises `ValueError` when the UNet has no up block `cut`.
    """

    def __init__(self, unet: UNet, cut: int = 0, live: bool = False, decoder: UNet | None = None) -> None:
        blocks = len(unet.up_blocks)
        if not 0 <= cut < blocks:
            raise ValueError(f"cut {cut}: {type(unet).__name__} has the up blocks 0 to {blocks - 1}")
        self._features: list[torch.Tensor] = []
        self._outputs: dict[str, Any] = {}
        self._present: dict[int, tuple[bool, ...]] = {}  # by up block: which of its residuals there are
        self.cut, self.live, self.device = cut, live, unet.device
        self.head = not live and bool(head_of(unet.up_blocks[cut]))
        self._first, self._headed = unet.up_blocks[cut], False
        self._whole, self._decoder = self._recording_copy(unet), self._decoding_copy(decoder or unet)

    def whole(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, Features]:
        """Return the UNet's prediction and the features. The arguments are those of the UNet's `forward`."""
        # Start empty: an earlier pass may have failed half-way, and a compiled pass must not depend on the one before.
        self._features, self._outputs, self._present = [], {}, {}
        prediction = self._whole(*args, **kwargs, return_dict=False)[0]
        features, self._features = tuple(self._features), []
        return prediction, features

    def decode(self, features: Features, *args: Any, **kwargs: Any) -> torch.Tensor:
        """Return the prediction from `features`.

        The other arguments are those of the UNet's `forward`. Without `live` only the shape and type of the sample matter.
        """
        self._features = list(features)
        prediction = self._decoder(*args, **kwargs, return_dict=False)[0]
        self._features = []
        return prediction

    def can_decode(self) -> bool:
        """Return False if no features were taken, or they are the head of a block that is not as it was built any more."""
        return bool(self._present) and (not self._headed or as_built(self._first))

    def compile(self, **options: Any) -> None:
        """Compile both callables with `torch.compile`. Each batch size makes one static graph."""
        self.whole = torch.compile(self.whole, dynamic=False, **options)  # type: ignore[method-assign]
        self.decode = torch.compile(self.decode, dynamic=False, **options)  # type: ignore[method-assign]

    def _recording_copy(self, unet: UNet) -> UNet:
        """Return a copy that records what the up blocks read, and the shapes of what the skipped blocks return."""
        made = shallow_copy(unet)
        for name, block in self._skipped(unet).items():
            replace(made, name, stand_in(block, self._note_shape(name, block)))
        for index, block in enumerate(unet.up_blocks):
            if index >= self.cut:
                replace(made, f"up_blocks.{index}", stand_in(block, self._record(index, block)))
        return made

    def _decoding_copy(self, unet: UNet) -> UNet:
        """Return a copy whose skipped blocks return at once and whose up blocks read the features."""
        made = shallow_copy(unet)
        for name, block in self._skipped(unet).items():
            replace(made, name, stand_in(block, self._repeat_shape(name)))
        for index, block in enumerate(unet.up_blocks):
            if index >= self.cut:
                replace(made, f"up_blocks.{index}", stand_in(block, self._read(index, block)))
        return made

    def _skipped(self, unet: UNet) -> dict[str, nn.Module]:
        """Return the blocks that `decode` does not run, by name."""
        depth = len(unet.up_blocks) - self.cut if self.live else 0
        names = ["mid_block"] if unet.mid_block is not None else []
        names += [f"down_blocks.{i}" for i in range(depth, len(unet.down_blocks))]
        if not self.live:
            # UNet3DConditionModel has a temporal transformer after conv_in.
            names += [name for name in ("conv_in", "transformer_in") if hasattr(unet, name)]
        names += [f"up_blocks.{i}" for i in range(self.cut)]
        return {name: unet.get_submodule(name) for name in names}

    def _note_shape(self, name: str, block: nn.Module) -> Callable[..., Any]:
        def forward(*args: Any, **kwargs: Any) -> Any:
            output = block(*args, **kwargs)
            self._outputs[name] = map_tensors(output, lambda x: x.new_zeros(()).expand(x.shape))
            return output

        return forward

    def _repeat_shape(self, name: str) -> Callable[..., Any]:
        if not self.live:
            return lambda *args, **kwargs: map_tensors(self._outputs[name], torch.Tensor.detach)

        def forward(*args: Any, **kwargs: Any) -> Any:
            # Adapters add to these tensors in place. So each element needs its own memory, and there must be as many rows as
            # the sample now has.
            rows = len(args[0] if args else kwargs["hidden_states"])
            return map_tensors(self._outputs[name], lambda x: x[-rows:].clone())

        return forward

    def _record(self, index: int, block: Any) -> Callable[..., Any]:
        recording = with_head(block, self._keep) if self.head and index == self.cut else None

        def forward(hidden_states: torch.Tensor, res_hidden_states_tuple: tuple, **kwargs: Any) -> torch.Tensor:
            self._present[index] = tuple(residual is not None for residual in res_hidden_states_tuple)
            if index == self.cut:
                self._headed = recording is not None and as_built(block)
            if recording is not None and self._headed:
                self._features.extend(res_hidden_states_tuple[:-1])
                return recording(hidden_states=hidden_states, res_hidden_states_tuple=res_hidden_states_tuple, **kwargs)
            if index == self.cut:
                self._features.append(own(block, hidden_states))
            if not self.live:
                self._features.extend(residual for residual in res_hidden_states_tuple if residual is not None)
            return block(hidden_states=hidden_states, res_hidden_states_tuple=res_hidden_states_tuple, **kwargs)

        return forward

    def _keep(self, module: nn.Module, index: int) -> Callable[..., Any]:
        def forward(x: torch.Tensor) -> torch.Tensor:
            self._features.append(module(x))
            return self._features[-1]

        return forward

    def _kept(self, residuals: int) -> Callable[..., Any]:
        """Make the stand-ins that return the head's outputs. These lie after the block's other residuals in the features."""
        return lambda module, index: lambda x: self._features[residuals - 1 + index]

    def _residuals(self, index: int) -> tuple[torch.Tensor | None, ...]:
        """Return what up block `index` read beside its hidden state. K blocks have None where a down block gave nothing."""
        start, present = 1 + sum(sum(self._present[i]) for i in range(self.cut, index)), self._present[index]
        return tuple(self._features[start + sum(present[:i])] if there else None for i, there in enumerate(present))

    def _read(self, index: int, block: Any) -> Callable[..., Any]:
        count = len(block.resnets)
        reading = with_head(block, self._kept(count), skip=True) if self.head and index == self.cut else None

        def forward(hidden_states: torch.Tensor, res_hidden_states_tuple: tuple, **kwargs: Any) -> torch.Tensor:
            if reading is not None and self._headed:
                # Only the head would read these inputs, so they have zero channels.
                nothing = self._features[count][:, :0]
                residuals = (*self._features[: count - 1], nothing)
                return reading(hidden_states=nothing, res_hidden_states_tuple=residuals, **kwargs)
            if index == self.cut:
                hidden_states = own(block, self._features[0])
            if not self.live:
                res_hidden_states_tuple = self._residuals(index)
            return block(hidden_states=hidden_states, res_hidden_states_tuple=res_hidden_states_tuple, **kwargs)

        return forward


def as_built(block: Any) -> bool:
    """Return True if a copy may run in the block's place and hold the outputs of its head.

    Nothing may hook, patch or compile the block or its first resnet, its head may have no adapter, and FreeU must be off. This is
    asked at every step, so it reads the modules' dictionaries: the attributes of a module take ten times as long.
    """
    first = next(iter(block._modules["resnets"]._modules.values()))
    plain_head = all(type(first._modules[name]) is nn.Conv2d for name in HEAD)
    return plain_head and not freeu(block) and not watched(block) and not watched(first)


def watched(module: nn.Module) -> bool:
    """Return True if something hooks, patches or compiles a module."""
    own = vars(module)
    return "forward" in own or own.get("_compiled_call_impl") is not None or any(own[name] for name in HOOKS)


def freeu(block: nn.Module) -> bool:
    """Return True if FreeU is on. FreeU scales what an up block reads, and it scales the hidden state in place."""
    return bool(vars(block).get("s1"))


def own(block: nn.Module, hidden_states: torch.Tensor) -> torch.Tensor:
    """Return the hidden state for one block alone. With FreeU on it is a copy, so that FreeU does not scale the kept features."""
    return hidden_states.clone() if freeu(block) else hidden_states


def map_tensors(output: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """Apply `function` to each tensor of a block's output, which is a tensor or nested tuples of tensors and of None."""
    if output is None:
        return None
    if isinstance(output, torch.Tensor):
        return function(output)
    return tuple(map_tensors(part, function) for part in output)
