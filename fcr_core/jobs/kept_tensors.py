"""Keep the tensors of a long job on disk, so that a killed run reads again what it has finished."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from fcr_core.jobs.files import replacing


def kept(file: Path, make: Callable[[], torch.Tensor]) -> torch.Tensor:
    """Return the tensor in `file`. If there is none yet, make it and write it there.

    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "part.pt"
    >>> kept(file, lambda: torch.ones(2)), kept(file, lambda: torch.zeros(2))
    (tensor([1., 1.]), tensor([1., 1.]))
    """
    if not file.exists():
        made = make()
        with replacing(file) as draft:
            torch.save(made, draft)
    return torch.load(file, weights_only=True)
