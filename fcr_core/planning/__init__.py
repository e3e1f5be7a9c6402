"""What an experiment will cost before it runs: jobs, hours, memory, disk."""
