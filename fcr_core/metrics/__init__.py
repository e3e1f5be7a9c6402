"""Metrics on arrays, one file a metric: NumPy and SciPy, no torch.

A module has `NAME` (with the network it uses), `HIGHER_IS_BETTER` and one of
`of_set(features, reference) -> float` or `per_image(...) -> (N,)`.
"""
