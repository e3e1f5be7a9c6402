"""Plots of tables, as PNG files."""
