"""Become a command that has GPUs of its own, so many of the visible ones: python -m workflow_scripts.with_gpus 4 torchrun ..."""

import argparse
import os

from fcr_core.jobs.gpus import held_gpus
from workflow_scripts.cli import errors_in_one_line

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("gpus", type=int, help="wait until so many are free")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    with errors_in_one_line("with_gpus"), held_gpus(args.gpus):
        os.execvp(args.command[0], args.command)
