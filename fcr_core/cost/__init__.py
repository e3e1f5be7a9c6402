"""The cost of sampling: counted FLOPs and passes, measured time and memory."""
