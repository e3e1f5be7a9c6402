"""Backbones: which networks, where they are, how they are loaded, and what their task needs."""
