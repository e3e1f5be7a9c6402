"""Squared maximum mean discrepancy (Gretton et al., 2012, JMLR 13) from sums of a kernel over blocks of rows.

The sums are kept by groups of rows, so that the value without a group needs no further kernel. Memory does not grow with n².
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fcr_core.metrics.rows import blocks

# float64 rows (n, d) and (m, d) -> (n, m)
Kernel = Callable[[np.ndarray, np.ndarray], np.ndarray]


@dataclass(frozen=True)
class KernelSums:
    """Sums of the kernel k over the pairs of a set whose rows are in G groups."""

    counts: np.ndarray  # (G,)
    pairs: np.ndarray  # (G, G): over pairs of different rows
    selves: np.ndarray  # (G,): over pairs of a row with itself

    @classmethod
    def of(cls, kernel: Kernel, groups: Sequence[np.ndarray]) -> KernelSums:
        """Sum the kernel; each pair of blocks is computed once, because the kernel is symmetric."""
        pieces = [(group, piece) for group, rows in enumerate(groups) for piece in blocks(rows)]
        pairs, selves = np.zeros((len(groups), len(groups))), np.zeros(len(groups))
        for i, (g, piece) in enumerate(pieces):
            rows = piece.astype(np.float64)
            own = kernel(rows, rows)
            selves[g] += np.trace(own)
            pairs[g, g] += own.sum() - np.trace(own)
            for h, other in pieces[i + 1 :]:
                total = kernel(rows, other.astype(np.float64)).sum()
                pairs[g, h] += total
                pairs[h, g] += total
        return cls(np.array([len(rows) for rows in groups]), pairs, selves)

    def mean(self, kept: np.ndarray, unbiased: bool) -> float:
        """Average k over the pairs of the kept groups (G,); `unbiased` leaves out the pairs of a row with itself.

        Raises `ValueError` where there is no pair.
        """
        count, total = self.counts[kept].sum(), self.pairs[np.ix_(kept, kept)].sum()
        if count < 1 + unbiased:
            raise ValueError(f"a mean over pairs needs at least {1 + unbiased} images, not {count}: sample more")
        return total / (count * (count - 1)) if unbiased else (total + self.selves[kept].sum()) / count**2


@dataclass(frozen=True)
class Discrepancy:
    """The kernel's sums within a set by groups, within the reference, and between both: enough for any MMD² of them."""

    inside: KernelSums
    reference: KernelSums
    across: np.ndarray  # (G,): sums of k between a group and the reference

    @classmethod
    def of(cls, kernel: Kernel, features: np.ndarray, reference: np.ndarray, groups: np.ndarray) -> Discrepancy:
        """Sum the kernel for `features` (n, d) and `reference` (m, d); `groups` (n,) numbers the group of each row, 0..G-1."""
        parts = [features[groups == group] for group in range(groups.max() + 1)]
        across = [
            sum(kernel(x.astype(np.float64), y.astype(np.float64)).sum() for x in blocks(part) for y in blocks(reference))
            for part in parts
        ]
        return cls(KernelSums.of(kernel, parts), KernelSums.of(kernel, [reference]), np.array(across))

    def squared(self, unbiased: bool, without: int | None = None) -> float:
        """Compute MMD² without one group: the U-statistic (unbiased, may be negative) or the V-statistic (never negative)."""
        kept = np.arange(len(self.across)) != without
        count, total = self.inside.counts[kept].sum(), self.reference.counts.sum()
        within = self.inside.mean(kept, unbiased) + self.reference.mean(np.array([True]), unbiased)
        return float(within - 2 * self.across[kept].sum() / (count * total))

    def left_out(self, unbiased: bool) -> Iterator[float]:
        """Yield MMD² of all rows, then without each group."""
        yield self.squared(unbiased)
        for group in range(len(self.across)):
            yield self.squared(unbiased, group)
