"""The frame of every script: `--out`, `--threads`, logging, one writer an output, errors in one line."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from importlib import import_module
from pathlib import Path

from fcr_core.jobs.errors import foreseen, in_one_line
from fcr_core.jobs.job import sole_writer
from fcr_core.jobs.slurm_ranks import adopt_slurm_rank
from fcr_core.jobs.usage import Usage, cpu_seconds


def parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the arguments that all scripts share."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    made.add_argument("--out", type=Path, required=True, help="file or folder to write")
    made.add_argument("--threads", type=int, default=1, help="CPU threads of torch")
    return made


def run(made: argparse.ArgumentParser, work: Callable[[argparse.Namespace], None]) -> None:
    """Parse, then call `work(args)` as the only writer of `args.out`; what a user can mend ends in one line and exit code 1."""
    logging.basicConfig(level="INFO", format="%(levelname)s %(message)s", stream=sys.stderr)
    with errors_in_one_line(made.prog):
        args = made.parse_args()
        set_up_torch(args.threads)
        no_bars_of_loading()
        adopt_slurm_rank()
        # Of several processes of one job (torchrun, srun) the first writes.
        writes = os.environ.get("RANK", "0") == "0"
        start = cpu_seconds()
        with sole_writer(args.out) if writes else nullcontext(), gpu_of(args):
            work(args)
        if writes:
            logging.info(Usage.now(start))


@contextmanager
def errors_in_one_line(prog: str) -> Iterator[None]:
    """End with `{prog}: error: ...` and exit code 1 if an error comes that can be foreseen; any other keeps its traceback."""
    try:
        yield
    except Exception as error:
        if not foreseen(error):
            raise
        logging.getLogger().debug("traceback", exc_info=True)
        sys.exit(f"{prog}: error: {in_one_line(error)}")


def gpu_of(args: argparse.Namespace) -> AbstractContextManager:
    """Hold a GPU if the job computes on one; the processes of torchrun have theirs."""
    if getattr(args, "device", "cpu") != "cuda" or "RANK" in os.environ:
        return nullcontext()
    from fcr_core.jobs.gpus import held_gpus

    return held_gpus()


def set_up_torch(threads: int) -> None:
    """Limit its threads and let cuDNN take only kernels that repeat their bits, if the script uses torch at all."""
    if torch := sys.modules.get("torch"):
        torch.set_num_threads(threads)
        torch.backends.cudnn.deterministic = True


def no_bars_of_loading() -> None:
    """Leave out the progress bars of diffusers and transformers: seconds, beside the bar of the job itself."""
    for library in ("diffusers", "transformers"):
        if library in sys.modules:
            import_module(f"{library}.utils.logging").disable_progress_bar()
