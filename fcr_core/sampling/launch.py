"""How many images are drawn at a time. No torch: the planner reads it."""

from __future__ import annotations

# Images a launch. Matrix kernels round by the number of rows (5e-6 in a latent, a grey level in 1 of 20,000 pixels), so a
# launch always has this many: a short one is filled up, and no batch size, shard or resume can change a bit. Of clips as many
# as have so many frames together (`launch_size`).
LAUNCH = 20
