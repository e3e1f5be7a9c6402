"""The cost of an experiment before it runs: jobs, hours, memory, disk."""
