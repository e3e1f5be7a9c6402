"""Measurements to tables and verdicts."""
