"""Model cards and folders for networks that are published."""
