"""The values that a configuration stands for: samplers, models, settings, cells and experiments. No torch."""
