"""How many images are drawn at a time. No torch: the planner reads it."""

from __future__ import annotations

# Images in one launch. Matrix kernels round differently for other numbers of rows (5e-6 in a latent, a grey level in 1 of 20,000
# pixels). So every launch has this many images, and a short one is filled up. Then no batch size, shard or resume can change a
# bit. For video, a launch has as many clips as total 20 frames, and at least one (`launch_size`).
LAUNCH = 20
