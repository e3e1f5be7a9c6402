"""What `snakemake` shows of a run: on a terminal a live line for each running job and one for the whole, elsewhere a line for
each job that has ended. What a job itself says is in its log; of a job that failed the last lines are shown.

Snakemake finds the package by its name (`logger: fcr` in profiles/default). It imports nothing of the project, whose modules the
Snakefile is the first to import.
"""

from snakemake_logger_plugin_fcr.handler import LogHandler

__all__ = ["LogHandler"]
