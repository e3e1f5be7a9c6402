"""A diffusers UNet as two callables that share its weights: the whole pass, and the part from one up block on.

No forward of diffusers is copied and the UNet itself is not touched. Both callables are shallow copies of it (the same
parameters, the same class's `forward`) in which some blocks are stand-ins: they record what an up block reads, hand it what was
recorded before, or return at once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from fcr_core.unet.block_copies import HOOKS, replace, shallow_copy, stand_in
from fcr_core.unet.up_block_head import head_of, with_head

# What the up blocks from `cut` on read, (rows, C, h, w) each: of the first its hidden state and residuals, or with its head the
# residuals but the last and the head's two outputs; then the residuals of the others.
Features = tuple[torch.Tensor, ...]
# Any UNet class of diffusers: a module with conv_in, down_blocks, mid_block and up_blocks.
UNet = Any


class SplitUNet:
    """`whole` runs every block and returns what the blocks from up block `cut` on have read; `decode` runs only those.

    `cut` counts up blocks, 0 = the whole decoder, as in Faster Diffusion (arXiv 2312.09608). With `live` the shallow blocks
    of the encoder, those whose residuals the decoded up blocks read, run on the sample, and only the hidden state is taken
    from the features: DeepCache (arXiv 2312.00858) at the granularity of blocks. Otherwise the outputs of the first decoded
    block's head are kept in place of its inputs (`unet.up_block_head`), where it has one. `decoder` is a UNet whose up blocks
    `decode` runs in place of the UNet's own (`unet.reuse_decoder`).

    Raises `ValueError` when the UNet has no up block `cut`.
    """

    def __init__(self, unet: UNet, cut: int = 0, live: bool = False, decoder: UNet | None = None) -> None:
        blocks = len(unet.up_blocks)
        if not 0 <= cut < blocks:
            raise ValueError(f"cut {cut}: {type(unet).__name__} has the up blocks 0 to {blocks - 1}")
        self._features: list[torch.Tensor] = []
        self._outputs: dict[str, Any] = {}
        self.cut, self.live, self.device = cut, live, unet.device
        self.head = not live and bool(head_of(unet.up_blocks[cut]))
        self._whole, self._decoder = self._recording_copy(unet), self._decoding_copy(decoder or unet)

    def whole(self, *args: Any, **kwargs: Any) -> tuple[torch.Tensor, Features]:
        """The UNet's prediction and the features; arguments as for its `forward`."""
        # Emptied first: after a pass that failed half-way, and so that a compiled pass does not depend on the one before.
        self._features, self._outputs = [], {}
        prediction = self._whole(*args, **kwargs, return_dict=False)[0]
        features, self._features = tuple(self._features), []
        return prediction, features

    def decode(self, features: Features, *args: Any, **kwargs: Any) -> torch.Tensor:
        """The prediction from `features`; of the sample only shape and type matter unless `live`."""
        self._features = list(features)
        prediction = self._decoder(*args, **kwargs, return_dict=False)[0]
        self._features = []
        return prediction

    def compile(self, **options: Any) -> None:
        """`torch.compile` both callables; each batch size that is met is one static graph."""
        self.whole = torch.compile(self.whole, dynamic=False, **options)  # type: ignore[method-assign]
        self.decode = torch.compile(self.decode, dynamic=False, **options)  # type: ignore[method-assign]

    def _recording_copy(self, unet: UNet) -> UNet:
        """A copy that records what the up blocks read and the shapes that the skipped blocks would return."""
        made = shallow_copy(unet)
        for name, block in self._skipped(unet).items():
            replace(made, name, stand_in(block, self._note_shape(name, block)))
        for index, block in enumerate(unet.up_blocks):
            if index >= self.cut:
                replace(made, f"up_blocks.{index}", stand_in(block, self._record(index, block)))
        return made

    def _decoding_copy(self, unet: UNet) -> UNet:
        """A copy whose skipped blocks return at once and whose up blocks read the features."""
        made = shallow_copy(unet)
        for name, block in self._skipped(unet).items():
            replace(made, name, stand_in(block, self._repeat_shape(name)))
        start = 1
        for index, block in enumerate(unet.up_blocks):
            if index >= self.cut:
                replace(made, f"up_blocks.{index}", stand_in(block, self._read(index, block, start)))
                start += len(block.resnets)
        return made

    def _skipped(self, unet: UNet) -> dict[str, nn.Module]:
        """The blocks that `decode` does not run, by name."""
        depth = len(unet.up_blocks) - self.cut if self.live else 0
        names = ["mid_block"] if unet.mid_block is not None else []
        names += [f"down_blocks.{i}" for i in range(depth, len(unet.down_blocks))]
        if not self.live:
            # UNet3DConditionModel has a temporal transformer behind conv_in.
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
            # Adapters still add to these, in place: a value for each element, and as many rows as the sample now has.
            rows = len(args[0] if args else kwargs["hidden_states"])
            return map_tensors(self._outputs[name], lambda x: x[-rows:].clone())

        return forward

    def _record(self, index: int, block: Any) -> Callable[..., Any]:
        recording = with_head(block, self._keep) if self.head and index == self.cut else None

        def forward(hidden_states: torch.Tensor, res_hidden_states_tuple: tuple, **kwargs: Any) -> torch.Tensor:
            if recording is not None and as_built(block):
                self._features.extend(res_hidden_states_tuple[:-1])
                return recording(hidden_states=hidden_states, res_hidden_states_tuple=res_hidden_states_tuple, **kwargs)
            if index == self.cut:
                self._features.append(own(block, hidden_states))
            if not self.live:
                self._features.extend(res_hidden_states_tuple)
            return block(hidden_states=hidden_states, res_hidden_states_tuple=res_hidden_states_tuple, **kwargs)

        return forward

    def _keep(self, module: nn.Module, index: int) -> Callable[..., Any]:
        def forward(x: torch.Tensor) -> torch.Tensor:
            self._features.append(module(x))
            return self._features[-1]

        return forward

    def _kept(self, residuals: int) -> Callable[..., Any]:
        """Stand-ins that return the head's outputs, which lie behind the block's other residuals."""
        return lambda module, index: lambda x: self._features[residuals - 1 + index]

    def _read(self, index: int, block: Any, start: int) -> Callable[..., Any]:
        count = len(block.resnets)
        reading = with_head(block, self._kept(count), skip=True) if self.head and index == self.cut else None

        def forward(hidden_states: torch.Tensor, res_hidden_states_tuple: tuple, **kwargs: Any) -> torch.Tensor:
            if reading is not None and as_built(block):
                # Of what only the head would read there are no channels.
                nothing = self._features[count][:, :0]
                residuals = (*self._features[: count - 1], nothing)
                return reading(hidden_states=nothing, res_hidden_states_tuple=residuals, **kwargs)
            if index == self.cut:
                hidden_states = own(block, self._features[0])
            if not self.live:
                res_hidden_states_tuple = tuple(self._features[start : start + count])
            return block(hidden_states=hidden_states, res_hidden_states_tuple=res_hidden_states_tuple, **kwargs)

        return forward


def as_built(block: Any) -> bool:
    """Whether a copy may run in the block's place: nothing hooks it or its first resnet, and FreeU is off."""
    return not freeu(block) and not any(
        "forward" in vars(module) or module._compiled_call_impl is not None or any(getattr(module, name) for name in HOOKS)
        for module in (block, block.resnets[0])
    )


def freeu(block: nn.Module) -> bool:
    """Whether FreeU is on, which scales what an up block reads, the hidden state in place."""
    return bool(getattr(block, "s1", None))


def own(block: nn.Module, hidden_states: torch.Tensor) -> torch.Tensor:
    """The hidden state for one block alone: FreeU must not scale what is kept."""
    return hidden_states.clone() if freeu(block) else hidden_states


def map_tensors(output: Any, function: Callable[[torch.Tensor], torch.Tensor]) -> Any:
    """A block's output (a tensor, or nested tuples of tensors) with `function` applied to each tensor."""
    if isinstance(output, torch.Tensor):
        return function(output)
    return tuple(map_tensors(part, function) for part in output)
