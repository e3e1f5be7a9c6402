"""What a configuration means: samplers, models, settings, cells and experiments. No torch."""
