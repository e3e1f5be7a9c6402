"""The UNet of a pipeline as a cache uses it: split at the cut, and watched for changes."""

from __future__ import annotations

import inspect
from typing import Any

from fcr_core.caching.call_state import Switches
from fcr_core.caching.plan import Plan
from fcr_core.caching.supported import check_pipeline
from fcr_core.unet.plain_unet import plain_unet
from fcr_core.unet.split_unet import SplitUNet


class PipelineUNet:
    """The UNet that a pipeline has now.

    `called` is the pipeline's attribute: the UNet, or what wraps it. `split` is the UNet in two parts, and `switches` are the
    parts of its decoder that a callback may change.

    Args:
        pipe: anything with `.unet` and `.scheduler`.
        plan: says where the UNet is split.
        decoder: a UNet whose up blocks run between key steps, or None.

    Raises `ValueError` for a pipeline that cannot be cached, and for a cut that its UNet does not have.
    """

    def __init__(self, pipe: Any, plan: Plan, decoder: Any) -> None:
        check_pipeline(pipe)
        self.called, self._unet = pipe.unet, plain_unet(pipe.unet)
        self.split = SplitUNet(self._unet, plan.cut, plan.live, decoder)
        self.switches = Switches(self._unet)
        self._children = [(module._modules, tuple(module._modules.values())) for module in self._unet.modules()]
        self._signature = inspect.signature(type(self._unet).forward)
        self._held: Any = None
        # torch.compile(unet) wraps the UNet; unet.compile() changes how it is called. In both cases its two parts are compiled.
        self._wrapped = hasattr(self.called, "_orig_mod")
        if self._wrapped or self._unet._compiled_call_impl is not None:
            self.split.compile()

    @property
    def patched(self) -> Any:
        """The module whose forward the cache replaces."""
        return self.called if self._wrapped else self._unet

    @property
    def compiled_since(self) -> bool:
        """True if `unet.compile()` was called after `hold_compiled`."""
        return self._unet._compiled_call_impl is not None

    def is_still_in(self, pipe: Any) -> bool:
        """Return True if the pipeline has this UNet, with the modules that it had."""
        return pipe.unet is self.called and all(tuple(now.values()) == before for now, before in self._children)

    def arguments(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Return the arguments of a call of the UNet's forward, by name."""
        call = self._signature.bind(self._unet, *args, **kwargs).arguments
        del call["self"]
        return call

    def hold_compiled(self) -> None:
        """Let a call of the UNet reach its forward, also if `unet.compile()` was called before."""
        self._held = self._unet._compiled_call_impl
        if self._held is not None:
            self._unet._compiled_call_impl = None

    def release_compiled(self) -> None:
        """Undo `hold_compiled`. A UNet that was compiled since then stays as it is."""
        if self._held is not None and not self.compiled_since:
            self._unet._compiled_call_impl = self._held
        self._held = None
