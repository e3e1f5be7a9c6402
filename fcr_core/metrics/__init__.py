"""Metrics on arrays, one file a metric: NumPy, SciPy and scikit-image, no torch.

A module has `METRIC`, or `METRICS` if one pass gives several values. It also has one of these functions:

- `of_set(features, reference)` returns one number for a set of images, or a dict with a number for each key of `METRICS`.
  A module may also have `left_out(features, reference, groups)`, if it can leave out groups of rows without starting again.
- `per_prompt(features, reference)` returns a dict with one number a prompt for each key of `METRICS`.
- `per_image(...)` returns one number an image (N,).

A module with `of_set` or `per_prompt` also has `set_flops(images, real, width, replicates)`: the planner counts with it.
Imports that take long stand inside the formula, because Snakemake reads every module.

`registry` lists the modules; `left_out` makes the replicates of a jackknife. docs/metrics.md says how to add a metric.
"""
