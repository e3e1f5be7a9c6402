"""ST-LPIPS, a perceptual distance to the uncached twin. `fcr_core.features.stlpips_alex` computes it with its network."""

from __future__ import annotations

from fcr_core.metrics.metric import Metric

METRIC = Metric(
    key="st_lpips",
    title="ST-LPIPS",
    direction="lower",
    unit="",
    range=(0, float("inf")),
    needs="pixels",
    source="Ghildyal & Liu, 2022, arXiv 2207.13686",
    digits=4,
)
