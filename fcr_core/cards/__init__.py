"""Model cards and folders of what is published."""
