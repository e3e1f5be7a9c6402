"""Tools around a job: outputs that are whole or absent, resuming, code hashes, GPU locks."""
