"""Replace methods of objects for a while, and put them back whatever others have done to these objects meanwhile."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import wraps
from typing import Any

MISSING = object()


class Patch:
    """Let `target.name(...)` call `function(original, ...)` until `undo`.

    The replacement has the signature of the original, because pipelines look at it to see what they may pass. accelerate moves
    a `forward` to another attribute when it adds or removes its hooks, so `undo` looks for the replacement under every name.
    Whoever still holds the replacement afterwards calls the original.
    """

    def __init__(self, target: Any, name: str, function: Callable[..., Any]) -> None:
        self.target, self.name, self.original = target, name, getattr(target, name)
        self._before, self._active = vars(target).get(name, MISSING), True

        @wraps(self.original)
        def call(*args: Any, **kwargs: Any) -> Any:
            return function(self.original, *args, **kwargs) if self._active else self.original(*args, **kwargs)

        self._call = call
        setattr(target, name, call)

    def undo(self) -> None:
        self._active = False
        attributes = vars(self.target)
        for name in [name for name, value in attributes.items() if value is self._call]:
            if name == self.name and self._before is MISSING:
                attributes.pop(name)
            else:
                setattr(self.target, name, self.original)


class Patches:
    """The patches of one cache."""

    def __init__(self) -> None:
        self._patches: list[Patch] = []

    def add(self, target: Any, name: str, function: Callable[..., Any]) -> None:
        self._patches.append(Patch(target, name, function))

    def are_on(self, target: Any) -> bool:
        return any(patch.target is target for patch in self._patches)

    def undo(self) -> None:
        for patch in reversed(self._patches):
            patch.undo()
        self._patches = []


def name_of_forward(module: Any) -> str:
    """Return the attribute to patch. The hooks of accelerate keep the forward that they call under another name."""
    return "_old_forward" if hasattr(module, "_hf_hook") else "forward"


class WatchedBar:
    """A progress bar of a pipeline that says when its loop begins and when it ends, however it ends.

    Args:
        bar: what `pipe.progress_bar` returned: a context, or an iterable of steps.
        begun, ended: called without arguments.
    """

    def __init__(self, bar: Any, begun: Callable[[], None], ended: Callable[[], None]) -> None:
        self._bar, self._begun, self._ended = bar, begun, ended

    def __enter__(self) -> Any:
        self._begun()
        return self._bar.__enter__()

    def __exit__(self, *error: Any) -> Any:
        self._ended()
        return self._bar.__exit__(*error)

    def __iter__(self) -> Iterator[Any]:
        self._begun()
        try:
            yield from self._bar
        finally:
            self._ended()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._bar, name)
