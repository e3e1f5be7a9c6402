"""Backbones: which networks there are, where they lie, how they are loaded, and what their task needs."""
