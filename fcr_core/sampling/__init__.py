"""Prompts to images, and guided trajectories."""
