"""What sampling costs: counted FLOPs and passes, measured time and memory."""
