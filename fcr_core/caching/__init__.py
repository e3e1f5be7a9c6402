"""The cached sampler: the plan of key steps, the state of a run, `EncoderCache`, and the search for key steps."""
