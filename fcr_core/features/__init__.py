"""Frozen networks that turn images into arrays; a metric on these arrays carries the network's name."""
