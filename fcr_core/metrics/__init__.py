"""Metrics on arrays, one file a metric: NumPy, SciPy and scikit-image, no torch.

A module has `METRIC`, or `METRICS` when one pass yields several values, and one of

- `of_set(features, reference)`: one number for a set of images (or a number for each key of `METRICS`); a module that can leave
  out groups of rows faster than by starting again also has `left_out(features, reference, groups)`;
- `per_image(...) -> (N,)`.

`registry` looks a metric up by the name of its column; `left_out` makes the replicates of a jackknife.
"""
