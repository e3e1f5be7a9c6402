"""Tests that start real services, a SLURM and an object server, as root on Debian: `make test-cluster`."""
