"""Metrics on arrays, one file a metric: NumPy and SciPy, no torch.

A module has `NAME`, which tells the network, and one of `of_set(features, reference) -> float`, with `INPUT` naming the
features it takes, or `per_image(...) -> (N,)`.
"""
