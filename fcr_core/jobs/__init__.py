"""What surrounds a job: whole files or none, resuming, code hashes, GPU locks."""
